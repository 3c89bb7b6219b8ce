// All steps of a recurrent layer back, with the gradients of its weights.

#pragma once

#include "back_steps.h"

namespace seqjax {

template <class S>
class Backward : public BackwardSteps<S> {
 public:
  using Steps = BackwardSteps<S>;
  using Tile = typename Steps::Tile;
  using Steps::G, Steps::blocks, Steps::cut, Steps::d, Steps::drop, Steps::finish, Steps::gates, Steps::h_before;
  using Steps::h_stride, Steps::inputs, Steps::no_inputs, Steps::p, Steps::pack, Steps::per_gate, Steps::retreat_step;
  using Steps::segments, Steps::x_row;

  Backward(const Problem<S>& p, const Gradients<S>& d)
      : BackwardSteps<S>(p, d), together(cut.steps(p.T, p.B)) {
    for (int64_t group = 0; group < (cut.wide ? 1 : cut.groups); ++group)
      sums.emplace_back(*this, group > 0 && !p.D && d.x);
    if (!cut.wide) return;
    const int64_t rows = together * p.B;
    apart = rows + kPadding / int64_t(sizeof(S));  // as `cut_of` says of its stride
    dz.resize(rows * cut.stride);
    turned_h.resize(gates() * p.U * apart);
    turned_x.resize(p.D * apart);
    for (int64_t tile = 0; tile < cut.tiles; ++tile) tiles.emplace_back(*this, tile, together);
  }

  int64_t pack_panels() const { return pack.panels(); }
  int64_t groups() const { return cut.groups; }
  int64_t tile_count() const { return cut.tiles; }

  // ---- Weights that stay in the cache: a group of tiles goes back through all steps. ----

  void run_group(int64_t group) {
    Sums& sum = sums[group];
    if (!p.D && d.x && group == 0)
      for (int64_t n = 0; n < p.used; ++n) std::fill_n(d.x + n * p.x_row, G * p.U, S(0));
    for (int64_t k = cut.first_tile(group); k < cut.first_tile(group + 1); ++k) {
      Tile tile(*this, k, 1);
      for (int64_t step = p.T - 1; step >= 0; --step) {
        S* dz = tile.dz.data();
        if (!retreat_step(tile, step, dz)) {
          if (p.D && d.x) no_inputs(tile, step);
          continue;
        }
        add_rows(tile.rows, dz, 0, blocks * p.P, sum.db.data());
        weights_of_step(tile, step, sum);
        if (p.D && d.x) inputs(tile, step, step + 1, dz);
        if (!p.D && d.x)
          for (int block = 0; block < blocks; ++block)
            add_tokens(tile, step, dz, block, 0, p.P, group ? sum.dx.data() : d.x, group ? G * p.U : p.x_row);
      }
      finish(tile);
    }
  }

  // ---- A wide layer: tiles go back some steps, then tasks add columns of the weights' gradients. ----

  void run_tile(int64_t k, int64_t first, int64_t end) {
    Tile& tile = tiles[k];
    const int64_t place = tile.from * (end - first), rows = tile.rows * (end - first);
    const auto at = [&](int64_t step) { return dz.data() + (place + (step - first) * tile.rows) * cut.stride; };
    bool any = false;
    for (int64_t step = end - 1; step >= first; --step) any |= retreat_step(tile, step, at(step));
    for (int64_t gate = 0; gate < gates(); ++gate) {
      if (p.drops)
        for (int64_t step = first; step < end; ++step) drop(tile, gate, step, (step - first) * tile.rows);
      const auto h = [&](int64_t k) {
        const int64_t step = first + k / tile.rows;
        return p.drops ? tile.dropped.data() + k * p.P : h_before(tile, step) + k % tile.rows * h_stride(step);
      };
      turned<S>(rows, p.U, h, turned_h.data() + gate * p.U * apart + place, apart);
    }
    if (!p.D) return;
    turned<S>(rows, p.D, [&](int64_t k) { return x_row(tile, first + k / tile.rows, k % tile.rows); },
              turned_x.data() + place, apart);
    if (!d.x) return;
    if (any) return inputs(tile, first, end, at(first));
    for (int64_t step = first; step < end; ++step) no_inputs(tile, step);
  }

