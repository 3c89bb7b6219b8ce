// What the forward and the backward of a recurrent layer share.
//
// Legend: B batch, T time, D features, U units, G gates. Equations, gate order and weights are those of
// seqjax/layers/cells.py (tanh and sigmoid; GRU with reset_after).
//
// Why a layer is quicker here than the same steps compiled by XLA: a tile of rows goes through all steps while its
// gates and the weights stay in the first-level cache; the input's part of the gates, its gather and the scatter of
// its gradient happen in the step; nothing is stored but what the backward reads; no step has operations to start.
// Where the weights do not fit there, the input products and those of the weights' gradients are made for a chunk of
// steps at once: they then read the weights, and change their gradients, once for all rows of all these steps.
//
// Tiles of all layers of a call (directions, members of a vmap) are its tasks. A group of tiles sums gradients of the
// weights of its own, which are added in order; of a wide layer tasks own columns of these gradients instead.
//
// A row of gates stands in a padded block of P = U rounded up to whole vectors for each gate. Padding starts as zeros
// and stays zero by the equations: its weights are zero.

#pragma once

#include <deque>

#include "tasks.h"
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
  Kind kind;
  int64_t B, T, D, U, P;   // D = 0: x holds the input's part of the gates of each different token
  const S* x;              // [B, T, D]; with D = 0 rows of G*U, `x_row` apart
  int64_t x_row;
  const int32_t* ids;      // [B, T], the tokens' places in x, with D = 0
  const S* kernel;         // [D, G*U]
  const S* bias;           // [G*U]
  const S* recurrent;      // [U, G*U]
  const S* inner;          // [U]: the GRU's bias inside the reset product
  const S* drop;           // [drops, B, U] or none
  int64_t drops;           // 0, 1 or G
  const bool* mask;        // [B, T] or none
  bool reverse;
  int64_t used;            // rows of x with D = 0 that have a place
  int64_t step;            // entries of the outputs from a step to the next
  int64_t layers;          // that run beside this one in the same call

  int gates() const { return gates_of(kind); }
  int blocks() const { return blocks_of(kind); }
  int kept() const { return saved_of(kind); }
  int64_t token(int64_t b, int64_t t) const { return ids[b * T + t]; }
  int64_t time(int64_t step) const { return reverse ? T - 1 - step : step; }
  bool valid(int64_t b, int64_t t) const { return !mask || mask[b * T + t]; }
  bool any(int64_t from, int64_t to, int64_t t) const {
    for (int64_t b = from; b < to; ++b)
      if (valid(b, t)) return true;
    return false;
  }
  double operations() const { return double(B) * T * U * (U + D) * 4; }
};

// How the rows of a batch are shared out. Shapes alone decide, never the number of threads.
struct Cut {
  bool wide;             // the recurrent weights do not stay in a near cache
  int64_t B, tiles;      // a tile's rows go through all steps together
  int64_t groups;        // of tiles, each with gradients of the weights of its own, where the layer is not wide
  int64_t stride;        // entries from a row of gates to the next

  int64_t from(int64_t tile) const { return B * tile / tiles; }
  int64_t rows(int64_t tile) const { return from(tile + 1) - from(tile); }
  int64_t most_rows() const { return (B + tiles - 1) / tiles; }
  int64_t first_tile(int64_t group) const { return tiles * group / groups; }
  // Of T steps so many that products without the state have some hundred rows, `rows` of each step.
  int64_t steps(int64_t T, int64_t rows) const {
    constexpr int64_t kTogether = 512;
    return wide ? std::clamp<int64_t>(kTogether / std::max<int64_t>(1, rows), 1, std::max<int64_t>(1, T)) : 1;
  }
};

template <class S>
Cut cut_of(const Problem<S>& p) {
  constexpr int64_t kWeights = 1 << 17, kGates = 1 << 15, kSums = 1 << 24;  // bytes
  constexpr int64_t kLeastRows = 16, kTiles = 8, kGroups = 64;
  const int64_t B = std::max<int64_t>(1, p.B), size = sizeof(S), blocks = p.blocks();
  Cut cut;
  cut.B = p.B;
  cut.wide = p.U * p.P * blocks * size > kWeights;
  const int64_t most = std::max(kLeastRows, cut.wide ? 0 : kGates / (blocks * p.P * size));
  // As many tiles as the gates' cache asks for, or as eight threads would like if each keeps some rows.
  int64_t tiles = std::max((B + most - 1) / most, std::min(kTiles, B / kLeastRows));
  if (tiles > 2) tiles = (tiles + 3) / 4 * 4;
  cut.tiles = std::clamp<int64_t>(tiles, 1, B);
  const int64_t sums = (p.U + p.D) * blocks * p.P * size;
  int64_t groups = p.D ? std::clamp<int64_t>(kSums / sums, 8, kGroups)
                       : std::clamp<int64_t>(p.B * p.T / std::max<int64_t>(1, p.used), p.layers > 1 ? 1 : 2, 4);
  cut.groups = std::min(cut.tiles, groups);
  // Rows that lie a power of two apart would share a few lines of the cache.
  cut.stride = blocks * p.P + (cut.wide ? kPadding / size : 0);
  return cut;
}

