// All steps of a recurrent layer back.

#pragma once

#include "cells.h"

namespace seqjax {

template <class S>
struct Gradients {
  const S *h0, *c0;                                  // [B, U]: the state before the first step
  const S* saved;                                    // [T, B, saved_of, P], of the forward
  const S *hs, *h_out, *c_out;                       // of what came out; hs, `Problem::step` apart, or none
  S *x, *kernel, *bias, *recurrent, *inner, *h, *c;  // shaped as what they are of; x may be missing
};

template <class S, Kind kind>
class Backward {
 public:
  Backward(const Problem<S>& p, const Gradients<S>& d)
      : p(p), d(d), cut(cut_of(p, blocks)), together(cut.steps(p.T, p.B)), per_gate(p.drops > 1) {
    for (int gate = 0; gate < gates(); ++gate)  // R^T [G*P, P]
      pack.add(p.recurrent, places(p.U, p.P, gate, per_gate ? 1 : G), 1, range(p.U, p.P), G * p.U);
    if (p.D && d.x)  // W^T [G*P, Q]
      for (const auto& s : segments) pack.add(p.kernel, places(p.U, p.P, s.gate, s.count), 1, range(p.D, Q()), G * p.U);
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

  // ---- Weights that stay in the cache: a group of tiles goes back through all steps. ----

  void run_group(int64_t group) {
    Sums& sum = sums[group];
    if (!p.D && d.x && group == 0)
      for (int64_t n = 0; n < p.used; ++n) std::fill_n(d.x + n * p.x_row, G * p.U, S(0));
    for (int64_t k = cut.first_tile(group); k < cut.first_tile(group + 1); ++k) {
      Tile tile(*this, k, 1);
      for (int64_t step = p.T - 1; step >= 0; --step) {
        S* gates = tile.gates.data();
        if (!retreat_step(tile, step, gates)) {
          if (p.D && d.x) no_inputs(tile, step);
          continue;
        }
        add_rows(tile.rows, gates, 0, blocks * p.P, sum.db.data());
        weights_of_step(tile, step, sum);
        if (p.D && d.x) inputs(tile, step, step + 1, gates);
        if (!p.D && d.x)
          for (int block = 0; block < blocks; ++block)
            add_tokens(tile, step, gates, block, 0, p.P, group ? sum.dx.data() : d.x, group ? G * p.U : p.x_row);
      }
      finish(tile);
    }
  }

  // ---- A wide layer: tiles go back some steps, then tasks add columns of the weights' gradients. ----

  void run_tile(int64_t k, int64_t first, int64_t end) {
    Tile& tile = tiles[k];
    const int64_t place = tile.from * (end - first), rows = tile.rows * (end - first);
    const auto at = [&](int64_t step) { return &dz[(place + (step - first) * tile.rows) * cut.stride]; };
    bool any = false;
    for (int64_t step = end - 1; step >= first; --step) any |= retreat_step(tile, step, at(step));
    for (int64_t gate = 0; gate < gates(); ++gate) {
      if (p.drops)
        for (int64_t step = first; step < end; ++step) drop(tile, gate, step, (step - first) * tile.rows);
      const auto h = [&](int64_t k) {
        const int64_t step = first + k / tile.rows;
        return p.drops ? &tile.dropped[k * p.P] : h_before(tile, step) + k % tile.rows * h_stride(step);
      };
      turned<S>(rows, p.U, h, &turned_h[gate * p.U * apart + place], apart);
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
    const int64_t width = std::min(panel_width<S>(), p.P - column), place = block * p.P + column, rows = (end - first) * p.B;
    const auto add = [&](int64_t M, const S* left, S* to, int64_t stride) {
      multiply_add<S>(M, width, rows, left, apart, 1, &dz[place], cut.stride, to + place, stride);
    };
    add_rows(rows, dz.data(), place, width, sum.db.data());
    if (block < G) add(p.U, &turned_h[(per_gate ? block : 0) * p.U * apart], sum.dR.data(), G * p.P);
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
      if (kind == kGru) std::copy_n(row + 2 * p.P, p.U, d.inner);
    });
    const int64_t end = std::min(p.used, k * kTokens);
    for (int64_t n = (k - 1) * kTokens; n < end; ++n)
      for (size_t group = 1; group < sums.size(); ++group)
        for (int64_t u = 0; u < G * p.U; ++u) d.x[n * p.x_row + u] += sums[group].dx[n * G * p.U + u];
  }

  const Problem<S> p;
  const Gradients<S> d;
  const Cut cut;
  const int64_t together;  // steps that a wide layer's tiles go back between gradients of the weights
  Pack<S> pack;

 private:
  static constexpr int G = gates_of(kind), blocks = blocks_of(kind), kept = saved_of(kind), w = Vector<S>::width;
  static constexpr int64_t kTokens = 64;  // rows of tokens that a task adds up

