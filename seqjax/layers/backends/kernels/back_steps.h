// A tile's steps back: the gradients of its gates and inputs.

#pragma once

#include "cells.h"

namespace seqjax {

template <class S>
struct Gradients {
  const S *h0, *c0;                                  // [B, U]: the state before the first step
  const S* saved;                                    // [T, B, saved_of, P], of the forward
  const S *hs, *h_out, *c_out;                       // of what came out; hs, `Problem::step` apart, or none
  S *x, *kernel, *bias, *recurrent, *inner, *h, *c;  // shaped as what they are of; x may be missing
};

template <class S>
class BackwardSteps {
 public:
  struct Tile {  // some rows on their way back
    Tile(const BackwardSteps& b, int64_t tile, int64_t steps)
        : from(b.cut.from(tile)),
          rows(b.cut.rows(tile)),
          dh(rows * b.p.P),
          dc(b.p.kind == kLstm ? rows * b.p.P : 0),
          next(rows * b.p.P),
          dz(b.cut.wide ? 0 : rows * b.cut.stride),
          dropped(b.p.drops ? steps * rows * b.p.P : 0),
          through_drop(b.p.drops ? rows * b.p.P : 0),
          first_before(b.p.P),
          dx(b.p.D && b.d.x ? steps * rows * b.Q() : 0) {
      for (int64_t m = 0; m < rows; ++m) {
        std::copy_n(b.d.h_out + (from + m) * b.p.U, b.p.U, dh.data() + m * b.p.P);
        if (b.p.kind == kLstm) std::copy_n(b.d.c_out + (from + m) * b.p.U, b.p.U, dc.data() + m * b.p.P);
      }
    }
    int64_t from, rows;
    Room<S> dh, dc, next, dz, dropped, through_drop, first_before, dx;
  };

  BackwardSteps(const Problem<S>& p, const Gradients<S>& d)
      : p(p), d(d), cut(cut_of(p)), per_gate(p.drops > 1) {
    for (int gate = 0; gate < gates(); ++gate)  // R^T [G*P, P]
      pack.add(p.recurrent, places(p.U, p.P, gate, per_gate ? 1 : G), 1, range(p.U, p.P), G * p.U);
    if (p.D && d.x)  // W^T [G*P, Q]
      for (const auto& s : segments) pack.add(p.kernel, places(p.U, p.P, s.gate, s.count), 1, range(p.D, Q()), G * p.U);
  }

  int64_t Q() const { return (p.D * sizeof(S) + kPadding - 1) / kPadding * kPadding / sizeof(S); }
  int gates() const { return per_gate ? G : 1; }  // that have a recurrent product of their own

  // h before a step as the step's rows, and how far these are apart.
  const S* h_before(const Tile& tile, int64_t step) const {
    if (step == 0) return d.h0 + tile.from * p.U;
    return d.saved + (p.time(step - 1) * p.B + tile.from) * kept * p.P + (kept - 1) * p.P;
  }
  int64_t h_stride(int64_t step) const { return step ? kept * p.P : p.U; }
  int64_t x_place(const Tile& tile, int64_t step, int64_t m) const {
    return ((tile.from + m) * p.T + p.time(step)) * p.D;
  }
  const S* x_row(const Tile& tile, int64_t step, int64_t m) const { return p.x + x_place(tile, step, m); }
  void drop(Tile& tile, int64_t gate, int64_t step, int64_t place) {
    drop_rows(p, gate, tile.from, tile.rows, h_before(tile, step), h_stride(step), tile.dropped.data() + place * p.P);
  }

