// Every kernel on one thread and on eight, without JAX: for -fsanitize=thread and for other processors. Ends with 0 if
// the bits agree. All numbers go to the file that is named, if one is.

#include <cstdio>
#include <random>
#include <thread>

#include "backward.h"
#include "forward.h"
#include "products.h"
#include "vocabulary.h"

namespace seqjax {

// What XLA gives a call, of threads that are started for every task.
struct Threads {
  explicit Threads(int64_t count) : count(count) {
    api.XLA_FFI_ThreadPool_Schedule = [](XLA_FFI_ThreadPool_Schedule_Args* args) -> XLA_FFI_Error* {
      std::thread([task = args->task, data = args->data] { task(data); }).detach();
      return nullptr;
    };
    api.XLA_FFI_ThreadPool_NumThreads = [](XLA_FFI_ThreadPool_NumThreads_Args* args) -> XLA_FFI_Error* {
      *args->num_threads = reinterpret_cast<Threads*>(args->ctx)->count;
      return nullptr;
    };
  }
  Tasks tasks() {
    auto* context = reinterpret_cast<XLA_FFI_ExecutionContext*>(this);
    return Tasks(*xla::ffi::CtxDecoding<xla::ffi::ThreadPool>::Decode(&api, context, diagnostic));
  }
  int64_t count;
  XLA_FFI_Api api{};
  xla::ffi::DiagnosticEngine diagnostic;
};

using Numbers = std::vector<float>;

Numbers draw(size_t count) {
  static std::mt19937 generator(0);
  std::normal_distribution<float> normal(0, 0.2f);
  Numbers found(count);
  for (float& number : found) number = normal(generator);
  return found;
}

// All that a layer gives, forward and back; K directions over the same inputs, of tokens where `features` is 0.
struct Layers {
  static constexpr int64_t K = 2, N = 90;

  Layers(Kind kind, int64_t B, int64_t T, int64_t D, int64_t U, int64_t drops)
      : kind(kind), G(gates_of(kind)), B(B), T(T), D(D), U(U), drops(drops), x(draw(D ? B * T * D : N * K * G * U)),
        kernel(draw(K * D * G * U)), bias(draw(K * G * U)), recurrent(draw(K * U * G * U)), inner(draw(K * U)),
        h(draw(K * B * U)), c(draw(K * B * U)),
        drop(draw(K * drops * B * U)), dhs(draw(B * T * K * U)), mask(new bool[B * T]) {
    for (int64_t n = 0; n < B * T; ++n) ids.push_back(n * 31 % N), mask[n] = n % 5 > 0;
  }

  Problem<float> problem(int64_t k) const {
    Problem<float> p{};
    p.kind = kind;
    p.B = B, p.T = T, p.D = D, p.U = U, p.P = (U + 15) / 16 * 16;
    p.x = x.data() + (D ? 0 : k * G * U), p.x_row = K * G * U, p.ids = D ? nullptr : ids.data();
    p.kernel = kernel.data() + k * D * G * U, p.bias = bias.data() + k * G * U;
    p.recurrent = recurrent.data() + k * U * G * U, p.inner = inner.data() + k * U;
    p.drops = drops, p.drop = drops ? drop.data() + k * drops * B * U : nullptr;
    p.mask = mask.get(), p.reverse = k > 0, p.used = D ? 0 : N, p.step = K * U, p.layers = K;
    return p;
  }

  Numbers run(Threads threads) const {
    Tasks tasks = threads.tasks();
    const int64_t kept = T * B * saved_of(kind) * problem(0).P, state = B * U;
    Numbers hs(B * T * K * U), h_out(K * state), c_out(K * state), saved(K * kept);
    Numbers dx(D ? K * B * T * D : N * K * G * U), dkernel(kernel.size()), dbias(bias.size()), dr(recurrent.size());
    Numbers dinner(inner.size()), dh(h.size()), dc(c.size());
    std::deque<Forward<float>> forward;
    std::deque<Backward<float>> backward;
    for (int64_t k = 0; k < K; ++k)
      forward.emplace_back(problem(k), States<float>{&h[k * state], &c[k * state], &hs[k * U], &h_out[k * state],
                                                     &c_out[k * state], &saved[k * kept]});
    run_forward(tasks, forward);
    for (int64_t k = 0; k < K; ++k)
      backward.emplace_back(
          problem(k), Gradients<float>{&h[k * state], &c[k * state], &saved[k * kept], &dhs[k * U], &h_out[k * state],
                                       &c_out[k * state], &dx[k * (D ? B * T * D : G * U)],
                                       D ? &dkernel[k * D * G * U] : nullptr, &dbias[k * G * U],
                                       &dr[k * U * G * U], &dinner[k * U], &dh[k * state], &dc[k * state]});
    run_backward(tasks, backward);
    for (const auto* part : {&h_out, &c_out, &saved, &dx, &dkernel, &dbias, &dr, &dinner, &dh, &dc})
      hs.insert(hs.end(), part->begin(), part->end());
    return hs;
  }

