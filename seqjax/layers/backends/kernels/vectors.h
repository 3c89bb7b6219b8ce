// Vectors of a register's width, tanh and sigmoid of them, and small matrix products whose sums stay in registers.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace seqjax {

#if defined(__AVX512F__)
constexpr int kBytes = 64, kRows = 6, kVectors = 4;  // 24 sums, 4 loads and a broadcast in 32 registers
#elif defined(__AVX__)
constexpr int kBytes = 32, kRows = 6, kVectors = 2;  // 12 sums in 16 registers
#else
constexpr int kBytes = 16, kRows = 6, kVectors = 2;
#endif
constexpr int64_t kPadding = 64;  // bytes: P is a multiple of so many, whatever the vector

// Memory that begins where a line of the cache does: or half of all vectors would lie in two lines.
template <class S>
struct Lines {
  typedef S value_type;
  static constexpr std::align_val_t alignment{64};
  Lines() = default;
  template <class Other>
  Lines(const Lines<Other>&) {}
  S* allocate(size_t count) { return static_cast<S*>(::operator new(count * sizeof(S), alignment)); }
  void deallocate(S* memory, size_t) { ::operator delete(memory, alignment); }
  bool operator==(const Lines&) const { return true; }
  bool operator!=(const Lines&) const { return false; }
};
template <class S>
using Room = std::vector<S, Lines<S>>;

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

inline V<double> exp(V<double> x) {
  for (int k = 0; k < Vector<double>::width; ++k) x[k] = std::exp(x[k]);
  return x;
}

// 2^n e^r with |r| <= ln(2) / 2; e^r = 1 + r + r^2 p(r), fitted with a relative error of 3e-9. 0 below e^-88, and no
// more than e^88.
inline V<float> exp(V<float> x) {
  typedef uint32_t Bits __attribute__((vector_size(kBytes)));  // a NaN's may wrap around
  const V<float> whole = all(12582912.0f);  // 1.5 * 2^23: a sum with it is rounded to an integer, its last bits
  const V<float> y = clamp(x, 88.0f);
  const V<float> shifted = y * 1.44269504f + whole, n = shifted - whole;
  const V<float> r = (y - n * 0.693359375f) + n * 2.12194440e-4f;  // ln(2) in two parts: the first product is exact
  V<float> p = r * 1.381459851e-3f + 8.368716884e-3f;
  p = p * r + 0.04166838805f;
  p = p * r + 0.1666652063f;
  p = p * r + 0.4999999345f;
  const V<float> power = (p * r * r + r) + 1.0f;
  const Bits scale = ((Bits)shifted - (Bits)whole + 127) << 23;
  return x < -88.0f ? V<float>{} : power * (V<float>)scale;
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

// c[m, n] = start[m, n] + sum_k a[m * row + k * column] b[k * ldb + n] for R rows and N vectors of columns; K > 0.
// far: c may not be in a near cache; it is asked for before the sum, and read after it.
template <class S, int R, int N, bool far>
void tile(int64_t K, const S* a, int64_t row, int64_t column, const S* b, int64_t ldb, Start<S> start, S* c,
          int64_t ldc) {
  constexpr int w = Vector<S>::width;
  const bool from_zero = far && !start.rows;
  V<S> sum[R][N];
#pragma GCC unroll 16
  for (int m = 0; m < R; ++m) {
    if (far) prefetch<true>(c + m * ldc, N * w);
    const S* from = start.rows ? start.rows[m] + start.column : c + m * ldc;
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) sum[m][n] = from_zero ? V<S>{} : load(from + n * w);
  }
  int64_t k = 0;
  do {  // not `for`: its sums would be copied before it and after it
    V<S> right[N];
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) right[n] = load(b + k * ldb + n * w);
#pragma GCC unroll 16
    for (int m = 0; m < R; ++m) {
      const S left = a[m * row + k * column];
#pragma GCC unroll 16
      for (int n = 0; n < N; ++n) sum[m][n] += left * right[n];
    }
  } while (++k < K);
