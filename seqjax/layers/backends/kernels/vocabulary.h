// The output layer over a vocabulary: what it says of each token's target, and the gradients of a loss, without the
// logits of all tokens; and the most probable tokens of logits that are there.
//
// A task owns some columns of the vocabulary, for some tokens: their logits stay in the cache until they are used up.
//
// Legend: N tokens, E features, V vocabulary; a panel is `panel_width` columns, a block some panels.

#pragma once

#include <limits>

#include "layer.h"

namespace seqjax {

constexpr int64_t kTogether = 256, kPanels = 8;  // tokens and panels of a task: 512 KB of logits
template <class S>
constexpr S kNothing = -std::numeric_limits<S>::infinity();

template <class S>
inline V<S> larger(V<S> a, V<S> b) {
  return b > a ? b : a;  // a NaN in b is passed over; the sum of powers keeps it
}
template <class S>
inline S largest_of(V<S> v) {
  S found = v[0];
  for (int k = 1; k < Vector<S>::width; ++k) found = std::max(found, S(v[k]));
  return found;
}
template <class S>
inline S sum_of(V<S> v) {
  S found = 0;
  for (int k = 0; k < Vector<S>::width; ++k) found += v[k];
  return found;
}

// Of a row of logits, or of a part of it.
template <class S>
struct Row {
  S largest = kNothing<S>;
  S total = 0;  // of exp(logit - largest)
  S own = 0;    // the target's logit, if it is among them
  S sum = 0;

  // exp(logit - shift) is what `total` adds up; it is 0 where there is nothing but -inf, and NaN where a NaN is.
  S shift() const { return largest == kNothing<S> ? S(0) : largest; }
  void add(const Row& other) {
    const S most = std::max(largest, other.largest), to = most == kNothing<S> ? S(0) : most;
    total = total * std::exp(shift() - to) + other.total * std::exp(other.shift() - to);
    largest = most;
    own += other.own;
    sum += other.sum;
  }
  S log_total() const { return shift() + std::log(total); }
};

// `count` vectors each `apart` from the one before, in groups of `together` that lie side by side.
template <class S, class Use>
inline void each_vector(const S* from, int64_t groups, int64_t apart, int64_t together, Use use) {
  for (int64_t k = 0; k < groups; ++k)
    for (int64_t n = 0; n < together; ++n) use(load(from + k * apart + n * Vector<S>::width));
}

template <class S>
class Output {
 public:
  static constexpr int64_t width = panel_width<S>(), vectors = kVectors;

  Output(int64_t N, int64_t E, int64_t V, const S* x, const S* kernel, const S* bias, const int32_t* targets)
      : N(N), E(E), V(V), x(x), kernel(kernel), bias(bias), targets(targets) {}

  int64_t panels() const { return (V + width - 1) / width; }
  int64_t blocks() const { return (panels() + kPanels - 1) / kPanels; }
  int64_t panels_of(int64_t block) const { return std::min(kPanels, panels() - block * kPanels); }
  int64_t columns_of(int64_t panel) const { return std::min(width, V - panel * width); }
  int64_t chunks() const { return (N + kTogether - 1) / kTogether; }
  int64_t tokens_of(int64_t chunk) const { return std::min(kTogether, N - chunk * kTogether); }
  double operations() const { return double(N) * E * V; }

  // logits [panels of the block, tokens of the chunk, width]; columns beyond V are -inf.
  void logits(int64_t chunk, int64_t block, S* to) const {
    const int64_t rows = tokens_of(chunk);
    Room<S> right(E * width), own(width, kNothing<S>);
    const std::vector<const S*> starts(rows, own.data());
    for (int64_t k = 0; k < panels_of(block); ++k, to += rows * width) {
      const int64_t panel = block * kPanels + k, columns = columns_of(panel);
      for (int64_t e = 0; e < E; ++e) std::copy_n(kernel + e * V + panel * width, columns, right.data() + e * width);
      std::copy_n(bias + panel * width, columns, own.data());
      if (columns < width) {
        std::fill(own.begin() + columns, own.end(), kNothing<S>);
        for (int64_t e = 0; e < E; ++e) std::fill_n(right.data() + e * width + columns, width - columns, S(0));
      }
      multiply_add<S>(rows, width, E, x + chunk * kTogether * E, E, 1, right.data(), width, to, width, starts.data());
    }
  }