  Kind kind;
  int64_t G, B, T, D, U, drops;
  Numbers x, kernel, bias, recurrent, inner, h, c, drop, dhs;
  std::vector<int32_t> ids;
  std::shared_ptr<bool[]> mask;
};

Numbers products(Threads threads) {
  Tasks tasks = threads.tasks();
  const int64_t V = 400, D = 70, N = 130, n = 300, T = 40, B = 64, W = 5, F = 9, bags = 300, words = 50;
  static const Numbers table = draw(V * D), kernel = draw(D * N), bias = draw(N), drows = draw(n * N);
  static const Numbers x = draw(T * D * B), taps = draw(W * D * F), dy = draw(T * F * B), gradient = draw(bags * D);
  std::vector<int32_t> tokens, text;
  for (int64_t k = 0; k < n; ++k) tokens.push_back(k + k / 4);
  for (int64_t k = 0; k < bags * words; ++k) text.push_back(k * 7 % V);
  Numbers rows(n * N), dtable(V * D), dkernel(D * N), dbias(N), sums(bags * D), dbags(V * D);
  Numbers y((T - W + 1) * F * B), dx(T * D * B), dtaps(W * D * F);
  run_project(tasks, V, D, N, n, table.data(), tokens.data(), kernel.data(), bias.data(), rows.data());
  run_project_backward(tasks, V, D, N, n, table.data(), tokens.data(), kernel.data(), drows.data(), dtable.data(),
                       dkernel.data(), dbias.data());
  const float* none = nullptr;
  run_bags(tasks, bags, words, V, D, text.data(), none, table.data(), sums.data());
  run_bags_backward(tasks, bags, words, V, D, text.data(), none, gradient.data(), dbags.data());
  run_convolve(tasks, T, D, B, W, F, x.data(), taps.data(), y.data());
  run_convolve_inputs(tasks, T, D, B, W, F, dy.data(), taps.data(), dx.data());
  run_convolve_kernel(tasks, T, D, B, W, F, x.data(), dy.data(), dtaps.data());
  for (const auto* part : {&dtable, &dkernel, &dbias, &sums, &dbags, &y, &dx, &dtaps})
    rows.insert(rows.end(), part->begin(), part->end());
  return rows;
}

Numbers vocabulary(Threads threads) {
  Tasks tasks = threads.tasks();
  const int64_t N = 300, E = 21, V = 1300, k = 7;
  static const Numbers x = draw(N * E), kernel = draw(E * V), bias = draw(V), weights = draw(N * 3);
  std::vector<int32_t> targets, never = {3, 1299}, columns(N * k);
  for (int64_t n = 0; n < N; ++n) targets.push_back(n * 31 % V);
  Numbers said(N * 4), again(N * 4), dx(N * E), dkernel(E * V), dbias(V), values(N * k), total(N);
  const Output<float> output(N, E, V, x.data(), kernel.data(), bias.data(), targets.data());
  run_judge(tasks, output, said.data());
  run_judge_gradients(tasks, output, weights.data(), again.data(), dx.data(), dkernel.data(), dbias.data());
  run_largest(tasks, N, E, k, 2, x.data(), never.data(), values.data(), columns.data(), total.data());
  for (const auto* part : {&again, &dx, &dkernel, &dbias, &values, &total})
    said.insert(said.end(), part->begin(), part->end());
  return said;
}

std::FILE* numbers = nullptr;

bool same(const Numbers& one, const Numbers& eight, const char* what) {
  if (numbers) std::fwrite(one.data(), sizeof(float), one.size(), numbers);
  const bool found = one.size() == eight.size() && !std::memcmp(one.data(), eight.data(), one.size() * sizeof(float));
  if (!found) std::fprintf(stderr, "%s: other bits\n", what);
  return found;
}

bool layers(Kind kind, const char* what) {
  bool good = true;
  for (const int64_t U : {20, 130})
    for (const int64_t D : {0, 24})
      for (const int64_t drops : {int64_t(0), gates_of(kind) + int64_t(0)}) {
        const Layers found(kind, 50, 12, D, U, drops);
        good &= same(found.run(Threads(1)), found.run(Threads(8)), what);
      }
  return good;
}

}  // namespace seqjax

int main(int count, char** arguments) {
  using namespace seqjax;
  if (count > 1) numbers = std::fopen(arguments[1], "wb");
  bool good = layers(kSimpleRnn, "SimpleRNN") & layers(kLstm, "LSTM") & layers(kGru, "GRU");
  good &= same(products(Threads(1)), products(Threads(8)), "products");
  good &= same(vocabulary(Threads(1)), vocabulary(Threads(8)), "vocabulary");
  if (numbers) std::fclose(numbers);
  if (good) std::puts("one thread and eight: the same bits");
  return good ? 0 : 1;
}
