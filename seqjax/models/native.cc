// The recurrences of seqjax as XLA custom calls for CPUs: one call runs all steps of one layer, forward or backward.
// And the products of a batch's different tokens, of bags of tokens, and of a convolution over time.
//
// Legend: B batch, T time, D features, U units, G gates. Equations, gate order and weights are those of
// seqjax/models/cells.py (tanh and sigmoid; GRU with reset_after); seqjax/models/native.py compiles and calls this file.
//
// Why it is quicker than the same steps compiled by XLA: a tile of rows goes through all steps while its gates and the
// weights stay in the first-level cache; the input's part of the gates, its gather and the scatter of its gradient
// happen in the step; nothing is stored but what the backward reads; and no step has a loop or an operation to start.
//
// A row of gates stands in a padded block of P = U rounded up to whole vectors for each gate. Padding starts as zeros
// and stays zero by the equations: its weights are zero.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64, kRows = 6, kVectors = 4;  // 24 sums, 4 loads and a broadcast in 32 registers
#elif defined(__AVX__)
constexpr int kBytes = 32, kRows = 6, kVectors = 2;  // 12 sums in 16 registers
#else
constexpr int kBytes = 16, kRows = 6, kVectors = 2;
#endif
constexpr int64_t kPadding = 64;  // bytes: P is a multiple of so many, whatever the vector

template <class S>
struct Vector {
  typedef S type __attribute__((vector_size(kBytes)));
  static constexpr int width = kBytes / sizeof(S);
};
template <class S>
using V = typename Vector<S>::type;

