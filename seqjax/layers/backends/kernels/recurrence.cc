// What XLA calls for a recurrence that is linear in its state, h_t = a_t h_{t-1} + b_t elementwise:
// seqjax/layers/linear_recurrence.py says the rest. It moves three numbers for each that it multiplies, so a task is a
// row of the batch and as many units as fit into registers and a cache line's neighbours.

#include "checks.h"

namespace seqjax {
namespace {

constexpr int64_t kUnits = 64;  // of a task

// T steps of `units` columns out of U; step: U, or -U from the last step to the first.
void recur_columns(int64_t T, int64_t step, int64_t units, const Real* decay, const Real* update, const Real* initial,
                   Real* states) {
  Real h[kUnits];
  std::copy_n(initial, units, h);
  for (int64_t t = 0; t < T; ++t, decay += step, update += step, states += step)
    for (int64_t u = 0; u < units; ++u) states[u] = h[u] = decay[u] * h[u] + update[u];
}

ffi::Error recur(ffi::ThreadPool pool, Buffer decay, Buffer update, Buffer initial, Result states, bool reverse) {
  Checks check(decay.element_type());
  check.rank("decay", decay, 3);
  int64_t B = 0, T = 0, U = 0;
  if (check.good()) {
    B = decay.dimensions()[0], T = decay.dimensions()[1], U = decay.dimensions()[2];
    check.floats("decay", decay, {B, T, U});
    check.floats("update", update, {B, T, U});
    check.floats("initial", initial, {B, U});
    check.floats("states", *states, {B, T, U});
  }
  return run_if_good(check, pool, [&](Tasks& tasks) {
    const int64_t blocks = (U + kUnits - 1) / kUnits;
    const Real *a = given<Real>(decay), *b = given<Real>(update), *h = given<Real>(initial);
    Real* out = wanted(states);
    if (!out) return;
    tasks.run(B * blocks, 3.0 * B * T * U, [=](int64_t k) {
      const int64_t row = k / blocks, first = k % blocks * kUnits;
      const int64_t begin = row * T * U + (reverse ? (T - 1) * U : 0) + first;
      recur_columns(T, reverse ? -U : U, std::min(kUnits, U - first), a + begin, b + begin, h + row * U + first,
                    out + begin);
    });
  });
}

}  // namespace
}  // namespace seqjax

namespace ffi = xla::ffi;
using seqjax::Buffer;

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_recur, seqjax::recur,
                              ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>().Attr<bool>("reverse"));
