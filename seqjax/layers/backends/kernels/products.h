// The products of a batch's different tokens, of bags of tokens, and of a convolution over time, with their gradients.

#pragma once

#include "vectors.h"

namespace seqjax {

inline bool present(int32_t token, int64_t V) { return token >= 0 && token < V; }

// rows [n, N] = table [V, D] of the n tokens, times kernel [D, N], plus bias; what is outside [0, V) is no token: zeros.
template <class S>
void run_project(int64_t V, int64_t D, int64_t N, int64_t n, const S* table, const int32_t* tokens, const S* kernel,
                 const S* bias, S* rows) {
  constexpr int64_t kTogether = 8 * kRows, w = Vector<S>::width;
  const int64_t padded = (N + w - 1) / w * w;
  const auto right = packed<S>(D, padded, [&](int64_t k, int64_t j) { return j < N ? kernel[k * N + j] : S(0); });
  Room<S> left(kTogether * D), sums(kTogether * padded);
  for (int64_t from = 0; from < n; from += kTogether) {
    const int64_t count = std::min(kTogether, n - from);
    for (int64_t m = 0; m < count; ++m) {
      if (present(tokens[from + m], V))
        std::copy_n(table + tokens[from + m] * D, D, left.data() + m * D);
      else
        std::fill_n(left.data() + m * D, D, S(0));
      std::copy_n(bias, N, sums.data() + m * padded);
    }
    multiply_add<S>(count, padded, D, left.data(), D, 1, right.data(), 0, sums.data(), padded);
    for (int64_t m = 0; m < count; ++m) std::copy_n(sums.data() + m * padded, N, rows + (from + m) * N);
  }
}

// sum [N vectors] of the weighted rows of kernel [V, U], from a column on, whose tokens [T] a bag has; outside [0, V): none.
template <class S, int N>
void sum_rows(int64_t T, int64_t V, int64_t U, const int32_t* tokens, const S* weights, const S* kernel, S* sum) {
  constexpr int64_t w = Vector<S>::width;
  typename Vector<S>::type sums[N] = {};
  for (int64_t t = 0; t < T; ++t) {
    if (!present(tokens[t], V)) continue;
    const S* row = kernel + tokens[t] * U;
    const S weight = weights ? weights[t] : S(1);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sums[n] += weight * load(row + n * w);
  }
  for (int n = 0; n < N; ++n) store(sum + n * w, sums[n]);
}

// sums [B, U] of B bags.
template <class S>
void run_bags(int64_t B, int64_t T, int64_t V, int64_t U, const int32_t* tokens, const S* weights, const S* kernel,
              S* sums) {
  constexpr int64_t w = Vector<S>::width;
  for (int64_t b = 0; b < B; ++b, tokens += T, weights += weights ? T : 0, sums += U) {
    int64_t u = 0;
    for (; u + 4 * w <= U; u += 4 * w) sum_rows<S, 4>(T, V, U, tokens, weights, kernel + u, sums + u);
    for (; u + w <= U; u += w) sum_rows<S, 1>(T, V, U, tokens, weights, kernel + u, sums + u);
    for (; u < U; ++u) {
      sums[u] = 0;
      for (int64_t t = 0; t < T; ++t)
        if (present(tokens[t], V)) sums[u] += (weights ? weights[t] : S(1)) * kernel[tokens[t] * U + u];
    }
  }
}

// The gradient of kernel from that of the sums.
template <class S>
void run_bags_backward(int64_t B, int64_t T, int64_t V, int64_t U, const int32_t* tokens, const S* weights,
                       const S* gradient, S* dkernel) {
  constexpr int64_t w = Vector<S>::width;
  std::fill_n(dkernel, V * U, S(0));
  for (int64_t b = 0; b < B; ++b, tokens += T, weights += weights ? T : 0, gradient += U)
    for (int64_t t = 0; t < T; ++t) {
      if (!present(tokens[t], V)) continue;
      S* row = dkernel + tokens[t] * U;
      const S weight = weights ? weights[t] : S(1);
      int64_t u = 0;
      for (; u + w <= U; u += w) store(row + u, load(row + u) + weight * load(gradient + u));
      for (; u < U; ++u) row[u] += weight * gradient[u];
    }
}

// outputs [T - W + 1, F, B] = inputs [T, D, B] convolved with kernel [W, D, F]; B is a whole number of vectors.
template <class S>
void run_convolve(int64_t T, int64_t D, int64_t B, int64_t W, int64_t F, const S* inputs, const S* kernel, S* outputs) {
  std::fill_n(outputs, (T - W + 1) * F * B, S(0));
  for (int64_t t = 0; t + W <= T; ++t)
    multiply_add<S>(F, B, W * D, kernel, 1, F, inputs + t * D * B, B, outputs + t * F * B, B);
}

// The gradient of the inputs from that of the outputs.
template <class S>
void run_convolve_inputs(int64_t T, int64_t D, int64_t B, int64_t W, int64_t F, const S* gradient, const S* kernel,
                         S* dinputs) {
  std::fill_n(dinputs, T * D * B, S(0));
  for (int64_t t = 0; t + W <= T; ++t)
    multiply_add<S>(W * D, B, F, kernel, F, 1, gradient + t * F * B, B, dinputs + t * D * B, B);
}

// That of the kernel; the inputs are turned, so that what one entry of the kernel meets in all steps lies in a vector.
template <class S>
void run_convolve_kernel(int64_t T, int64_t D, int64_t B, int64_t W, int64_t F, const S* inputs, const S* gradient,
                         S* dkernel) {
  constexpr int64_t w = Vector<S>::width;
  const int64_t width = (W * D + w - 1) / w * w, stride = T * D + w;
  Room<S> rows(B * stride), sums(F * width);
  turned<S>(T * D, B, [&](int64_t k) { return inputs + k * B; }, rows.data(), stride);
  for (int64_t t = 0; t + W <= T; ++t)
    multiply_add<S>(F, width, B, gradient + t * F * B, B, 1, rows.data() + t * D, stride, sums.data(), width);
  for (int64_t n = 0; n < W * D; ++n)
    for (int64_t f = 0; f < F; ++f) dkernel[n * F + f] = sums[f * width + n];
}

}  // namespace seqjax