  int64_t panels() const { return blocks * block_panels(); }

  void run_panel(int64_t task, int64_t first, int64_t end) {
    Sums& sum = sums[0];
    const int64_t block = task / block_panels(), column = task % block_panels() * panel_width<S>();
    const int64_t width = std::min(panel_width<S>(), p.P - column), rows = (end - first) * p.B;
    const int64_t place = block * p.P + column;
    const auto add = [&](int64_t M, const S* left, S* to, int64_t stride) {
      multiply_add<S>(M, width, rows, left, apart, 1, dz.data() + place, cut.stride, to + place, stride);
    };
    add_rows(rows, dz.data(), place, width, sum.db.data());
    if (block < G) add(p.U, turned_h.data() + (per_gate ? block : 0) * p.U * apart, sum.dR.data(), G * p.P);
    if (gate_of(block) < 0) return;
    if (p.D) return add(p.D, turned_x.data(), sum.dW.data(), cut.stride);
    if (!d.x) return;
    if (end == p.T) {
      const int64_t units = std::min(width, p.U - column);
      for (int64_t n = 0; n < p.used; ++n)
        std::fill_n(d.x + n * p.x_row + gate_of(block) * p.U + column, units, S(0));
    }
    const S* row = dz.data();
    for (const Tile& tile : tiles)
      for (int64_t step = first; step < end; ++step, row += tile.rows * cut.stride)
        add_tokens(tile, step, row, block, column, width, d.x, p.x_row);
  }

  // ---- Both: what was summed goes where it belongs. ----

  void finish_wide() {
    for (Tile& tile : tiles) finish(tile);
  }

  int64_t results() const { return p.U + p.D + 1 + (sums.back().dx.empty() ? 0 : token_tasks()); }

  void run_result(int64_t k) {
    if (k < p.U) return add_up(&Sums::dR, k * G * p.P, G * p.P, [&](const S* row) {
      for (int g = 0; g < G; ++g) std::copy_n(row + g * p.P, p.U, d.recurrent + (k * G + g) * p.U);
    });
    if ((k -= p.U) < p.D) return add_up(&Sums::dW, k * cut.stride, cut.stride, [&](const S* row) {
      to_gates(row, d.kernel + k * G * p.U);
    });
    if ((k -= p.D) == 0) return add_up(&Sums::db, 0, blocks * p.P, [&](const S* row) {
      if (p.D) to_gates(row, d.bias);
      if (p.kind == kGru) std::copy_n(row + 2 * p.P, p.U, d.inner);
    });
    const int64_t end = std::min(p.used, k * kTokens);
    for (int64_t n = (k - 1) * kTokens; n < end; ++n)
      for (size_t group = 1; group < sums.size(); ++group)
        for (int64_t u = 0; u < G * p.U; ++u) d.x[n * p.x_row + u] += sums[group].dx[n * G * p.U + u];
  }

  const int64_t together;  // steps that a wide layer's tiles go back between gradients of the weights

 private:
  static constexpr int w = Vector<S>::width;
  static constexpr int64_t kTokens = 64;  // rows of tokens that a task adds up

  struct Sums {  // of a group of tiles
    Sums(const Backward& b, bool tokens)
        : dR(b.p.U * b.G * b.p.P),
          dW(b.p.D * b.cut.stride),
          db(b.blocks * b.p.P),
          dx(tokens ? b.p.used * b.G * b.p.U : 0) {}
    Room<S> dR, dW, db, dx;
  };

  int64_t block_panels() const { return (p.P + panel_width<S>() - 1) / panel_width<S>(); }
  int64_t token_tasks() const { return (p.used + kTokens - 1) / kTokens; }

  void weights_of_step(Tile& tile, int64_t step, Sums& sum) {
    const S* rows = tile.dz.data();
    for (int64_t k = 0; k < gates(); ++k) {
      if (p.drops) drop(tile, k, step, 0);
      const S* h = p.drops ? tile.dropped.data() : h_before(tile, step);
      multiply_add<S>(p.U, per_gate ? p.P : G * p.P, tile.rows, h, 1, p.drops ? p.P : h_stride(step), rows + k * p.P,
                      cut.stride, sum.dR.data() + k * p.P, G * p.P);
    }
    for (const auto& s : segments)
      multiply_add<S>(p.D, s.count * p.P, p.D ? tile.rows : 0, x_row(tile, step, 0), 1, p.T * p.D,
                      rows + s.block * p.P, cut.stride, sum.dW.data() + s.block * p.P, cut.stride);
  }