  struct Sums {  // of a group of tiles
    Sums(const Backward& b, bool tokens)
        : dR(b.p.U * G * b.p.P), dW(b.p.D * b.cut.stride), db(blocks * b.p.P), dx(tokens ? b.p.used * G * b.p.U : 0) {}
    Room<S> dR, dW, db, dx;
  };

  struct Tile {  // some rows on their way back
    Tile(const Backward& b, int64_t tile, int64_t steps)
        : from(b.cut.from(tile)),
          rows(b.cut.rows(tile)),
          dh(rows * b.p.P),
          dc(kind == kLstm ? rows * b.p.P : 0),
          next(rows * b.p.P),
          gates(b.cut.wide ? 0 : rows * b.cut.stride),
          dropped(b.p.drops ? steps * rows * b.p.P : 0),
          through_drop(b.p.drops ? rows * b.p.P : 0),
          first_before(b.p.P),
          dx(b.p.D && b.d.x ? steps * rows * b.Q() : 0) {
      for (int64_t m = 0; m < rows; ++m) {
        std::copy_n(b.d.h_out + (from + m) * b.p.U, b.p.U, dh.data() + m * b.p.P);
        if (kind == kLstm) std::copy_n(b.d.c_out + (from + m) * b.p.U, b.p.U, dc.data() + m * b.p.P);
      }
    }
    int64_t from, rows;
    Room<S> dh, dc, next, gates, dropped, through_drop, first_before, dx;
  };

  int64_t Q() const { return (p.D * sizeof(S) + kPadding - 1) / kPadding * kPadding / sizeof(S); }
  int gates() const { return per_gate ? G : 1; }  // that have a recurrent product of their own
  int64_t block_panels() const { return (p.P + panel_width<S>() - 1) / panel_width<S>(); }
  int64_t token_tasks() const { return (p.used + kTokens - 1) / kTokens; }

  // h before a step as the step's rows, and how far these are apart.
  const S* h_before(const Tile& tile, int64_t step) const {
    return step ? d.saved + (p.time(step - 1) * p.B + tile.from) * kept * p.P + (kept - 1) * p.P : d.h0 + tile.from * p.U;
  }
  int64_t h_stride(int64_t step) const { return step ? kept * p.P : p.U; }
  int64_t x_place(const Tile& tile, int64_t step, int64_t m) const {
    return ((tile.from + m) * p.T + p.time(step)) * p.D;
  }
  const S* x_row(const Tile& tile, int64_t step, int64_t m) const { return p.x + x_place(tile, step, m); }
  void drop(Tile& tile, int64_t gate, int64_t step, int64_t place) {
    drop_rows(p, gate, tile.from, tile.rows, h_before(tile, step), h_stride(step), &tile.dropped[place * p.P]);
  }

  // A step leaves the gradients of its gates in `rows`, those of the state before it in the tile; false: none is valid.
  bool retreat_step(Tile& tile, int64_t step, S* rows) {
    const int64_t U = p.U, P = p.P, t = p.time(step);
    const bool any = p.any(tile.from, tile.from + tile.rows, t);
    const S* earlier = step ? d.saved + (p.time(step - 1) * p.B + tile.from) * kept * P : nullptr;
    for (int64_t m = 0; m < tile.rows; ++m) {
      const int64_t b = tile.from + m;
      S *dh = tile.dh.data() + m * P, *dc = tile.dc.data() + m * P, *row = rows + m * cut.stride;
      if (d.hs) {
        const S* given = d.hs + (b * p.T + t) * p.step;
        for (int64_t u = 0; u < U; ++u) dh[u] += given[u];
      }
      if (!p.valid(b, t)) {  // held: the gradient passes by
        std::fill_n(row, blocks * P, S(0));
        std::copy_n(dh, P, tile.next.data() + m * P);
        continue;
      }
      if (step) prefetch<false>(earlier + m * kept * P, kept * P);
      if (!p.D && d.x && !cut.wide) prefetch<true>(d.x + p.token(b, t) * p.x_row, G * U);
      const S* keep = d.saved + (t * p.B + b) * kept * P;
      const S* before = tile.first_before.data();  // c of an LSTM, h of a GRU
      if (step)
        before = earlier + m * kept * P + 4 * P;
      else if (kind != kSimpleRnn)
        std::copy_n((kind == kLstm ? d.c0 : d.h0) + b * U, U, tile.first_before.data());
      retreat<S, kind>(P, keep, before, dh, dc, row, tile.next.data() + m * P);
    }
    for (int64_t k = 0; any && k < gates(); ++k) {
      const int64_t width = per_gate ? P : G * P;
      S* sums = p.drops ? tile.through_drop.data() : tile.next.data();
      if (p.drops) std::fill(tile.through_drop.begin(), tile.through_drop.end(), S(0));
      multiply_add<S>(tile.rows, P, width, rows + k * P, cut.stride, 1, pack[k], 0, sums, P);
      if (!p.drops) continue;
      const S* mask = p.drop + ((per_gate ? k : 0) * p.B + tile.from) * U;
      for (int64_t m = 0; m < tile.rows; ++m)
        for (int64_t u = 0; u < U; ++u) tile.next[m * P + u] += sums[m * P + u] * mask[m * U + u];
    }
    std::swap(tile.dh, tile.next);
    return any;
  }

