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
  const int64_t U = p.U, P = p.P, stride = blocks * P, D = p.D;
  const int64_t Q = (D * sizeof(S) + kPadding - 1) / kPadding * kPadding / sizeof(S);
  const auto segments = segments_of(kind);
  const bool per_gate = p.drops > 1;
  const auto transposed = [&](const S* weights, int64_t width, int64_t padded, int gate, int count) {
    return packed<S>(count * P, padded, [&, width](int64_t k, int64_t n) {
      return n < width && k % P < U ? weights[n * G * U + (gate + k / P) * U + k % P] : S(0);
    });
  };
  std::vector<std::vector<S>> R, W;  // R^T [G*P, P], W^T [G*P, Q]
  if (per_gate)
    for (int gate = 0; gate < G; ++gate) R.push_back(transposed(p.recurrent, U, P, gate, 1));
  else
    R.push_back(transposed(p.recurrent, U, P, 0, G));
  if (D && d.x)
    for (const auto& s : segments) W.push_back(transposed(p.kernel, D, Q, s.gate, s.count));
  if (!D && d.x) std::fill_n(d.x, p.used * G * U, S(0));
  const int64_t most = rows_per_tile(p, blocks);
  std::vector<S> dz(most * stride), dh(most * P), dc(kind == kLstm ? most * P : 0), next(most * P), dx(most * Q);
  std::vector<S> dropped(p.drops ? most * P : 0), through_drop(dropped), first(P);
  std::vector<S> dR(U * G * P), dW(D * stride), db(stride);

  for (int64_t from = 0; from < p.B; from += most) {
    const int64_t rows = std::min(most, p.B - from);
    std::fill(dh.begin(), dh.end(), S(0));
    std::fill(dc.begin(), dc.end(), S(0));
    for (int64_t m = 0; m < rows; ++m) {
      std::copy_n(dh_out + (from + m) * U, U, dh.data() + m * P);
      if (kind == kLstm) std::copy_n(dc_out + (from + m) * U, U, dc.data() + m * P);
    }
    for (int64_t step = p.T - 1; step >= 0; --step) {
      const int64_t t = p.time(step);
      const bool any = p.any(from, from + rows, t);
      // What the step before left; of the first step the initial state.
      const S* earlier = step ? saved + (p.time(step - 1) * p.B + from) * kept * P : nullptr;
      const S* h_before = step ? earlier + (kept - 1) * P : h0 + from * U;
      const int64_t h_stride = step ? kept * P : U;
      for (int64_t m = 0; m < rows; ++m) {
        const int64_t b = from + m;
        S *dhm = dh.data() + m * P, *dcm = dc.data() + m * P, *row = dz.data() + m * stride;
        if (dhs) {
          const S* given = dhs + (b * p.T + t) * U;
          for (int64_t u = 0; u < U; ++u) dhm[u] += given[u];
        }
        if (!any) continue;
        if (!p.valid(b, t)) {  // held: the gradient passes by
          std::fill_n(row, stride, S(0));
          std::copy_n(dhm, P, next.data() + m * P);
          continue;
        }
        if (step) prefetch<false>(earlier + m * kept * P, kept * P);
        if (!D && d.x) prefetch<true>(d.x + p.place(b, t) * G * U, G * U);
        const S* keep = saved + (t * p.B + b) * kept * P;
        const S* before = first.data();  // c of an LSTM, h of a GRU
        if (step)
          before = earlier + m * kept * P + 4 * P;
        else if (kind != kSimpleRnn)
          std::copy_n((kind == kLstm ? c0 : h0) + b * U, U, first.data());
        retreat<S, kind>(P, keep, before, dhm, dcm, row, next.data() + m * P);
      }
      if (!any) {
        if (D && d.x)
          for (int64_t m = 0; m < rows; ++m) std::fill_n(d.x + ((from + m) * p.T + t) * D, D, S(0));
        continue;
      }
      for (size_t k = 0; k < R.size(); ++k) {
        const int64_t width = per_gate ? P : G * P;
        const S* left = dz.data() + k * P;
        if (!p.drops) {
          multiply_add<S>(rows, P, width, left, stride, 1, R[k].data(), 0, next.data(), P);
          multiply_add<S>(U, width, rows, h_before, 1, h_stride, left, stride, dR.data() + k * P, G * P);
          continue;
        }
        std::fill(through_drop.begin(), through_drop.end(), S(0));
        multiply_add<S>(rows, P, width, left, stride, 1, R[k].data(), 0, through_drop.data(), P);
        const S* mask = p.drop + ((per_gate ? k : 0) * p.B + from) * U;
        for (int64_t m = 0; m < rows; ++m)
          for (int64_t u = 0; u < U; ++u) next[m * P + u] += through_drop[m * P + u] * mask[m * U + u];
        drop_rows(p, k, from, rows, h_before, h_stride, dropped.data());
        multiply_add<S>(U, width, rows, dropped.data(), 1, P, left, stride, dR.data() + k * P, G * P);
      }
      std::swap(dh, next);
      for (int64_t m = 0; m < rows; ++m)
        for (int64_t n = 0; n < stride; n += w) store(&db[n], load(&db[n]) + load(&dz[m * stride + n]));
      if (!D && d.x) {
        for (int64_t m = 0; m < rows; ++m) {
          S* to = d.x + p.place(from + m, t) * G * U;
          for (const auto& s : segments)
            for (int g = 0; g < s.count; ++g) {
              const S* part = &dz[m * stride + (s.block + g) * P];
              for (int64_t u = 0; u < U; ++u) to[(s.gate + g) * U + u] += part[u];
            }
        }
      }
      if (!D) continue;
      const S* x = p.x + (from * p.T + t) * D;
      for (const auto& s : segments)
        multiply_add<S>(D, s.count * P, rows, x, 1, p.T * D, &dz[s.block * P], stride, &dW[s.block * P], stride);
      if (!d.x) continue;
      std::fill(dx.begin(), dx.end(), S(0));
      for (size_t k = 0; k < W.size(); ++k)
        multiply_add<S>(rows, Q, segments[k].count * P, &dz[segments[k].block * P], stride, 1, W[k].data(), 0,
                        dx.data(), Q);
      for (int64_t m = 0; m < rows; ++m) std::copy_n(&dx[m * Q], D, d.x + ((from + m) * p.T + t) * D);
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
