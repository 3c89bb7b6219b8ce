// What the forward and the backward of a recurrent layer share.
//
// Legend: B batch, T time, D features, U units, G gates. Equations, gate order and weights are those of
// seqjax/layers/cells.py (tanh and sigmoid; GRU with reset_after).
//
// Why a layer is quicker here than the same steps compiled by XLA: a tile of rows goes through all steps while its
// gates and the weights stay in the first-level cache; the input's part of the gates, its gather and the scatter of
// its gradient happen in the step; nothing is stored but what the backward reads; no step has operations to start.
// Where the weights do not fit there, a tile's input products and those of its weights' gradients are made for a chunk
// of steps at once: they then read the weights, and change their gradients, once for all rows of all these steps.
//
// A row of gates stands in a padded block of P = U rounded up to whole vectors for each gate. Padding starts as zeros
// and stays zero by the equations: its weights are zero.

#pragma once

#include "vectors.h"

namespace seqjax {

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

// Where the entries of `count` padded blocks stand in a row of gates [G*U], from a gate on; -1 is padding.
inline std::vector<int64_t> places(int64_t U, int64_t P, int gate, int count) {
  std::vector<int64_t> found(count * P, -1);
  for (int k = 0; k < count; ++k)
    for (int64_t u = 0; u < U; ++u) found[k * P + u] = (gate + k) * U + u;
  return found;
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

// Rows that go through all steps together, and steps whose products without the state are made together.
struct Tiling {
  int64_t rows, steps, stride;  // stride: entries from a row of gates to the next
};

constexpr int64_t kChunk = 512;  // rows in a product of a chunk of steps

template <class S>
Tiling tiling(const Problem<S>& p, int blocks) {
  constexpr int64_t kFirstLevel = 1 << 14, kWeights = 1 << 17;  // bytes
  const bool wide = p.U * p.P * blocks * int64_t(sizeof(S)) > kWeights;
  const int64_t fit = wide ? kChunk : std::max<int64_t>(kRows, kFirstLevel / (blocks * p.P * sizeof(S)));
  const int64_t tiles = std::max<int64_t>(1, (p.B + fit - 1) / fit);
  const int64_t rows = std::max<int64_t>(1, (p.B + tiles - 1) / tiles);
  if (!wide) return {rows, 1, blocks * p.P};
  const int64_t steps = std::clamp<int64_t>(kChunk / rows, 1, std::max<int64_t>(1, p.T));
  // Rows that lie a power of two apart would share a few lines of the cache.
  return {rows, steps, blocks * p.P + kPadding / int64_t(sizeof(S))};
}

// to [rows, P] = h (rows of P) times the mask of one gate.
template <class S>
void drop_rows(const Problem<S>& p, int64_t gate, int64_t from, int64_t rows, const S* h, int64_t stride, S* to) {
  const S* mask = p.drop + ((p.drops == 1 ? 0 : gate) * p.B + from) * p.U;
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t u = 0; u < p.U; ++u) to[m * p.P + u] = h[m * stride + u] * mask[m * p.U + u];
}

}  // namespace seqjax
