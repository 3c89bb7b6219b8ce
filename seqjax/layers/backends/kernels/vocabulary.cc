// What XLA calls for an output layer over a vocabulary: seqjax/layers/backends/native_library.py compiles this file.

#include "vocabulary.h"

#include "checks.h"

namespace seqjax {
namespace {

// x [N, E], kernel [E, V], bias [V], targets [N], and what is said of each token [N, 4].
Checks judge_checks(const Buffer& x, const Buffer& kernel, const Buffer& bias, const Buffer& targets,
                    const Buffer& said) {
  Checks check(x.element_type());
  check.rank("x", x, 2);
  check.rank("kernel", kernel, 2);
  if (!check.good()) return check;
  const int64_t N = x.dimensions()[0], E = x.dimensions()[1], V = kernel.dimensions()[1];
  if (E < 1 || V < 1) check.fail("operand kernel is empty");
  check.floats("x", x, {N, E});
  check.floats("kernel", kernel, {E, V});
  check.floats("bias", bias, {V});
  check.integers("targets", targets, {N});
  check.floats("what is said", said, {N, 4});
  return check;
}

Output<Real> output(const Buffer& x, const Buffer& kernel, const Buffer& bias, const Buffer& targets) {
  return {x.dimensions()[0],   x.dimensions()[1],  kernel.dimensions()[1], given<Real>(x),
          given<Real>(kernel), given<Real>(bias), given<int32_t>(targets)};
}

ffi::Error judge(ffi::ThreadPool pool, Buffer x, Buffer kernel, Buffer bias, Buffer targets, Result said) {
  return run_if_good(judge_checks(x, kernel, bias, targets, *said), pool, [&](Tasks& tasks) {
    run_judge<Real>(tasks, output(x, kernel, bias, targets), wanted(said));
  });
}

ffi::Error judge_gradients(ffi::ThreadPool pool, Buffer x, Buffer kernel, Buffer bias, Buffer targets, Buffer weights,
                           Result said, Result dx, Result dkernel, Result dbias) {
  Checks check = judge_checks(x, kernel, bias, targets, *said);
  if (check.good()) {
    const int64_t N = x.dimensions()[0], E = x.dimensions()[1], V = kernel.dimensions()[1];
    check.floats("weights", weights, {N, 3});
    check.floats("gradient of x", *dx, {N, E});
    check.floats("gradient of kernel", *dkernel, {E, V});
    check.floats("gradient of bias", *dbias, {V});
  }
  return run_if_good(check, pool, [&](Tasks& tasks) {
    const Output<Real> o = output(x, kernel, bias, targets);
    if (o.N == 0) {
      std::fill_n(wanted(dkernel), o.E * o.V, Real(0));
      std::fill_n(wanted(dbias), o.V, Real(0));
    }
    run_judge_gradients<Real>(tasks, o, given<Real>(weights), wanted(said), wanted(dx), wanted(dkernel),
                              wanted(dbias));
  });
}

ffi::Error largest(ffi::ThreadPool pool, Buffer logits, Buffer never, Result values, Result columns,
                   Result log_total) {
  Checks check(logits.element_type());
  check.rank("logits", logits, 2);
  check.rank("values", *values, 2);
  check.rank("never", never, 1);
  if (check.good()) {
    const int64_t N = logits.dimensions()[0], V = logits.dimensions()[1], k = values->dimensions()[1];
    if (k < 1 || k > V) check.fail("operand logits has not so many columns");
    check.floats("values", *values, {N, k});
    check.integers("columns", *columns, {N, k});
    check.integers("never", never, {never.dimensions()[0]});
    check.floats("log_total", *log_total, {N});
  }
  return run_if_good(check, pool, [&](Tasks& tasks) {
    run_largest<Real>(tasks, logits.dimensions()[0], logits.dimensions()[1], values->dimensions()[1],
                      never.dimensions()[0], given<Real>(logits), given<int32_t>(never), wanted(values),
                      columns->typed_data<int32_t>(), wanted(log_total));
  });
}

}  // namespace
}  // namespace seqjax

namespace ffi = xla::ffi;
using seqjax::Buffer;

#define SEQJAX_OUTPUT                                                                                                \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_judge, seqjax::judge, SEQJAX_OUTPUT.Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_judge_gradients, seqjax::judge_gradients,
                              SEQJAX_OUTPUT.Arg<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_largest, seqjax::largest,
                              ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Ret<Buffer>());