template <class S>
inline V<S> load(const S* from) {
  V<S> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class S>
inline void store(S* to, V<S> v) {
  std::memcpy(to, &v, sizeof v);
}
// Ask for what will be read (or changed) later, so that it comes while something is computed.
template <bool change, class S>
inline void prefetch(const S* from, int64_t count) {
  for (int64_t k = 0; k < count; k += 64 / int64_t(sizeof(S))) __builtin_prefetch(from + k, change);
}
template <class S>
inline V<S> all(S value) {
  return value - V<S>{};
}

inline V<double> tanh(V<double> x) {
  for (int k = 0; k < Vector<double>::width; ++k) x[k] = std::tanh(x[k]);
  return x;
}

// x within [-limit, limit]; NaN stays NaN.
inline V<float> clamp(V<float> x, float limit) {
#if defined(__AVX512F__)
  return (V<float>)_mm512_max_ps((__m512)all(-limit), _mm512_min_ps((__m512)all(limit), (__m512)x));
#elif defined(__AVX__)
  return (V<float>)_mm256_max_ps((__m256)all(-limit), _mm256_min_ps((__m256)all(limit), (__m256)x));
#else
  x = x > limit ? all(limit) : x;
  return x < -limit ? all(-limit) : x;
#endif
}

// x p(x^2) / q(x^2), fitted to tanh on [-9.02, 9.02] with a relative error of 1.3e-9; beyond, tanh is 1 in float32.
inline V<float> tanh(V<float> x) {
  const V<float> y = clamp(x, 9.02f);
  const V<float> s = y * y;
  V<float> p = s * -1.220329081e-11f + 3.058484589e-8f;
  p = p * s + 2.800741e-5f;
  p = p * s + 3.868326196e-3f;
  p = p * s + 0.1367991411f;
  p = p * s + 0.9999999987f;
  V<float> q = s * 1.287362357e-6f + 3.938627723e-4f;
  q = q * s + 0.027245834f;
  q = q * s + 0.4701324618f;
  q = q * s + 1.0f;
  return clamp(y * p / q, 1.0f);  // rounding may have gone past 1
}

template <class S>
inline V<S> sigmoid(V<S> x) {
  return tanh(x * S(0.5)) * S(0.5) + S(0.5);
}

// Where the sums of a product start: row m of what it is added to, at `rows[m] + column`, or in the result itself.
template <class S>
struct Start {
  const S* const* rows;
  int64_t column;
};

// c[m, n] = start[m, n] + sum_k a[m * row + k * column] b[k * ldb + n] for R rows and N vectors of columns.
template <class S, int R, int N>
void tile(int64_t K, const S* a, int64_t row, int64_t column, const S* b, int64_t ldb, Start<S> start, S* c,
          int64_t ldc) {
  constexpr int w = Vector<S>::width;
  V<S> sum[R][N];
#pragma GCC unroll 8
  for (int m = 0; m < R; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum[m][n] = load((start.rows ? start.rows[m] + start.column : c + m * ldc) + n * w);
  for (int64_t k = 0; k < K; ++k) {
    V<S> right[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) right[n] = load(b + k * ldb + n * w);
#pragma GCC unroll 8
    for (int m = 0; m < R; ++m) {
      const S left = a[m * row + k * column];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[m][n] += left * right[n];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < R; ++m)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) store(c + m * ldc + n * w, sum[m][n]);
}

template <class S, int N>
void rows_of(int R, int64_t K, const S* a, int64_t row, int64_t column, const S* b, int64_t ldb, Start<S> start, S* c,
             int64_t ldc) {
  switch (R) {
    case 1: return tile<S, 1, N>(K, a, row, column, b, ldb, start, c, ldc);
    case 2: return tile<S, 2, N>(K, a, row, column, b, ldb, start, c, ldc);
    case 3: return tile<S, 3, N>(K, a, row, column, b, ldb, start, c, ldc);
    case 4: return tile<S, 4, N>(K, a, row, column, b, ldb, start, c, ldc);
    case 5: return tile<S, 5, N>(K, a, row, column, b, ldb, start, c, ldc);
    default: return tile<S, 6, N>(K, a, row, column, b, ldb, start, c, ldc);
  }
}

template <class S>
constexpr int64_t panel_width() {
  return kVectors * Vector<S>::width;
}

// c [M, N] += a [M, K] b [K, N], or c = a b + starts: element (m, k) of a is a[m * row + k * column]; N is a whole
// number of vectors. b has rows of ldb, or with ldb = 0 it is packed in panels (`packed`).
template <class S>
void multiply_add(int64_t M, int64_t N, int64_t K, const S* a, int64_t row, int64_t column, const S* b, int64_t ldb,
                  S* c, int64_t ldc, const S* const* starts = nullptr) {
  const int64_t panel = panel_width<S>();
  const int64_t blocks = (M + kRows - 1) / kRows;
  for (int64_t n = 0; n < N; n += panel) {
    const int64_t width = std::min(panel, N - n);
    const S* right = ldb ? b + n : b + n * K;
    const int64_t stride = ldb ? ldb : width;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t m = M * block / blocks, end = M * (block + 1) / blocks;
      const S* left = a + m * row;
      S* sums = c + m * ldc + n;
      const Start<S> start{starts ? starts + m : nullptr, n};
      const int R = int(end - m);
      switch (width / Vector<S>::width) {
        case 1: rows_of<S, 1>(R, K, left, row, column, right, stride, start, sums, ldc); break;
        case 2: rows_of<S, 2>(R, K, left, row, column, right, stride, start, sums, ldc); break;
        case 3: rows_of<S, kVectors < 3 ? 1 : 3>(R, K, left, row, column, right, stride, start, sums, ldc); break;
        default: rows_of<S, kVectors>(R, K, left, row, column, right, stride, start, sums, ldc); break;
      }
    }
  }
}

// The right factor [K, N] of `multiply_add`, from element(k, n), panel by panel.
template <class S, class Element>
std::vector<S> packed(int64_t K, int64_t N, Element element) {
  std::vector<S> out(K * N);
  S* next = out.data();
  for (int64_t n = 0; n < N; n += panel_width<S>())
    for (int64_t k = 0; k < K; ++k)
      for (int64_t j = n; j < std::min(n + panel_width<S>(), N); ++j) *next++ = element(k, j);
  return out;
}

enum Kind : int64_t { kSimpleRnn = 0, kLstm = 1, kGru = 2 };

// Blocks of a row of gates. A GRU's are z, r, R h + d (of the reset product), and the input's part of g.
constexpr int gates_of(Kind kind) { return kind == kLstm ? 4 : kind == kGru ? 3 : 1; }
constexpr int blocks_of(Kind kind) { return kind == kLstm ? 4 : kind == kGru ? 4 : 1; }
// Of a step, for the backward: i, f, g, o, c, h; z, r, R h + d, g, h; h.
constexpr int saved_of(Kind kind) { return kind == kLstm ? 6 : kind == kGru ? 5 : 1; }

// Gates whose input part lies side by side: a GRU's z and r, and its g.
struct Segment {
  int gate, block, count;
};
inline std::vector<Segment> segments_of(Kind kind) {
  if (kind == kGru) return {{0, 0, 2}, {2, 3, 1}};
  return {{0, 0, gates_of(kind)}};
}

template <class S>
struct Problem {
  int64_t B, T, D, U, P;   // D = 0: x holds the input's part of the gates
  const S* x;              // [B, T, D]; with D = 0 [B, T, G*U], or with ids [N, G*U]
  const int32_t* ids;      // [B, T] or none
  const S* kernel;         // [D, G*U]
  const S* bias;           // [G*U]
  const S* recurrent;      // [U, G*U]
  const S* inner;          // [U]: the GRU's bias inside the reset product
  const S* drop;           // [drops, B, U] or none
  int64_t drops;           // 0, 1 or G
  const bool* mask;        // [B, T] or none
  bool reverse;
  int64_t used;            // rows of x with D = 0 that have a place

  int64_t place(int64_t b, int64_t t) const { return ids ? ids[b * T + t] : b * T + t; }
  int64_t time(int64_t step) const { return reverse ? T - 1 - step : step; }
  bool valid(int64_t b, int64_t t) const { return !mask || mask[b * T + t]; }
  bool any(int64_t from, int64_t to, int64_t t) const {
    for (int64_t b = from; b < to; ++b)
      if (valid(b, t)) return true;
    return false;
  }
};

// Rows that go through all steps together: their gates stay in the first-level cache, unless the weights do not.
template <class S>
int64_t rows_per_tile(const Problem<S>& p, int blocks) {
  if (p.B == 0 || p.U * p.P * blocks * sizeof(S) > (1 << 17)) return p.B;
  const int64_t fit = std::max<int64_t>(kRows, (1 << 14) / (blocks * p.P * sizeof(S)));
  const int64_t tiles = (p.B + fit - 1) / fit;
  return (p.B + tiles - 1) / tiles;
}

// to [rows, P] = h (rows of P) times the mask of one gate.
template <class S>
void drop_rows(const Problem<S>& p, int64_t gate, int64_t from, int64_t rows, const S* h, int64_t stride, S* to) {
  const S* mask = p.drop + ((p.drops == 1 ? 0 : gate) * p.B + from) * p.U;
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t u = 0; u < p.U; ++u) to[m * p.P + u] = h[m * stride + u] * mask[m * p.U + u];
}

