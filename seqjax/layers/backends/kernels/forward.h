// All steps of a recurrent layer.

#pragma once

#include "cells.h"

namespace seqjax {

template <class S, Kind kind>
void run_forward(const Problem<S>& p, const S* h0, const S* c0, S* hs, S* h_out, S* c_out, S* saved) {
  constexpr int G = gates_of(kind), blocks = blocks_of(kind), kept = saved_of(kind);
  const int64_t U = p.U, P = p.P;
  const auto segments = segments_of(kind);
  const auto pack = [&](const S* weights, int64_t K, int gate, int count) {
    const auto at = places(U, P, gate, count);
    return packed<S>(K, count * P, [&](int64_t k, int64_t n) { return at[n] < 0 ? S(0) : weights[k * G * U + at[n]]; });
  };
  const bool per_gate = p.drops > 1;
  std::vector<Room<S>> R, W;
  for (int gate = 0; gate < (per_gate ? G : 1); ++gate) R.push_back(pack(p.recurrent, U, gate, per_gate ? 1 : G));
  if (p.D)
    for (const auto& s : segments) W.push_back(pack(p.kernel, p.D, s.gate, s.count));
  const Tiling most = tiling(p, blocks);
  const int64_t stride = most.stride, together = most.rows * most.steps;
  Room<S> z(together * stride), h(most.rows * P), c(kind == kLstm ? most.rows * P : 0);
  Room<S> x(most.steps > 1 ? together * p.D : 0), dropped(p.drops ? most.rows * P : 0);
  // Without padding the gates need not be filled: their first product starts from the bias, or from a token's row.
  const bool from_bias = p.D && U == P, from_row = !p.D && U == P && kind != kGru && !per_gate;
  std::vector<std::vector<const S*>> starts;
  for (const auto& s : segments) starts.emplace_back(together, p.D ? p.bias + s.gate * U : nullptr);

  // The input's part of the gates, and the biases, of some steps.
  const auto inputs = [&](int64_t from, int64_t rows, int64_t step, int64_t steps) {
    bool any = false;
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t t = p.time(step + s);
      if (!p.any(from, from + rows, t)) continue;
      any = true;
      for (int64_t m = 0; m < rows; ++m) {
        S* row = z.data() + (s * rows + m) * stride;
        const S* part = p.D ? p.bias : p.x + p.place(from + m, t) * G * U;
        if (from_row) {
          starts[0][s * rows + m] = part;
        } else if (!from_bias) {
          for (const auto& g : segments)
            for (int k = 0; k < g.count; ++k) std::copy_n(part + (g.gate + k) * U, U, row + (g.block + k) * P);
        }
        if (kind == kGru) std::copy_n(p.inner, U, row + 2 * P);
      }
    }
    if (!any || !p.D) return;
    const S* left = p.x + (from * p.T + p.time(step)) * p.D;
    int64_t apart = p.T * p.D;
    if (most.steps > 1) {
      for (int64_t s = 0; s < steps; ++s)
        for (int64_t m = 0; m < rows; ++m)
          std::copy_n(p.x + ((from + m) * p.T + p.time(step + s)) * p.D, p.D, &x[(s * rows + m) * p.D]);
      left = x.data();
      apart = p.D;
    }
    for (size_t k = 0; k < W.size(); ++k)
      multiply_add<S>(steps * rows, segments[k].count * P, p.D, left, apart, 1, W[k].data(), 0,
                      z.data() + segments[k].block * P, stride, from_bias ? starts[k].data() : nullptr);
  };

  for (int64_t from = 0; from < p.B; from += most.rows) {
    const int64_t rows = std::min(most.rows, p.B - from);
    std::fill(h.begin(), h.end(), S(0));
    std::fill(c.begin(), c.end(), S(0));
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(h0 + (from + m) * U, U, h.data() + m * P);
      if (kind == kLstm) std::copy_n(c0 + (from + m) * U, U, c.data() + m * P);
    }
    for (int64_t step = 0; step < p.T; ++step) {
      const int64_t t = p.time(step), s = step % most.steps, place = s * rows;
      if (s == 0) inputs(from, rows, step, std::min(most.steps, p.T - step));
      S* gates = z.data() + place * stride;
      if (p.any(from, from + rows, t)) {
        for (size_t k = 0; k < R.size(); ++k) {
          if (p.drops) drop_rows(p, k, from, rows, h.data(), P, dropped.data());
          multiply_add<S>(rows, per_gate ? P : G * P, U, p.drops ? dropped.data() : h.data(), P, 1, R[k].data(), 0,
                          gates + k * P, stride, from_row ? starts[0].data() + place : nullptr);
        }
      }
      for (int64_t m = 0; m < rows; ++m) {
        const int64_t b = from + m;
        const S* row = gates + m * stride;
        S *hm = h.data() + m * P, *cm = c.data() + m * P;
        S* keep = saved ? saved + (t * p.B + b) * kept * P : nullptr;
        if (!p.D && most.steps == 1 && step + 1 < p.T)
          prefetch<false>(p.x + p.place(b, p.time(step + 1)) * G * U, G * U);
        if (p.valid(b, t)) advance<S, kind>(P, row, hm, cm, keep);
        if (kind == kLstm && keep) std::copy_n(cm, P, keep + 4 * P);
        if (keep) std::copy_n(hm, P, keep + (kept - 1) * P);
        if (hs) std::copy_n(hm, U, hs + (b * p.T + t) * U);
      }
    }
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(h.data() + m * P, U, h_out + (from + m) * U);
      if (kind == kLstm) std::copy_n(c.data() + m * P, U, c_out + (from + m) * U);
    }
  }
}

}  // namespace seqjax