  // Those of a step's tokens, of some columns of a block, added to rows `apart`.
  void add_tokens(const Tile& tile, int64_t step, const S* rows, int block, int64_t column, int64_t width, S* to,
                  int64_t apart) const {
    const int gate = gate_of(block);
    const int64_t units = std::min(width, p.U - column);
    for (int64_t m = 0; gate >= 0 && m < tile.rows; ++m) {
      const S* part = rows + m * cut.stride + block * p.P + column;
      S* sums = to + p.token(tile.from + m, p.time(step)) * apart + gate * p.U + column;
      for (int64_t u = 0; u < units; ++u) sums[u] += part[u];
    }
  }

  // to[columns from a place on] += those of some rows of gates.
  void add_rows(int64_t count, const S* rows, int64_t place, int64_t width, S* to) const {
    for (int64_t n = 0; n < count; ++n)
      for (int64_t k = place; k < place + width; k += w) store(to + k, load(to + k) + load(rows + n * cut.stride + k));
  }

  // write(what the groups have summed in some numbers of a part, added in order).
  template <class Write>
  void add_up(Room<S> Sums::*part, int64_t place, int64_t count, const Write& write) {
    S* total = (sums[0].*part).data() + place;
    for (size_t group = 1; group < sums.size(); ++group)
      for (int64_t k = 0; k < count; ++k) total[k] += (sums[group].*part)[place + k];
    write(total);
  }

  // The gate whose input part a block is; -1: none.
  int gate_of(int64_t block) const {
    for (const auto& s : segments)
      if (block >= s.block && block < s.block + s.count) return s.gate + int(block) - s.block;
    return -1;
  }
  // Padded blocks -> the gates of the input's part.
  void to_gates(const S* row, S* to) const {
    for (int block = 0; block < blocks; ++block)
      if (gate_of(block) >= 0) std::copy_n(row + block * p.P, p.U, to + gate_of(block) * p.U);
  }

  std::vector<Sums> sums;
  // Of a wide layer, for some steps: gradients of the gates, tile by tile; the left factors of dR and dW.
  std::vector<Tile> tiles;
  Room<S> dz, turned_h, turned_x;
  int64_t apart = 0;
};

// Some layers alike in all but their numbers.
template <class S>
void run_backward(Tasks& tasks, std::deque<Backward<S>>& layers) {
  using Layer = Backward<S>;
  double weights = 0, steps = 0, results = 0;
  for (const auto& layer : layers) {
    weights += layer.pack.operations();
    steps += 3 * layer.p.operations();
    results += double(layer.cut.groups) * layer.pack.operations();
  }
  if (layers.empty()) return;
  run_all<Layer>(tasks, layers, weights, &Layer::pack_panels, [](Layer& layer, int64_t k) { layer.pack.fill(k); });
  if (!layers[0].cut.wide)
    run_all<Layer>(tasks, layers, steps, &Layer::groups, [](Layer& layer, int64_t k) { layer.run_group(k); });
  const int64_t together = layers[0].together;
  for (int64_t end = layers[0].cut.wide ? layers[0].p.T : 0; end > 0; end -= together) {
    const int64_t first = std::max<int64_t>(0, end - together);
    run_all<Layer>(tasks, layers, steps, &Layer::tile_count,
                   [&](Layer& layer, int64_t k) { layer.run_tile(k, first, end); });
    run_all<Layer>(tasks, layers, steps, &Layer::panels,
                   [&](Layer& layer, int64_t k) { layer.run_panel(k, first, end); });
  }
  for (auto& layer : layers) layer.finish_wide();
  run_all<Layer>(tasks, layers, results, &Layer::results, [](Layer& layer, int64_t k) { layer.run_result(k); });
}

}  // namespace seqjax