template <class S, Kind kind>
void run_forward(const Problem<S>& p, const S* h0, const S* c0, S* hs, S* h_out, S* c_out, S* saved) {
  constexpr int G = gates_of(kind), blocks = blocks_of(kind), kept = saved_of(kind), w = Vector<S>::width;
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
        if (p.valid(b, t)) {
          for (int64_t u = 0; u < P; u += w) {
            if constexpr (kind == kSimpleRnn) {
              store(hm + u, tanh(load(row + u)));
            } else if constexpr (kind == kLstm) {
              const V<S> i = sigmoid<S>(load(row + u)), f = sigmoid<S>(load(row + P + u));
              const V<S> g = tanh(load(row + 2 * P + u)), o = sigmoid<S>(load(row + 3 * P + u));
              const V<S> next = f * load(cm + u) + i * g;
              store(cm + u, next);
              store(hm + u, o * tanh(next));
              if (keep) {
                store(keep + u, i);
                store(keep + P + u, f);
                store(keep + 2 * P + u, g);
                store(keep + 3 * P + u, o);
              }
            } else {
              const V<S> update = sigmoid<S>(load(row + u)), r = sigmoid<S>(load(row + P + u));
              const V<S> inner = load(row + 2 * P + u), g = tanh(load(row + 3 * P + u) + r * inner);
              store(hm + u, g + update * (load(hm + u) - g));
              if (keep) {
                store(keep + u, update);
                store(keep + P + u, r);
                store(keep + 2 * P + u, inner);
                store(keep + 3 * P + u, g);
              }
            }
          }
        }
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
        for (int64_t u = 0; u < P; u += w) {
          const V<S> dhv = load(dhm + u);
          V<S> through{};
          if constexpr (kind == kSimpleRnn) {
            const V<S> h = load(keep + u);
            store(row + u, dhv * (1 - h * h));
          } else if constexpr (kind == kLstm) {
            const V<S> i = load(keep + u), f = load(keep + P + u), g = load(keep + 2 * P + u);
            const V<S> o = load(keep + 3 * P + u), a = tanh(load(keep + 4 * P + u));
            const V<S> dcv = load(dcm + u) + dhv * o * (1 - a * a);
            store(row + u, dcv * g * i * (1 - i));
            store(row + P + u, dcv * load(before + u) * f * (1 - f));
            store(row + 2 * P + u, dcv * i * (1 - g * g));
            store(row + 3 * P + u, dhv * a * o * (1 - o));
            store(dcm + u, dcv * f);
          } else {
            const V<S> update = load(keep + u), r = load(keep + P + u), inner = load(keep + 2 * P + u);
            const V<S> g = load(keep + 3 * P + u);
            const V<S> dg = dhv * (1 - update) * (1 - g * g);
            store(row + u, dhv * (load(before + u) - g) * update * (1 - update));
            store(row + P + u, dg * inner * r * (1 - r));
            store(row + 2 * P + u, dg * r);
            store(row + 3 * P + u, dg);
            through = dhv * update;
          }
          store(next.data() + m * P + u, through);
        }
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

// rows [n, N] = table [V, D] of the n tokens, times kernel [D, N], plus bias.
template <class S>
void run_project(int64_t V, int64_t D, int64_t N, int64_t n, const S* table, const int32_t* tokens, const S* kernel,
                 const S* bias, S* rows) {
  constexpr int64_t kTogether = 8 * kRows, w = Vector<S>::width;
  const int64_t padded = (N + w - 1) / w * w;
  const auto right = packed<S>(D, padded, [&](int64_t k, int64_t j) { return j < N ? kernel[k * N + j] : S(0); });
  std::vector<S> left(kTogether * D), sums(kTogether * padded);
  for (int64_t from = 0; from < n; from += kTogether) {
    const int64_t count = std::min(kTogether, n - from);
    for (int64_t m = 0; m < count; ++m) {
      std::copy_n(table + std::min<int64_t>(tokens[from + m], V - 1) * D, D, &left[m * D]);
      std::copy_n(bias, N, &sums[m * padded]);
    }
    multiply_add<S>(count, padded, D, left.data(), D, 1, right.data(), 0, sums.data(), padded);
    for (int64_t m = 0; m < count; ++m) std::copy_n(&sums[m * padded], N, rows + (from + m) * N);
  }
}

// sum [N vectors] of the weighted rows of kernel [V, U], from a column on, whose tokens [T] a bag has; V and more is none.
template <class S, int N>
void sum_rows(int64_t T, int64_t V, int64_t U, const int32_t* tokens, const S* weights, const S* kernel, S* sum) {
  constexpr int64_t w = Vector<S>::width;
  typename Vector<S>::type sums[N] = {};
  for (int64_t t = 0; t < T; ++t) {
    if (tokens[t] >= V) continue;
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
        if (tokens[t] < V) sums[u] += (weights ? weights[t] : S(1)) * kernel[tokens[t] * U + u];
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
      if (tokens[t] >= V) continue;
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
  constexpr int64_t w = Vector<S>::width, kBlock = 16;
  const int64_t width = (W * D + w - 1) / w * w, stride = T * D + w;
  std::vector<S> turned(B * stride), sums(F * width);
  for (int64_t n = 0; n < T * D; n += kBlock)
    for (int64_t b = 0; b < B; ++b)
      for (int64_t k = n; k < std::min(n + kBlock, T * D); ++k) turned[b * stride + k] = inputs[k * B + b];
  for (int64_t t = 0; t + W <= T; ++t)
    multiply_add<S>(F, width, B, gradient + t * F * B, B, 1, &turned[t * D], stride, sums.data(), width);
  for (int64_t n = 0; n < W * D; ++n)
    for (int64_t f = 0; f < F; ++f) dkernel[n * F + f] = sums[f * width + n];
}

template <class S>
const S* given(const ffi::AnyBuffer& buffer) {
  return buffer.element_count() ? buffer.typed_data<S>() : nullptr;
}
template <class S>
S* wanted(ffi::Result<ffi::AnyBuffer>& buffer) {
  return buffer->element_count() ? buffer->typed_data<S>() : nullptr;
}

// The operands that both calls share, in the order of native.py.
struct Operands {
  ffi::AnyBuffer x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers;

  template <class S>
  Problem<S> problem() const {
    Problem<S> p;
    // What is absent has the shape [0].
    const bool tokens = ids.dimensions().size() == 2, dense = kernel.dimensions().size() == 2;
    p.B = h.dimensions()[0];
    p.T = (tokens ? ids : x).dimensions()[1];
    p.D = dense ? x.dimensions()[2] : 0;
    p.U = h.dimensions()[1];
    p.P = (p.U * sizeof(S) + kPadding - 1) / kPadding * kPadding / sizeof(S);
    p.x = x.typed_data<S>();
    p.ids = given<int32_t>(ids);
    p.kernel = given<S>(kernel);
    p.bias = given<S>(bias);
    p.recurrent = recurrent.typed_data<S>();
    p.inner = given<S>(inner);
    p.drop = given<S>(drop);
    p.drops = p.drop ? drop.dimensions()[0] : 0;
    p.mask = given<bool>(mask);
    p.reverse = numbers.typed_data<int32_t>()[0] != 0;
    p.used = tokens ? numbers.typed_data<int32_t>()[1] : p.B * p.T;
    return p;
  }
};

// function(a zero of the type) with what XLA calls the type.
template <class Function>
ffi::Error with_type(ffi::DataType type, Function function) {
  if (type == ffi::F32)
    function(float());
  else if (type == ffi::F64)
    function(double());
  else
    return ffi::Error::InvalidArgument("seqjax: neither float32 nor float64");
  return ffi::Error::Success();
}

template <class Function>
void with_kind(int64_t kind, Function function) {
  if (kind == kSimpleRnn) function(std::integral_constant<Kind, kSimpleRnn>());
  if (kind == kLstm) function(std::integral_constant<Kind, kLstm>());
  if (kind == kGru) function(std::integral_constant<Kind, kGru>());
}

using Buffer = ffi::AnyBuffer;
using Result = ffi::Result<ffi::AnyBuffer>;

ffi::Error forward(Buffer x, Buffer ids, Buffer kernel, Buffer bias, Buffer recurrent, Buffer inner, Buffer h, Buffer c,
                   Buffer drop, Buffer mask, Buffer numbers, Result hs, Result h_out, Result c_out, Result saved,
                   int64_t kind) {
  const Operands o{x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers};
  return with_type(x.element_type(), [&](auto zero) {
    using S = decltype(zero);
    with_kind(kind, [&](auto constant) {
      run_forward<S, constant()>(o.problem<S>(), h.typed_data<S>(), given<S>(c), wanted<S>(hs), h_out->typed_data<S>(),
                                 wanted<S>(c_out), wanted<S>(saved));
    });
  });
}

ffi::Error backward(Buffer x, Buffer ids, Buffer kernel, Buffer bias, Buffer recurrent, Buffer inner, Buffer h,
                    Buffer c, Buffer drop, Buffer mask, Buffer numbers, Buffer saved, Buffer dhs, Buffer dh_out,
                    Buffer dc_out, Result dx, Result dkernel, Result dbias, Result drecurrent,
                    Result dinner, Result dh, Result dc, int64_t kind) {
  const Operands o{x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers};
  return with_type(x.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const Gradients<S> d{wanted<S>(dx),     wanted<S>(dkernel),   wanted<S>(dbias), drecurrent->typed_data<S>(),
                         wanted<S>(dinner), dh->typed_data<S>(), wanted<S>(dc)};
    with_kind(kind, [&](auto constant) {
      run_backward<S, constant()>(o.problem<S>(), h.typed_data<S>(), given<S>(c), saved.typed_data<S>(), given<S>(dhs),
                                  dh_out.typed_data<S>(), given<S>(dc_out), d);
    });
  });
}

ffi::Error project(Buffer table, Buffer tokens, Buffer used, Buffer kernel, Buffer bias, Result rows) {
  return with_type(table.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = table.dimensions();
    run_project<S>(shape[0], shape[1], kernel.dimensions()[1], used.typed_data<int32_t>()[0], table.typed_data<S>(),
                   tokens.typed_data<int32_t>(), kernel.typed_data<S>(), bias.typed_data<S>(), rows->typed_data<S>());
  });
}

