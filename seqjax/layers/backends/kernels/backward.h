// All steps of a recurrent layer back.

#pragma once

#include "cells.h"

namespace seqjax {

template <class S>
struct Gradients {
  S *x, *kernel, *bias, *recurrent, *inner, *h, *c;  // shaped as what they are of; x may be missing
};

template <class S, Kind kind>
void run_backward(const Problem<S>& p, const S* h0, const S* c0, const S* saved, const S* dhs, const S* dh_out,
                  const S* dc_out, const Gradients<S>& d) {
  constexpr int G = gates_of(kind), blocks = blocks_of(kind), kept = saved_of(kind), w = Vector<S>::width;
  const int64_t U = p.U, P = p.P, D = p.D;
  const int64_t Q = (D * sizeof(S) + kPadding - 1) / kPadding * kPadding / sizeof(S);
  const auto segments = segments_of(kind);
  const bool per_gate = p.drops > 1;
  const auto transposed = [&](const S* weights, int64_t width, int64_t padded, int gate, int count) {
    const auto at = places(U, P, gate, count);
    return packed<S>(count * P, padded, [&](int64_t k, int64_t n) {
      return n < width && at[k] >= 0 ? weights[n * G * U + at[k]] : S(0);
    });
  };
  std::vector<Room<S>> R, W;  // R^T [G*P, P], W^T [G*P, Q]
  for (int gate = 0; gate < (per_gate ? G : 1); ++gate)
    R.push_back(transposed(p.recurrent, U, P, gate, per_gate ? 1 : G));
  if (D && d.x)
    for (const auto& s : segments) W.push_back(transposed(p.kernel, D, Q, s.gate, s.count));
  if (!D && d.x) std::fill_n(d.x, p.used * G * U, S(0));
  const Tiling most = tiling(p, blocks);
  const int64_t stride = most.stride, together = most.rows * most.steps;
  const int64_t apart = together + kPadding / int64_t(sizeof(S));  // as `tiling` says of its stride
  Room<S> dz(together * stride), dh(most.rows * P), dc(kind == kLstm ? most.rows * P : 0), next(dh);
  Room<S> dropped(p.drops ? together * P : 0), through_drop(p.drops ? most.rows * P : 0), first_before(P);
  Room<S> turns(most.steps > 1 ? std::max(U, D) * apart : 0), dx(d.x ? together * Q : 0);
  Room<S> dR(U * G * P), dW(D * stride), db(blocks * P);

  for (int64_t from = 0; from < p.B; from += most.rows) {
    const int64_t rows = std::min(most.rows, p.B - from);
    // h before a step as a step's [rows, U], and how far its rows are apart.
    const auto h_before = [&](int64_t step) {
      return step ? saved + (p.time(step - 1) * p.B + from) * kept * P + (kept - 1) * P : h0 + from * U;
    };
    const auto h_stride = [&](int64_t step) { return step ? kept * P : U; };
    // h before each of some steps, as the left factor of dR; with its mask, where a gate has one.
    const auto states = [&](int64_t first, int64_t steps, int64_t gate) -> Factor<S> {
      if (p.drops)
        for (int64_t s = 0; s < steps; ++s)
          drop_rows(p, gate, from, rows, h_before(first + s), h_stride(first + s), &dropped[s * rows * P]);
      if (most.steps == 1)
        return p.drops ? Factor<S>{dropped.data(), 1, P} : Factor<S>{h_before(first), 1, h_stride(first)};
      const auto row = [&](int64_t k) {
        const int64_t step = first + k / rows;
        return p.drops ? &dropped[k * P] : h_before(step) + k % rows * h_stride(step);
      };
      return turned<S>(steps * rows, U, row, turns.data(), apart);
    };
    const auto inputs = [&](int64_t first, int64_t steps) -> Factor<S> {
      const auto row = [&](int64_t k) { return p.x + ((from + k % rows) * p.T + p.time(first + k / rows)) * D; };
      return most.steps == 1 ? Factor<S>{row(0), 1, p.T * D} : turned<S>(steps * rows, D, row, turns.data(), apart);
    };

    std::fill(dh.begin(), dh.end(), S(0));
    std::fill(dc.begin(), dc.end(), S(0));
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(dh_out + (from + m) * U, U, dh.data() + m * P);
      if (kind == kLstm) std::copy_n(dc_out + (from + m) * U, U, dc.data() + m * P);
    }
    for (int64_t end = p.T; end > 0; end -= most.steps) {
      const int64_t first = std::max<int64_t>(0, end - most.steps), steps = end - first, all = steps * rows;
      bool any = false;
      // Every step leaves the gradient of its gates in dz, that of the state before it in dh and dc.
      for (int64_t step = end - 1; step >= first; --step) {
        S* gates = &dz[(step - first) * rows * stride];
        const int64_t t = p.time(step);
        const bool valid = p.any(from, from + rows, t);
        any |= valid;
        const S* earlier = step ? saved + (p.time(step - 1) * p.B + from) * kept * P : nullptr;
        for (int64_t m = 0; m < rows; ++m) {
          const int64_t b = from + m;
          S *dhm = dh.data() + m * P, *dcm = dc.data() + m * P, *row = gates + m * stride;
          if (dhs) {
            const S* given = dhs + (b * p.T + t) * U;
            for (int64_t u = 0; u < U; ++u) dhm[u] += given[u];
          }
          if (!p.valid(b, t)) {  // held: the gradient passes by
            std::fill_n(row, blocks * P, S(0));
            std::copy_n(dhm, P, next.data() + m * P);
            continue;
          }
          if (step) prefetch<false>(earlier + m * kept * P, kept * P);
          if (!D && d.x && most.steps == 1) prefetch<true>(d.x + p.place(b, t) * G * U, G * U);
          const S* keep = saved + (t * p.B + b) * kept * P;
          const S* before = first_before.data();  // c of an LSTM, h of a GRU
          if (step)
            before = earlier + m * kept * P + 4 * P;
          else if (kind != kSimpleRnn)
            std::copy_n((kind == kLstm ? c0 : h0) + b * U, U, first_before.data());
          retreat<S, kind>(P, keep, before, dhm, dcm, row, next.data() + m * P);
          for (int64_t n = 0; n < blocks * P; n += w) store(&db[n], load(&db[n]) + load(row + n));
        }
        for (size_t k = 0; valid && k < R.size(); ++k) {
          const int64_t width = per_gate ? P : G * P;
          S* sums = p.drops ? through_drop.data() : next.data();
          if (p.drops) std::fill(through_drop.begin(), through_drop.end(), S(0));
          multiply_add<S>(rows, P, width, gates + k * P, stride, 1, R[k].data(), 0, sums, P);
          if (!p.drops) continue;
          const S* mask = p.drop + ((per_gate ? k : 0) * p.B + from) * U;
          for (int64_t m = 0; m < rows; ++m)
            for (int64_t u = 0; u < U; ++u) next[m * P + u] += sums[m * P + u] * mask[m * U + u];
        }
        std::swap(dh, next);
      }
      const auto dx_row = [&](int64_t k) { return d.x + ((from + k % rows) * p.T + p.time(first + k / rows)) * D; };
      if (!any) {
        for (int64_t k = 0; D && d.x && k < all; ++k) std::fill_n(dx_row(k), D, S(0));
        continue;
      }
      for (size_t k = 0; k < R.size(); ++k) {
        const auto h = states(first, steps, k);
        multiply_add<S>(U, per_gate ? P : G * P, all, h.data, h.row, h.column, &dz[k * P], stride, &dR[k * P], G * P);
      }
      if (!D && d.x) {
        const S* row = dz.data();
        for (int64_t step = first; step < end; ++step)
          for (int64_t m = 0; m < rows; ++m, row += stride) {
            S* to = d.x + p.place(from + m, p.time(step)) * G * U;
            for (const auto& s : segments)
              for (int g = 0; g < s.count; ++g) {
                const S* part = row + (s.block + g) * P;
                for (int64_t u = 0; u < U; ++u) to[(s.gate + g) * U + u] += part[u];
              }
          }
      }
      if (!D) continue;
      const auto x = inputs(first, steps);
      for (const auto& s : segments)
        multiply_add<S>(D, s.count * P, all, x.data, x.row, x.column, &dz[s.block * P], stride, &dW[s.block * P],
                        stride);
      if (!d.x) continue;
      std::fill(dx.begin(), dx.end(), S(0));
      for (size_t k = 0; k < W.size(); ++k)
        multiply_add<S>(all, Q, segments[k].count * P, &dz[segments[k].block * P], stride, 1, W[k].data(), 0,
                        dx.data(), Q);
      for (int64_t k = 0; k < all; ++k) std::copy_n(&dx[k * Q], D, dx_row(k));
    }
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(dh.data() + m * P, U, d.h + (from + m) * U);
      if (kind == kLstm) std::copy_n(dc.data() + m * P, U, d.c + (from + m) * U);
    }
  }
  for (int64_t k = 0; k < U; ++k)
    for (int g = 0; g < G; ++g) std::copy_n(&dR[k * G * P + g * P], U, d.recurrent + k * G * U + g * U);
  for (const auto& s : segments)
    for (int g = 0; g < s.count; ++g) {
      const int64_t column = (s.gate + g) * U, block = (s.block + g) * P;
      if (!D) continue;
      std::copy_n(&db[block], U, d.bias + column);
      for (int64_t k = 0; k < D; ++k) std::copy_n(&dW[k * stride + block], U, d.kernel + k * G * U + column);
    }
  if (kind == kGru) std::copy_n(&db[2 * P], U, d.inner);
}

}  // namespace seqjax