  // A step leaves the gradients of its gates in `rows`, those of the state before it in the tile; false: none is valid.
  bool retreat_step(Tile& tile, int64_t step, S* rows) {
    const int64_t U = p.U, P = p.P, t = p.time(step);
    const bool any = p.any(tile.from, tile.from + tile.rows, t);
    const S* earlier = step ? d.saved + (p.time(step - 1) * p.B + tile.from) * kept * P : nullptr;
    for (int64_t m = 0; m < tile.rows; ++m) {
      const int64_t b = tile.from + m;
      S *dh = tile.dh.data() + m * P, *dc = tile.dc.data() + m * P, *row = rows + m * cut.stride;
      if (d.hs) {
        const S* given = d.hs + (b * p.T + t) * p.step;
        for (int64_t u = 0; u < U; ++u) dh[u] += given[u];
      }
      if (!p.valid(b, t)) {  // held: the gradient passes by
        std::fill_n(row, blocks * P, S(0));
        std::copy_n(dh, P, tile.next.data() + m * P);
        continue;
      }
      if (step) prefetch<false>(earlier + m * kept * P, kept * P);
      if (!p.D && d.x && !cut.wide) prefetch<true>(d.x + p.token(b, t) * p.x_row, G * U);
      const S* keep = d.saved + (t * p.B + b) * kept * P;
      const S* before = tile.first_before.data();  // c of an LSTM, h of a GRU
      if (step)
        before = earlier + m * kept * P + 4 * P;
      else if (p.kind != kSimpleRnn)
        std::copy_n((p.kind == kLstm ? d.c0 : d.h0) + b * U, U, tile.first_before.data());
      retreat<S>(p.kind, P, keep, before, dh, dc, row, tile.next.data() + m * P);
    }
    for (int64_t k = 0; any && k < gates(); ++k) {
      const int64_t width = per_gate ? P : G * P;
      S* sums = p.drops ? tile.through_drop.data() : tile.next.data();
      if (p.drops) std::fill(tile.through_drop.begin(), tile.through_drop.end(), S(0));
      multiply_add<S>(tile.rows, P, width, rows + k * P, cut.stride, 1, pack[k], 0, sums, P);
      if (!p.drops) continue;
      const S* mask = p.drop + ((per_gate ? k : 0) * p.B + tile.from) * U;
      for (int64_t m = 0; m < tile.rows; ++m)
        for (int64_t u = 0; u < U; ++u) tile.next[m * P + u] += sums[m * P + u] * mask[m * U + u];
    }
    std::swap(tile.dh, tile.next);
    return any;
  }

  // The gradients of the inputs of some steps, from those of the gates.
  void inputs(Tile& tile, int64_t first, int64_t end, const S* rows) {
    const int64_t all = (end - first) * tile.rows;
    std::fill(tile.dx.begin(), tile.dx.end(), S(0));
    for (size_t k = 0; k < segments.size(); ++k)
      multiply_add<S>(all, Q(), segments[k].count * p.P, rows + segments[k].block * p.P, cut.stride, 1,
                      pack[gates() + k], 0, tile.dx.data(), Q());
    for (int64_t k = 0; k < all; ++k)
      std::copy_n(tile.dx.data() + k * Q(), p.D, d.x + x_place(tile, first + k / tile.rows, k % tile.rows));
  }
  void no_inputs(const Tile& tile, int64_t step) {
    for (int64_t m = 0; m < tile.rows; ++m) std::fill_n(d.x + x_place(tile, step, m), p.D, S(0));
  }

  // What is left when the first step has been gone back.
  void finish(const Tile& tile) {
    for (int64_t m = 0; m < tile.rows; ++m) {
      std::copy_n(tile.dh.data() + m * p.P, p.U, d.h + (tile.from + m) * p.U);
      if (p.kind == kLstm) std::copy_n(tile.dc.data() + m * p.P, p.U, d.c + (tile.from + m) * p.U);
    }
  }

  const Problem<S> p;
  const Gradients<S> d;
  const Cut cut;
  const int G = p.gates(), blocks = p.blocks(), kept = p.kept();
  const bool per_gate;
  const std::vector<Segment> segments = segments_of(p.kind);
  Pack<S> pack;
};

}  // namespace seqjax
