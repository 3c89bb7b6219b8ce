// All steps of a recurrent layer.

#pragma once

#include "cells.h"

namespace seqjax {

template <class S>
struct States {
  const S *h, *c;       // [B, U] before the first step
  S *hs, *h_out, *c_out;  // of all steps, `Problem::step` apart, or none; after the last
  S* saved;             // [T, B, saved_of, P] or none
};

template <class S>
class Forward {
 public:
  Forward(const Problem<S>& p, const States<S>& states)
      : p(p), s(states), cut(cut_of(p)), together(cut.steps(p.T, cut.most_rows())), per_gate(p.drops > 1) {
    if (in_place) return;
    const auto columns = [&](int gate, int count) { return places(p.U, p.P, gate, count); };
    for (int gate = 0; gate < products_of_state; ++gate)
      pack.add(p.recurrent, range(p.U, p.U), G * p.U, columns(gate, per_gate ? 1 : G), 1);
    if (p.D)
      for (const auto& g : segments) pack.add(p.kernel, range(p.D, p.D), G * p.U, columns(g.gate, g.count), 1);
  }

  int64_t panels() const { return pack.panels(); }
  int64_t tiles() const { return cut.tiles; }

  // All steps of the rows of a tile, once the weights are packed.
  void run(int64_t tile) const {
    const int64_t U = p.U, P = p.P, from = cut.from(tile), rows = cut.rows(tile);
    Work work(*this, rows);
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(s.h + (from + m) * U, U, work.h.data() + m * P);
      if (p.kind == kLstm) std::copy_n(s.c + (from + m) * U, U, work.c.data() + m * P);
    }
    for (int64_t step = 0; step < p.T; ++step) {
      if (step % together == 0) inputs(work, from, rows, step, std::min(together, p.T - step));
      products(work, from, rows, step);
      advance_rows(work, from, rows, step);
    }
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(work.h.data() + m * P, U, s.h_out + (from + m) * U);
      if (p.kind == kLstm) std::copy_n(work.c.data() + m * P, U, s.c_out + (from + m) * U);
    }
  }

  const Problem<S> p;
  const States<S> s;
  const Cut cut;
  const int G = p.gates(), kept = p.kept();
  const int64_t together;  // steps whose input products are made together
  // To pack the weights is to read and to write them once: for a few rows that is more than to multiply with them.
  const bool in_place = p.B * p.T <= 6 && p.U == p.P;
  Pack<S> pack;

 private:

  // A right factor of `multiply_add`: packed, or as it lies in a row of gates.
  struct Right {
    const S* data;
    int64_t row;
  };
  Right recurrent(int64_t k) const { return in_place ? Right{p.recurrent + k * p.U, G * p.U} : Right{pack[k], 0}; }
  Right kernel(size_t k) const {
    if (in_place) return {p.kernel + segments[k].gate * p.U, G * p.U};
    return {pack[products_of_state + k], 0};
  }

  struct Work {  // of one tile
    Work(const Forward& f, int64_t rows)
        : z(rows * f.together * f.cut.stride),
          h(rows * f.p.P),
          c(f.p.kind == kLstm ? rows * f.p.P : 0),
          x(f.cut.wide ? rows * f.together * f.p.D : 0),
          dropped(f.p.drops ? rows * f.p.P : 0) {
      for (const auto& g : f.segments)
        starts.emplace_back(rows * f.together, f.p.D ? f.p.bias + g.gate * f.p.U : nullptr);
    }
    Room<S> z, h, c, x, dropped;
    std::vector<std::vector<const S*>> starts;
  };

  // Without padding the gates need not be filled: their first product starts from the bias, or from a token's row.
  bool from_bias() const { return p.D && p.U == p.P; }
  bool from_row() const { return !p.D && p.U == p.P && p.kind != kGru && !per_gate; }

  // The input's part of the gates, and the biases, of some steps.
  void inputs(Work& work, int64_t from, int64_t rows, int64_t step, int64_t steps) const {
    const int64_t U = p.U, P = p.P, D = p.D;
    bool any = false;
    for (int64_t k = 0; k < steps; ++k) {
      const int64_t t = p.time(step + k);
      if (!p.any(from, from + rows, t)) continue;
      any = true;
      for (int64_t m = 0; m < rows; ++m) {
        S* row = work.z.data() + (k * rows + m) * cut.stride;
        const S* part = D ? p.bias : p.x + p.token(from + m, t) * p.x_row;
        if (from_row()) {
          work.starts[0][k * rows + m] = part;
        } else if (!from_bias()) {
          for (const auto& g : segments)
            for (int n = 0; n < g.count; ++n) std::copy_n(part + (g.gate + n) * U, U, row + (g.block + n) * P);
        }
        if (p.kind == kGru) std::copy_n(p.inner, U, row + 2 * P);
      }
    }
    if (!any || !D) return;
    const S* left = p.x + (from * p.T + p.time(step)) * D;
    int64_t apart = p.T * D;
    if (cut.wide) {
      for (int64_t k = 0; k < steps; ++k)
        for (int64_t m = 0; m < rows; ++m)
          std::copy_n(p.x + ((from + m) * p.T + p.time(step + k)) * D, D, work.x.data() + (k * rows + m) * D);
      left = work.x.data();
      apart = D;
    }
    for (size_t k = 0; k < segments.size(); ++k)
      multiply_add<S>(steps * rows, segments[k].count * P, D, left, apart, 1, kernel(k).data, kernel(k).row,
                      work.z.data() + segments[k].block * P, cut.stride, from_bias() ? work.starts[k].data() : nullptr);
  }

  // The state's part.
  void products(Work& work, int64_t from, int64_t rows, int64_t step) const {
    if (!p.any(from, from + rows, p.time(step))) return;
    const int64_t place = step % together * rows;
    for (int64_t k = 0; k < products_of_state; ++k) {
      if (p.drops) drop_rows(p, k, from, rows, work.h.data(), p.P, work.dropped.data());
      multiply_add<S>(rows, per_gate ? p.P : G * p.P, p.U, p.drops ? work.dropped.data() : work.h.data(), p.P, 1,
                      recurrent(k).data, recurrent(k).row, work.z.data() + place * cut.stride + k * p.P, cut.stride,
                      from_row() ? work.starts[0].data() + place : nullptr);
    }
  }

  void advance_rows(Work& work, int64_t from, int64_t rows, int64_t step) const {
    const int64_t U = p.U, P = p.P, t = p.time(step);
    const S* row = work.z.data() + step % together * rows * cut.stride;
    for (int64_t m = 0; m < rows; ++m, row += cut.stride) {
      const int64_t b = from + m;
      S *h = work.h.data() + m * P, *c = work.c.data() + m * P;
      S* keep = s.saved ? s.saved + (t * p.B + b) * kept * P : nullptr;
      if (!p.D && !cut.wide && step + 1 < p.T)
        prefetch<false>(p.x + p.token(b, p.time(step + 1)) * p.x_row, G * U);
      if (p.valid(b, t)) advance<S>(p.kind, P, row, h, c, keep);
      if (p.kind == kLstm && keep) std::copy_n(c, P, keep + 4 * P);
      if (keep) std::copy_n(h, P, keep + (kept - 1) * P);
      if (s.hs) std::copy_n(h, U, s.hs + (b * p.T + t) * p.step);
    }
  }

  const bool per_gate;
  const std::vector<Segment> segments = segments_of(p.kind);
  const int64_t products_of_state = per_gate ? G : 1;
};

// Some layers alike in all but their numbers.
template <class S>
void run_forward(Tasks& tasks, std::deque<Forward<S>>& layers) {
  using Layer = Forward<S>;
  double weights = 0, steps = 0;
  for (const auto& layer : layers) {
    weights += layer.pack.operations();
    steps += layer.p.operations();
  }
  run_all<Layer>(tasks, layers, weights, &Layer::panels, [](Layer& layer, int64_t k) { layer.pack.fill(k); });
  run_all<Layer>(tasks, layers, steps, &Layer::tiles, [](Layer& layer, int64_t k) { layer.run(k); });
}

}  // namespace seqjax