ffi::Error bags(Buffer tokens, Buffer weights, Buffer kernel, Result sums) {
  return with_type(kernel.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = tokens.dimensions(), size = kernel.dimensions();
    run_bags<S>(shape[0], shape[1], size[0], size[1], tokens.typed_data<int32_t>(), given<S>(weights),
                kernel.typed_data<S>(), sums->typed_data<S>());
  });
}

ffi::Error bags_backward(Buffer tokens, Buffer weights, Buffer gradient, Result dkernel) {
  return with_type(gradient.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = tokens.dimensions(), size = dkernel->dimensions();
    run_bags_backward<S>(shape[0], shape[1], size[0], size[1], tokens.typed_data<int32_t>(), given<S>(weights),
                         gradient.typed_data<S>(), dkernel->typed_data<S>());
  });
}

ffi::Error convolve(Buffer inputs, Buffer kernel, Result outputs) {
  return with_type(inputs.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = inputs.dimensions(), k = kernel.dimensions();
    run_convolve<S>(x[0], x[1], x[2], k[0], k[2], inputs.typed_data<S>(), kernel.typed_data<S>(),
                    outputs->typed_data<S>());
  });
}

ffi::Error convolve_inputs(Buffer gradient, Buffer kernel, Result dinputs) {
  return with_type(gradient.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = dinputs->dimensions(), k = kernel.dimensions();
    run_convolve_inputs<S>(x[0], x[1], x[2], k[0], k[2], gradient.typed_data<S>(), kernel.typed_data<S>(),
                           dinputs->typed_data<S>());
  });
}

ffi::Error convolve_kernel(Buffer inputs, Buffer gradient, Result dkernel) {
  return with_type(inputs.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = inputs.dimensions(), k = dkernel->dimensions();
    run_convolve_kernel<S>(x[0], x[1], x[2], k[0], k[2], inputs.typed_data<S>(), gradient.typed_data<S>(),
                           dkernel->typed_data<S>());
  });
}

}  // namespace

#define SEQJAX_OPERANDS                                                                                              \
  Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()    \
      .Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_forward, forward,
                              ffi::Ffi::Bind().SEQJAX_OPERANDS.Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>()
                                  .Attr<int64_t>("kind"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_backward, backward,
                              ffi::Ffi::Bind().SEQJAX_OPERANDS.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Attr<int64_t>("kind"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_project, project,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_bags, bags,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_bags_backward, bags_backward,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve, convolve, ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve_inputs, convolve_inputs,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve_kernel, convolve_kernel,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