// to [rows, P] = h (rows of P) times the mask of one gate.
template <class S>
void drop_rows(const Problem<S>& p, int64_t gate, int64_t from, int64_t rows, const S* h, int64_t stride, S* to) {
  const S* mask = p.drop + ((p.drops == 1 ? 0 : gate) * p.B + from) * p.U;
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t u = 0; u < p.U; ++u) to[m * p.P + u] = h[m * stride + u] * mask[m * p.U + u];
}

// 0, 1, ... below count; -1 from there to `padded`.
inline std::vector<int64_t> range(int64_t count, int64_t padded) {
  std::vector<int64_t> found(padded, -1);
  for (int64_t k = 0; k < count; ++k) found[k] = k;
  return found;
}

// Matrices as right factors of `multiply_add`, packed a panel at a time.
template <class S>
class Pack {
 public:
  // Entry (k, n) is weights[rows[k] * row + columns[n] * column], or zero where one of these places is -1.
  void add(const S* weights, std::vector<int64_t> rows, int64_t row, std::vector<int64_t> columns, int64_t column) {
    const int64_t N = columns.size();
    matrices_.push_back({weights, std::move(rows), row, std::move(columns), column, {}});
    matrices_.back().data.resize(matrices_.back().rows.size() * N);
    for (int64_t n = 0; n < N; n += panel_width<S>()) panels_.push_back({matrices_.size() - 1, n});
  }
  int64_t panels() const { return panels_.size(); }
  int64_t matrices() const { return matrices_.size(); }
  double operations() const {
    double total = 0;
    for (const auto& m : matrices_) total += double(m.data.size());
    return total;
  }
  void fill(int64_t panel) {
    Matrix& m = matrices_[panels_[panel].matrix];
    const int64_t K = m.rows.size(), n = panels_[panel].column;
    const int64_t end = std::min<int64_t>(n + panel_width<S>(), m.columns.size());
    const int64_t width = end - n;
    const auto beside = [](const std::vector<int64_t>& places, int64_t from, int64_t to) {  // and none is padding
      return from < to && places[from] >= 0 && places[to - 1] - places[from] == to - 1 - from;
    };
    S* to = m.data.data() + n * K;
    if (m.column == 1 && beside(m.columns, n, end)) {
      for (int64_t k = 0; k < K; ++k, to += width)
        if (m.rows[k] >= 0)
          std::copy_n(m.weights + m.rows[k] * m.row + m.columns[n], width, to);
        else
          std::fill_n(to, width, S(0));
      return;
    }
    if (m.row == 1 && beside(m.rows, 0, K) && beside(m.columns, n, end)) {
      const S* from = m.weights + m.rows[0] + m.columns[n] * m.column;
      for (int64_t k = 0; k < K; ++k, ++from)
        for (int64_t j = 0; j < width; ++j) *to++ = from[j * m.column];
      return;
    }
    for (int64_t k = 0; k < K; ++k)
      for (int64_t j = n; j < end; ++j, ++to)
        *to = m.rows[k] < 0 || m.columns[j] < 0 ? S(0) : m.weights[m.rows[k] * m.row + m.columns[j] * m.column];
  }
  const S* operator[](size_t matrix) const { return matrices_[matrix].data.data(); }

 private:
  struct Matrix {
    const S* weights;
    std::vector<int64_t> rows;
    int64_t row;
    std::vector<int64_t> columns;
    int64_t column;
    Room<S> data;
  };
  struct Panel {
    size_t matrix;
    int64_t column;
  };
  std::vector<Matrix> matrices_;
  std::vector<Panel> panels_;
};

// Of some layers tasks: task(layer, k) for k below that layer's `count`.
template <class Layer>
void run_all(Tasks& tasks, std::deque<Layer>& layers, double operations, int64_t (Layer::*count)() const,
             const std::function<void(Layer&, int64_t)>& task) {
  std::vector<int64_t> ends;
  for (const Layer& layer : layers) ends.push_back((ends.empty() ? 0 : ends.back()) + (layer.*count)());
  tasks.run(ends.empty() ? 0 : ends.back(), operations, [&](int64_t k) {
    const size_t n = std::upper_bound(ends.begin(), ends.end(), k) - ends.begin();
    task(layers[n], k - (n ? ends[n - 1] : 0));
  });
}

}  // namespace seqjax
