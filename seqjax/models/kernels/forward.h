// All steps of a recurrent layer.

#pragma once

#include "cells.h"

namespace seqjax {

template <class S, Kind kind>
void run_forward(const Problem<S>& p, const S* h0, const S* c0, S* hs, S* h_out, S* c_out, S* saved) {
  constexpr int G = gates_of(kind), blocks = blocks_of(kind), kept = saved_of(kind);
  const int64_t U = p.U, P = p.P, stride = blocks * P;
  const auto segments = segments_of(kind);
  const auto recurrent = [&](int gate, int count) {
    return packed<S>(U, count * P, [&](int64_t k, int64_t n) {
      return n % P < U ? p.recurrent[k * G * U + (gate + n / P) * U + n % P] : S(0);
    });
  };
  const bool per_gate = p.drops > 1;
  std::vector<std::vector<S>> R, W;
  if (per_gate)
    for (int gate = 0; gate < G; ++gate) R.push_back(recurrent(gate, 1));
  else
    R.push_back(recurrent(0, G));
  if (p.D)
    for (const auto& s : segments)
      W.push_back(packed<S>(p.D, s.count * P, [&](int64_t d, int64_t n) {
        return n % P < U ? p.kernel[d * G * U + (s.gate + n / P) * U + n % P] : S(0);
      }));
  const int64_t most = rows_per_tile(p, blocks);
  std::vector<S> z(most * stride), h(most * P), c(kind == kLstm ? most * P : 0), dropped(p.drops ? most * P : 0);
  // Without padding the gates need not be filled: their first product starts from the bias, or from a token's row.
  const bool from_bias = p.D && U == P, from_row = !p.D && U == P && kind != kGru && !per_gate;
  std::vector<std::vector<const S*>> starts;
  for (const auto& s : segments) starts.emplace_back(most, p.D ? p.bias + s.gate * U : nullptr);

  for (int64_t from = 0; from < p.B; from += most) {
    const int64_t rows = std::min(most, p.B - from);
    std::fill(h.begin(), h.end(), S(0));
    std::fill(c.begin(), c.end(), S(0));
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(h0 + (from + m) * U, U, h.data() + m * P);
      if (kind == kLstm) std::copy_n(c0 + (from + m) * U, U, c.data() + m * P);
    }
    for (int64_t step = 0; step < p.T; ++step) {
      const int64_t t = p.time(step);
      if (p.any(from, from + rows, t)) {
        for (int64_t m = 0; m < rows; ++m) {
          S* row = z.data() + m * stride;
          const S* part = p.D ? p.bias : p.x + p.place(from + m, t) * G * U;
          if (from_row) {
            starts[0][m] = part;
          } else if (!from_bias) {
            for (const auto& s : segments)
              for (int g = 0; g < s.count; ++g) std::copy_n(part + (s.gate + g) * U, U, row + (s.block + g) * P);
          }
          if (kind == kGru) std::copy_n(p.inner, U, row + 2 * P);
        }
        for (size_t k = 0; k < W.size(); ++k)
          multiply_add<S>(rows, segments[k].count * P, p.D, p.x + (from * p.T + t) * p.D, p.T * p.D, 1, W[k].data(), 0,
                          z.data() + segments[k].block * P, stride, from_bias ? starts[k].data() : nullptr);
        for (size_t k = 0; k < R.size(); ++k) {
          if (p.drops) drop_rows(p, k, from, rows, h.data(), P, dropped.data());
          multiply_add<S>(rows, per_gate ? P : G * P, U, p.drops ? dropped.data() : h.data(), P, 1, R[k].data(), 0,
                          z.data() + k * P, stride, from_row ? starts[0].data() : nullptr);
        }
      }
      for (int64_t m = 0; m < rows; ++m) {
        const int64_t b = from + m;
        const S* row = z.data() + m * stride;
        S *hm = h.data() + m * P, *cm = c.data() + m * P;
        S* keep = saved ? saved + (t * p.B + b) * kept * P : nullptr;
        if (!p.D && step + 1 < p.T) prefetch<false>(p.x + p.place(b, p.time(step + 1)) * G * U, G * U);
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
