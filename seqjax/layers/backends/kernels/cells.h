// One row one step forward and back: what the matrix products leave to be done. P units, in whole vectors.

#pragma once

#include "layer.h"

namespace seqjax {

// z: the blocks of gates; h and c are changed; keep: what the backward reads besides c and h, or none.
template <class S, Kind kind>
inline void advance(int64_t P, const S* z, S* h, S* c, S* keep) {
  constexpr int w = Vector<S>::width;
  for (int64_t u = 0; u < P; u += w) {
    if constexpr (kind == kSimpleRnn) {
      store(h + u, tanh(load(z + u)));
    } else if constexpr (kind == kLstm) {
      const V<S> i = sigmoid<S>(load(z + u)), f = sigmoid<S>(load(z + P + u));
      const V<S> g = tanh(load(z + 2 * P + u)), o = sigmoid<S>(load(z + 3 * P + u));
      const V<S> next = f * load(c + u) + i * g;
      store(c + u, next);
      store(h + u, o * tanh(next));
      if (keep) {
        store(keep + u, i);
        store(keep + P + u, f);
        store(keep + 2 * P + u, g);
        store(keep + 3 * P + u, o);
      }
    } else {
      const V<S> update = sigmoid<S>(load(z + u)), r = sigmoid<S>(load(z + P + u));
      const V<S> inner = load(z + 2 * P + u), g = tanh(load(z + 3 * P + u) + r * inner);
      store(h + u, g + update * (load(h + u) - g));
      if (keep) {
        store(keep + u, update);
        store(keep + P + u, r);
        store(keep + 2 * P + u, inner);
        store(keep + 3 * P + u, g);
      }
    }
  }
}

// keep: what the step left; before: c before it of an LSTM, h of a GRU; dh, dc: gradients of the state after it. dc
// becomes that before it, dz the gates', passed what of dh does not go through the gates' products.
template <class S, Kind kind>
inline void retreat(int64_t P, const S* keep, const S* before, const S* dh, S* dc, S* dz, S* passed) {
  constexpr int w = Vector<S>::width;
  for (int64_t u = 0; u < P; u += w) {
    const V<S> dhv = load(dh + u);
    V<S> through{};
    if constexpr (kind == kSimpleRnn) {
      const V<S> h = load(keep + u);
      store(dz + u, dhv * (1 - h * h));
    } else if constexpr (kind == kLstm) {
      const V<S> i = load(keep + u), f = load(keep + P + u), g = load(keep + 2 * P + u);
      const V<S> o = load(keep + 3 * P + u), a = tanh(load(keep + 4 * P + u));
      const V<S> dcv = load(dc + u) + dhv * o * (1 - a * a);
      store(dz + u, dcv * g * i * (1 - i));
      store(dz + P + u, dcv * load(before + u) * f * (1 - f));
      store(dz + 2 * P + u, dcv * i * (1 - g * g));
      store(dz + 3 * P + u, dhv * a * o * (1 - o));
      store(dc + u, dcv * f);
    } else {
      const V<S> update = load(keep + u), r = load(keep + P + u), inner = load(keep + 2 * P + u);
      const V<S> g = load(keep + 3 * P + u);
      const V<S> dg = dhv * (1 - update) * (1 - g * g);
      store(dz + u, dhv * (load(before + u) - g) * update * (1 - update));
      store(dz + P + u, dg * inner * r * (1 - r));
      store(dz + 2 * P + u, dg * r);
      store(dz + 3 * P + u, dg);
      through = dhv * update;
    }
    store(passed + u, through);
  }
}

template <class S>
inline void advance(Kind kind, int64_t P, const S* z, S* h, S* c, S* keep) {
  switch (kind) {
    case kSimpleRnn: return advance<S, kSimpleRnn>(P, z, h, c, keep);
    case kLstm: return advance<S, kLstm>(P, z, h, c, keep);
    case kGru: return advance<S, kGru>(P, z, h, c, keep);
  }
}
template <class S>
inline void retreat(Kind kind, int64_t P, const S* keep, const S* before, const S* dh, S* dc, S* dz, S* passed) {
  switch (kind) {
    case kSimpleRnn: return retreat<S, kSimpleRnn>(P, keep, before, dh, dc, dz, passed);
    case kLstm: return retreat<S, kLstm>(P, keep, before, dh, dc, dz, passed);
    case kGru: return retreat<S, kGru>(P, keep, before, dh, dc, dz, passed);
  }
}

}  // namespace seqjax