  void weights_of_step(Tile& tile, int64_t step, Sums& sum) {
    const S* rows = tile.gates.data();
    for (int64_t k = 0; k < gates(); ++k) {
      if (p.drops) drop(tile, k, step, 0);
      const S* h = p.drops ? tile.dropped.data() : h_before(tile, step);
      multiply_add<S>(p.U, per_gate ? p.P : G * p.P, tile.rows, h, 1, p.drops ? p.P : h_stride(step), rows + k * p.P,
                      cut.stride, &sum.dR[k * p.P], G * p.P);
    }
    for (const auto& s : segments)
      multiply_add<S>(p.D, s.count * p.P, p.D ? tile.rows : 0, x_row(tile, step, 0), 1, p.T * p.D,
                      rows + s.block * p.P, cut.stride, sum.dW.data() + s.block * p.P, cut.stride);
  }

  // The gradients of the inputs of some steps, from those of the gates.
  void inputs(Tile& tile, int64_t first, int64_t end, const S* rows) {
    const int64_t all = (end - first) * tile.rows;
    std::fill(tile.dx.begin(), tile.dx.end(), S(0));
    for (size_t k = 0; k < segments.size(); ++k)
      multiply_add<S>(all, Q(), segments[k].count * p.P, rows + segments[k].block * p.P, cut.stride, 1,
                      pack[gates() + k], 0, tile.dx.data(), Q());
    for (int64_t k = 0; k < all; ++k)
      std::copy_n(&tile.dx[k * Q()], p.D, d.x + x_place(tile, first + k / tile.rows, k % tile.rows));
  }
  void no_inputs(const Tile& tile, int64_t step) {
    for (int64_t m = 0; m < tile.rows; ++m) std::fill_n(d.x + x_place(tile, step, m), p.D, S(0));
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

  void finish(const Tile& tile) {
    for (int64_t m = 0; m < tile.rows; ++m) {
      std::copy_n(tile.dh.data() + m * p.P, p.U, d.h + (tile.from + m) * p.U);
      if (kind == kLstm) std::copy_n(tile.dc.data() + m * p.P, p.U, d.c + (tile.from + m) * p.U);
    }
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

  const bool per_gate;
  const std::vector<Segment> segments = segments_of(kind);
  std::vector<Sums> sums;
  // Of a wide layer, for some steps: gradients of the gates, tile by tile; the left factors of dR and dW.
  std::vector<Tile> tiles;
  Room<S> dz, turned_h, turned_x;
  int64_t apart = 0;
};

// Some layers alike in all but their numbers.
template <class S, Kind kind>
void run_backward(Tasks& tasks, std::vector<Backward<S, kind>>& layers) {
  using Layer = Backward<S, kind>;
  double weights = 0, steps = 0, results = 0;
  for (const auto& layer : layers) {
    weights += layer.pack.operations();
    steps += 3 * layer.p.operations();
    results += double(layer.cut.groups) * layer.pack.operations();
  }
  run_all(
      tasks, layers, weights, [](const Layer& layer) { return layer.pack.panels(); },
      [](Layer& layer, int64_t panel) { layer.pack.fill(panel); });
  if (layers.empty()) return;
  const int64_t T = layers[0].p.T, together = layers[0].together;
  if (!layers[0].cut.wide)
    run_all(
        tasks, layers, steps, [](const Layer& layer) { return layer.cut.groups; },
        [](Layer& layer, int64_t group) { layer.run_group(group); });
  for (int64_t end = layers[0].cut.wide ? T : 0; end > 0; end -= together) {
    const int64_t first = std::max<int64_t>(0, end - together);
    run_all(
        tasks, layers, steps, [](const Layer& layer) { return layer.cut.tiles; },
        [&](Layer& layer, int64_t tile) { layer.run_tile(tile, first, end); });
    run_all(
        tasks, layers, steps, [](const Layer& layer) { return layer.panels(); },
        [&](Layer& layer, int64_t panel) { layer.run_panel(panel, first, end); });
  }
  for (auto& layer : layers) layer.finish_wide();
  run_all(
      tasks, layers, results, [](const Layer& layer) { return layer.results(); },
      [](Layer& layer, int64_t k) { layer.run_result(k); });
}

}  // namespace seqjax