#pragma GCC unroll 16
  for (int m = 0; m < R; ++m)
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) {
      S* to = c + m * ldc + n * w;
      store(to, from_zero ? load(to) + sum[m][n] : sum[m][n]);
    }
}

template <class S, int N, bool far = false, int R = kRows>
void rows_of(int rows, int64_t K, const S* a, int64_t row, int64_t column, const S* b, int64_t ldb, Start<S> start,
             S* c, int64_t ldc) {
  if constexpr (R > 1) {
    if (rows < R) return rows_of<S, N, far, R - 1>(rows, K, a, row, column, b, ldb, start, c, ldc);
  }
  tile<S, R, N, far>(K, a, row, column, b, ldb, start, c, ldc);
}

template <class S>
constexpr int64_t panel_width() {
  return kVectors * Vector<S>::width;
}

// c [M, N] += a [M, K] b [K, N], or c = a b + starts: element (m, k) of a is a[m * row + k * column]; N is a whole
// number of vectors; with starts K > 0. b has rows of ldb, or with ldb = 0 it is packed in panels (`packed`).
template <class S>
__attribute__((noinline))  // a dozen callers would each take all the tiles' code along
void multiply_add(int64_t M, int64_t N, int64_t K, const S* a, int64_t row, int64_t column, const S* b, int64_t ldb,
                  S* c, int64_t ldc, const S* const* starts = nullptr) {
  if (K == 0 && !starts) return;  // `tile` takes one product at least
  constexpr int64_t kPanels = 4;  // of one row, side by side
  constexpr int64_t kFar = 256;  // from so many on, a panel of b has driven c out of the first-level cache
  const int64_t panel = panel_width<S>();
  const int64_t blocks = (M + kRows - 1) / kRows;
  int64_t first = 0;
  for (; ldb && M == 1 && N - first >= kPanels * panel; first += kPanels * panel) {  // else few sums wait for each other
    const Start<S> start{starts, first};
    if (K >= kFar)
      tile<S, 1, kPanels * kVectors, true>(K, a, row, column, b + first, ldb, start, c + first, ldc);
    else
      tile<S, 1, kPanels * kVectors, false>(K, a, row, column, b + first, ldb, start, c + first, ldc);
  }
  for (int64_t n = first; n < N; n += panel) {
    const int64_t width = std::min(panel, N - n);
    const S* right = ldb ? b + n : b + n * K;
    const int64_t stride = ldb ? ldb : width;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t m = M * block / blocks, end = M * (block + 1) / blocks;
      const S* left = a + m * row;
      S* sums = c + m * ldc + n;
      const Start<S> start{starts ? starts + m : nullptr, n};
      const int R = int(end - m);
      if (width == panel && K >= kFar) {
        rows_of<S, kVectors, true>(R, K, left, row, column, right, stride, start, sums, ldc);
        continue;
      }
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
Room<S> packed(int64_t K, int64_t N, Element element) {
  Room<S> out(K * N);
  S* next = out.data();
  for (int64_t n = 0; n < N; n += panel_width<S>())
    for (int64_t k = 0; k < K; ++k)
      for (int64_t j = n; j < std::min(n + panel_width<S>(), N); ++j) *next++ = element(k, j);
  return out;
}

// The left factor of a product: entry (m, k) at data[m * row + k * column].
template <class S>
struct Factor {
  const S* data;
  int64_t row, column;
};

// to [N, K], its rows `stride` apart, of K rows of N.
template <class S, class Row>
Factor<S> turned(int64_t K, int64_t N, Row row, S* to, int64_t stride) {
  constexpr int64_t kBlock = 16;
  for (int64_t k = 0; k < K; k += kBlock) {
    const int64_t count = std::min(kBlock, K - k);
    const S* rows[kBlock];
    for (int64_t j = 0; j < count; ++j) rows[j] = row(k + j);
    for (int64_t n = 0; n < N; ++n)
      for (int64_t j = 0; j < count; ++j) to[n * stride + k + j] = rows[j][n];
  }
  return {to, stride, 1};
}

}  // namespace seqjax
