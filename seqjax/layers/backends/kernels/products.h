// The products of a batch's different tokens, of bags of tokens, and of a convolution over time, with their gradients.
// As in layer.h, no two tasks add to one number.

#pragma once

#include "layer.h"

namespace seqjax {

inline bool present(int32_t token, int64_t V) { return token >= 0 && token < V; }

// rows [n, N] = table [V, D] of the n tokens, times kernel [D, N], plus bias; outside [0, V) is no token: zeros.
template <class S>
void run_project(Tasks& tasks, int64_t V, int64_t D, int64_t N, int64_t n, const S* table, const int32_t* tokens,
                 const S* kernel, const S* bias, S* rows) {
  constexpr int64_t kTogether = 16 * kRows, w = Vector<S>::width;
  const int64_t padded = (N + w - 1) / w * w;
  Pack<S> pack;
  pack.add(kernel, range(D, D), N, range(N, padded), 1);
  tasks.run(pack.panels(), pack.operations(), [&](int64_t panel) { pack.fill(panel); });
  tasks.run((n + kTogether - 1) / kTogether, double(n) * D * N, [&](int64_t k) {
    const int64_t from = k * kTogether, count = std::min(kTogether, n - from);
    Room<S> left(count * D), sums(count * padded);
    for (int64_t m = 0; m < count; ++m) {
      if (present(tokens[from + m], V)) std::copy_n(table + tokens[from + m] * D, D, left.data() + m * D);
      std::copy_n(bias, N, sums.data() + m * padded);
    }
    multiply_add<S>(count, padded, D, left.data(), D, 1, pack[0], 0, sums.data(), padded);
    for (int64_t m = 0; m < count; ++m) std::copy_n(sums.data() + m * padded, N, rows + (from + m) * N);
  });
}

// The gradients of table (or none), kernel and bias from that of the rows; the n tokens ascend within [0, V).
template <class S>
void run_project_backward(Tasks& tasks, int64_t V, int64_t D, int64_t N, int64_t n, const S* table,
                          const int32_t* tokens, const S* kernel, const S* drows, S* dtable, S* dkernel, S* dbias) {
  constexpr int64_t kTogether = 16 * kRows, kFeatures = 8 * kRows, kTokens = 512, w = Vector<S>::width;
  const int64_t all_features = (D + w - 1) / w * w, columns = (N + w - 1) / w * w;
  Pack<S> pack;
  if (dtable) pack.add(kernel, range(N, N), 1, range(D, all_features), N);
  tasks.run(pack.panels(), pack.operations(), [&](int64_t panel) { pack.fill(panel); });
  const auto add_bias = [&] {
    std::fill_n(dbias, N, S(0));
    for (int64_t m = 0; m < n; ++m)
      for (int64_t j = 0; j < N; ++j) dbias[j] += drows[m * N + j];
  };
  const auto some_features = [&](int64_t first) {  // of the kernel's gradient
    const int64_t count = std::min(kFeatures, D - first), apart = kTokens + w;
    Room<S> vectors(count * apart), sums(count * columns), right(N == columns ? 0 : kTokens * columns);
    for (int64_t from = 0; from < n; from += kTokens) {
      const int64_t K = std::min(kTokens, n - from);
      const auto left = turned<S>(K, count, [&](int64_t k) { return table + tokens[from + k] * D + first; },
                                  vectors.data(), apart);
      for (int64_t k = 0; k < (right.empty() ? 0 : K); ++k)
        std::copy_n(drows + (from + k) * N, N, right.data() + k * columns);
      multiply_add<S>(count, columns, K, left.data, left.row, left.column,
                      right.empty() ? drows + from * N : right.data(), columns, sums.data(), columns);
    }
    for (int64_t m = 0; m < count; ++m) std::copy_n(sums.data() + m * columns, N, dkernel + (first + m) * N);
  };
  const auto some_tokens = [&](int64_t from) {  // and the zeros before each, and behind the last
    const int64_t count = std::min(kTogether, n - from);
    Room<S> sums(count * all_features);
    multiply_add<S>(count, all_features, N, drows + from * N, N, 1, pack[0], 0, sums.data(), all_features);
    int64_t next = from ? tokens[from - 1] + 1 : 0;
    for (int64_t m = 0; m < count; ++m) {
      const int64_t token = tokens[from + m];
      std::fill(dtable + next * D, dtable + token * D, S(0));
      std::copy_n(sums.data() + m * all_features, D, dtable + token * D);
      next = token + 1;
    }
    if (from + count == n) std::fill(dtable + next * D, dtable + V * D, S(0));
  };
  const int64_t of_features = (D + kFeatures - 1) / kFeatures;
  // If there are no tokens, there are zeros.
  const int64_t of_tokens = dtable ? std::max<int64_t>(1, (n + kTogether - 1) / kTogether) : 0;
  tasks.run(1 + of_features + of_tokens, (dtable ? 2.0 : 1.0) * n * D * N + (dtable ? V * D : 0), [&](int64_t k) {
    if (k == 0) return add_bias();
    if (k <= of_features) return some_features((k - 1) * kFeatures);
    some_tokens((k - 1 - of_features) * kTogether);
  });
}

// sum [N vectors] of the weighted rows of kernel [V, U], from a column on, whose tokens [T] a bag has.
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
void run_bags(Tasks& tasks, int64_t B, int64_t T, int64_t V, int64_t U, const int32_t* all_tokens, const S* all_weights,
              const S* kernel, S* all_sums) {
  constexpr int64_t w = Vector<S>::width;
  const int64_t pieces = std::min<int64_t>(B, 32);
  tasks.run(pieces, double(B) * T * U, [&](int64_t k) {
    for (int64_t b = B * k / pieces; b < B * (k + 1) / pieces; ++b) {
      const int32_t* tokens = all_tokens + b * T;
      const S* weights = all_weights ? all_weights + b * T : nullptr;
      S* sums = all_sums + b * U;
      int64_t u = 0;
      for (; u + 4 * w <= U; u += 4 * w) sum_rows<S, 4>(T, V, U, tokens, weights, kernel + u, sums + u);
      for (; u + w <= U; u += w) sum_rows<S, 1>(T, V, U, tokens, weights, kernel + u, sums + u);
      for (; u < U; ++u) {
        sums[u] = 0;
        for (int64_t t = 0; t < T; ++t)
          if (present(tokens[t], V)) sums[u] += (weights ? weights[t] : S(1)) * kernel[tokens[t] * U + u];
      }
    }
  });
}

// The gradient of kernel from that of the sums: groups of bags add up rows of their own, where that is worth it.
template <class S>
void run_bags_backward(Tasks& tasks, int64_t B, int64_t T, int64_t V, int64_t U, const int32_t* all_tokens,
                       const S* all_weights, const S* all_gradients, S* dkernel) {
  constexpr int64_t w = Vector<S>::width, kGroups = 4, kRowsAtOnce = 1024;
  const int64_t groups = std::clamp<int64_t>(B * T / (4 * V), 1, kGroups);
  std::vector<Room<S>> own(groups);
  for (int64_t group = 1; group < groups; ++group) own[group].resize(V * U);
  tasks.run(groups, double(B) * T * U + double(groups) * V * U, [&](int64_t group) {
    S* sums = group ? own[group].data() : dkernel;
    if (group == 0) std::fill_n(sums, V * U, S(0));
    for (int64_t b = B * group / groups; b < B * (group + 1) / groups; ++b) {
      const int32_t* tokens = all_tokens + b * T;
      const S *weights = all_weights ? all_weights + b * T : nullptr, *gradient = all_gradients + b * U;
      for (int64_t t = 0; t < T; ++t) {
        if (!present(tokens[t], V)) continue;
        S* row = sums + tokens[t] * U;
        const S weight = weights ? weights[t] : S(1);
        int64_t u = 0;
        for (; u + w <= U; u += w) store(row + u, load(row + u) + weight * load(gradient + u));
        for (; u < U; ++u) row[u] += weight * gradient[u];
      }
    }
  });
  tasks.run(groups > 1 ? (V + kRowsAtOnce - 1) / kRowsAtOnce : 0, double(groups) * V * U, [&](int64_t k) {
    const int64_t from = k * kRowsAtOnce * U, end = std::min(V * U, from + kRowsAtOnce * U);
    for (int64_t group = 1; group < groups; ++group)
      for (int64_t n = from; n < end; ++n) dkernel[n] += own[group][n];
  });
}

constexpr int64_t kSteps = 8;  // of a convolution that a task makes

// outputs [T - W + 1, F, B] = inputs [T, D, B] convolved with kernel [W, D, F]; B is a whole number of vectors.
template <class S>
void run_convolve(Tasks& tasks, int64_t T, int64_t D, int64_t B, int64_t W, int64_t F, const S* inputs, const S* kernel,
                  S* outputs) {
  const int64_t steps = T - W + 1;
  tasks.run((steps + kSteps - 1) / kSteps, double(steps) * F * B * W * D, [&](int64_t k) {
    for (int64_t t = k * kSteps; t < std::min(steps, (k + 1) * kSteps); ++t) {
      std::fill_n(outputs + t * F * B, F * B, S(0));
      multiply_add<S>(F, B, W * D, kernel, 1, F, inputs + t * D * B, B, outputs + t * F * B, B);
    }
  });
}

// The gradient of the inputs from that of the outputs: a step's is a product of the W steps that it went into.
template <class S>
void run_convolve_inputs(Tasks& tasks, int64_t T, int64_t D, int64_t B, int64_t W, int64_t F, const S* gradient,
                         const S* kernel, S* dinputs) {
  Room<S> flipped(D * W * F);  // [D, W, F], from the last entry over time to the first
  for (int64_t n = 0; n < W; ++n)
    for (int64_t d = 0; d < D; ++d)
      std::copy_n(kernel + ((W - 1 - n) * D + d) * F, F, flipped.data() + (d * W + n) * F);
  tasks.run((T + kSteps - 1) / kSteps, double(T) * F * B * W * D, [&](int64_t k) {
    for (int64_t t = k * kSteps; t < std::min(T, (k + 1) * kSteps); ++t) {
      const int64_t first = std::max<int64_t>(0, W - 1 - t), end = std::min(W, T - t);
      std::fill_n(dinputs + t * D * B, D * B, S(0));
      multiply_add<S>(D, B, (end - first) * F, flipped.data() + first * F, W * F, 1,
                      gradient + (t - W + 1 + first) * F * B, B, dinputs + t * D * B, B);
    }
  });
}

// That of the kernel; the inputs are turned, so that what one entry of the kernel meets in all steps lies in a vector.
template <class S>
void run_convolve_kernel(Tasks& tasks, int64_t T, int64_t D, int64_t B, int64_t W, int64_t F, const S* inputs,
                         const S* gradient, S* dkernel) {
  constexpr int64_t w = Vector<S>::width, kGroups = 8, kTurned = 256;
  const int64_t width = (W * D + w - 1) / w * w, stride = T * D + w, steps = T - W + 1;
  const int64_t groups = std::min(kGroups, steps);
  const double operations = double(steps) * F * B * W * D;
  Room<S> rows(B * stride);
  std::vector<Room<S>> sums(groups, Room<S>(F * width));
  tasks.run((T * D + kTurned - 1) / kTurned, operations, [&](int64_t k) {
    const int64_t from = k * kTurned;
    turned<S>(std::min(kTurned, T * D - from), B, [&](int64_t k) { return inputs + (from + k) * B; },
              rows.data() + from, stride);
  });
  tasks.run(groups, operations, [&](int64_t group) {
    for (int64_t t = steps * group / groups; t < steps * (group + 1) / groups; ++t)
      multiply_add<S>(F, width, B, gradient + t * F * B, B, 1, rows.data() + t * D, stride, sums[group].data(), width);
  });
  for (int64_t group = 1; group < groups; ++group)
    for (int64_t k = 0; k < F * width; ++k) sums[0][k] += sums[group][k];
  for (int64_t n = 0; n < W * D; ++n)
    for (int64_t f = 0; f < F; ++f) dkernel[n * F + f] = sums[0][f * width + n];
}

}  // namespace seqjax