  // What the block's logits say of token m of the chunk.
  Row<S> row(int64_t chunk, int64_t block, const S* logits, int64_t m) const {
    const int64_t rows = tokens_of(chunk), panels = panels_of(block);
    const S* own = logits + m * width;
    Row<S> found;
    seqjax::V<S> most = all(kNothing<S>), total{}, sum{};
    each_vector(own, panels, rows * width, vectors, [&](auto v) { most = larger<S>(most, v); });
    found.largest = largest_of<S>(most);
    const seqjax::V<S> shift = all(found.shift());
    each_vector(own, panels, rows * width, vectors, [&](auto v) { total += exp(v - shift); });
    found.total = sum_of<S>(total);
    const bool last = (block + 1) * kPanels >= this->panels();
    each_vector(own, panels - last, rows * width, vectors, [&](auto v) { sum += v; });
    found.sum = sum_of<S>(sum);
    for (int64_t n = 0; last && n < columns_of(this->panels() - 1); ++n)
      found.sum += own[(panels - 1) * rows * width + n];
    const int64_t target = targets[chunk * kTogether + m] - block * kPanels * width;
    if (target >= 0 && target < panels * width) found.own = own[target / width * rows * width + target % width];
    return found;
  }

  const int64_t N, E, V;
  const S *const x, *const kernel, *const bias;
  const int32_t* const targets;
};

// said [4]: the largest logit, the logarithm of the sum of their powers, the target's (NaN: there is none), the sum.
template <class S>
void say(const Output<S>& o, int64_t n, const Row<S>& row, S* said) {
  const bool there = o.targets[n] >= 0 && o.targets[n] < o.V;
  said[0] = row.largest;
  said[1] = row.log_total();
  said[2] = there ? row.own : std::numeric_limits<S>::quiet_NaN();
  said[3] = row.sum;
}

template <class S>
void run_judge(Tasks& tasks, const Output<S>& o, S* said) {
  std::vector<Row<S>> rows(o.blocks() * o.N);  // [blocks, N]
  tasks.run(o.chunks() * o.blocks(), o.operations(), [&](int64_t k) {
    const int64_t chunk = k / o.blocks(), block = k % o.blocks(), count = o.tokens_of(chunk);
    Room<S> logits(o.panels_of(block) * count * o.width);
    o.logits(chunk, block, logits.data());
    for (int64_t m = 0; m < count; ++m)
      rows[block * o.N + chunk * kTogether + m] = o.row(chunk, block, logits.data(), m);
  });
  for (int64_t n = 0; n < o.N; ++n) {
    for (int64_t block = 1; block < o.blocks(); ++block) rows[n].add(rows[block * o.N + n]);
    say(o, n, rows[n], said + n * 4);
  }
}

// Also the gradients of x, kernel and bias, where the gradient of a logit is
//     a * probability - b * (is it the target?) - c,    weights [N, 3] = a, b, c.
// A token whose weights are 0 adds nothing. One chunk's logits are there at a time.
template <class S>
void run_judge_gradients(Tasks& tasks, const Output<S>& o, const S* weights, S* said, S* dx, S* dkernel, S* dbias) {
  constexpr int64_t w = Vector<S>::width, width = Output<S>::width;
  const int64_t features = (o.E + w - 1) / w * w, blocks = o.blocks(), most = std::min(kTogether, o.N);
  Pack<S> pack;  // of the kernel turned, a matrix for each panel
  for (int64_t panel = 0; panel < o.panels(); ++panel)
    pack.add(o.kernel + panel * width, range(o.columns_of(panel), width), 1, range(o.E, features), o.V);
  tasks.run(pack.panels(), pack.operations(), [&](int64_t panel) { pack.fill(panel); });
  Room<S> vectors(o.E * (o.N + w)), all_logits(o.panels() * most * width), parts(blocks * most * features);
  const auto x = turned<S>(o.N, o.E, [&](int64_t n) { return o.x + n * o.E; }, vectors.data(), o.N + w);
  std::vector<Row<S>> rows(blocks * most);

  const auto one_panel = [&](int64_t chunk, int64_t panel, S* gradients, S* part) {
    const int64_t first = chunk * kTogether, count = o.tokens_of(chunk), columns = o.columns_of(panel);
    V<S> sums[kVectors] = {};
    for (int64_t m = 0; m < count; ++m) {
      S* own = gradients + m * width;
      const S *a = weights + (first + m) * 3, log_total = said[(first + m) * 4 + 1];
      if (a[0] == 0 && a[1] == 0 && a[2] == 0) {
        std::fill_n(own, width, S(0));
        continue;
      }
      for (int64_t n = 0; n < kVectors; ++n) store(own + n * w, a[0] * exp(load(own + n * w) - log_total) - a[2]);
      const int64_t target = o.targets[first + m] - panel * width;
      if (target >= 0 && target < columns) own[target] -= a[1];
      for (int64_t n = 0; n < kVectors; ++n) sums[n] += load(own + n * w);
    }
    for (int64_t n = 0; n < columns; ++n) {
      const S sum = sums[n / w][n % w];
      dbias[panel * width + n] = chunk ? dbias[panel * width + n] + sum : sum;
    }
    multiply_add<S>(count, features, width, gradients, width, 1, pack[panel], 0, part, features);
    S* to = dkernel + panel * width;
    if (columns == width) {
      for (int64_t e = 0; e < (chunk ? 0 : o.E); ++e) std::fill_n(to + e * o.V, width, S(0));
      multiply_add<S>(o.E, width, count, x.data + first, x.row, x.column, gradients, width, to, o.V);
      return;
    }
    Room<S> sum(o.E * width);
    multiply_add<S>(o.E, width, count, x.data + first, x.row, x.column, gradients, width, sum.data(), width);
    for (int64_t e = 0; e < o.E; ++e)
      for (int64_t n = 0; n < columns; ++n)
        to[e * o.V + n] = chunk ? to[e * o.V + n] + sum[e * width + n] : sum[e * width + n];
  };

  for (int64_t chunk = 0; chunk < o.chunks(); ++chunk) {
    const int64_t first = chunk * kTogether, count = o.tokens_of(chunk);
    const double operations = o.operations() * count / o.N;
    const auto logits_of = [&](int64_t block) { return all_logits.data() + block * kPanels * count * width; };
    tasks.run(blocks, operations, [&](int64_t block) {
      o.logits(chunk, block, logits_of(block));
      for (int64_t m = 0; m < count; ++m) rows[block * most + m] = o.row(chunk, block, logits_of(block), m);
    });
    for (int64_t m = 0; m < count; ++m) {
      for (int64_t block = 1; block < blocks; ++block) rows[m].add(rows[block * most + m]);
      say(o, first + m, rows[m], said + (first + m) * 4);
    }
    tasks.run(blocks, 2 * operations, [&](int64_t block) {
      S* part = parts.data() + block * most * features;
      std::fill_n(part, count * features, S(0));
      for (int64_t k = 0; k < o.panels_of(block); ++k)
        one_panel(chunk, block * kPanels + k, logits_of(block) + k * count * width, part);
    });
    tasks.run(count, double(count) * blocks * features, [&](int64_t m) {
      S* sum = parts.data() + m * features;
      for (int64_t block = 1; block < blocks; ++block)
        for (int64_t e = 0; e < o.E; ++e) sum[e] += parts[(block * most + m) * features + e];
      std::copy_n(sum, o.E, dx + (first + m) * o.E);
    });
  }
}

// The k largest of each row of logits [N, V], the largest first (of equals the first), and their columns; those that
// `never` [n] names count as -inf. log_total [N] is of all.
template <class S>
void run_largest(Tasks& tasks, int64_t N, int64_t V, int64_t k, int64_t n, const S* all_logits, const int32_t* never,
                 S* all_values, int32_t* all_columns, S* log_total) {
  constexpr int64_t w = Vector<S>::width, kRun = 16 * w;
  const int64_t pieces = std::min<int64_t>(N, 64), whole = V / w * w;
  tasks.run(pieces, double(N) * V * 4, [&](int64_t piece) {
    Room<S> most((V + kRun - 1) / kRun);  // of each run of columns
    for (int64_t row = N * piece / pieces; row < N * (piece + 1) / pieces; ++row) {
      const S* logits = all_logits + row * V;
      S *values = all_values + row * k, largest = kNothing<S>;
      int32_t* columns = all_columns + row * k;
      for (int64_t from = 0, run = 0; from < V; from += kRun, ++run) {
        seqjax::V<S> found = all(kNothing<S>);
        int64_t j = from;
        for (; j < std::min(whole, from + kRun); j += w) found = larger<S>(found, load(logits + j));
        most[run] = largest_of<S>(found);
        for (; j < std::min(V, from + kRun); ++j) most[run] = std::max(most[run], logits[j]);
        largest = std::max(largest, most[run]);
      }
      Row<S> sums;
      sums.largest = largest;
      seqjax::V<S> total{};
      for (int64_t j = 0; j < whole; j += w) total += exp(load(logits + j) - sums.shift());
      sums.total = sum_of<S>(total);
      for (int64_t j = whole; j < V; ++j) sums.total += std::exp(logits[j] - sums.shift());
      log_total[row] = sums.log_total();

      int64_t have = 0;
      for (int64_t from = 0, run = 0; from < V; from += kRun, ++run) {
        if (have == k && !(most[run] > values[k - 1])) continue;
        for (int64_t j = from; j < std::min(V, from + kRun); ++j) {
          const bool banned = std::find(never, never + n, int32_t(j)) != never + n;
          const S value = banned ? kNothing<S> : logits[j];
          if (have == k && !(value > values[k - 1])) continue;
          int64_t place = have < k ? have++ : k - 1;
          for (; place > 0 && value > values[place - 1]; --place) {
            values[place] = values[place - 1];
            columns[place] = columns[place - 1];
          }
          values[place] = value;
          columns[place] = int32_t(j);
        }
      }
    }
  });
}

}  // namespace seqjax
