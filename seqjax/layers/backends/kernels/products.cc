// What XLA calls for the products: seqjax/layers/backends/native_library.py compiles this file.

#include "products.h"

#include "checks.h"

namespace seqjax {
namespace {

// table [V, D], the places of N tokens in it, how many of these count, kernel [D, R], and what has shape [N, R].
Checks project_checks(const Buffer& table, const Buffer& tokens, const Buffer& used, const Buffer& kernel,
                      const Buffer& rows) {
  Checks check(table.element_type());
  check.rank("table", table, 2);
  check.rank("kernel", kernel, 2);
  check.rank("tokens", tokens, 1);
  if (!check.good()) return check;
  const int64_t V = table.dimensions()[0], D = table.dimensions()[1], R = kernel.dimensions()[1];
  const int64_t N = tokens.dimensions()[0];
  check.floats("table", table, {V, D});
  check.integers("tokens", tokens, {N});
  check.integers("used", used, {});
  check.floats("kernel", kernel, {D, R});
  check.floats("rows", rows, {N, R});
  check.require("operand used counts more than operand tokens has",
                [&] { return all_below(used.typed_data<int32_t>(), 1, N + 1); });
  return check;
}

ffi::Error project(ffi::ThreadPool pool, Buffer table, Buffer tokens, Buffer used, Buffer kernel, Buffer bias,
                   Result rows) {
  Checks check = project_checks(table, tokens, used, kernel, *rows);
  if (check.good()) check.floats("bias", bias, {kernel.dimensions()[1]});
  return run_if_good(check, pool, [&](Tasks& tasks) {
    const auto shape = table.dimensions();
    run_project<Real>(tasks, shape[0], shape[1], kernel.dimensions()[1], used.typed_data<int32_t>()[0],
                      given<Real>(table), given<int32_t>(tokens), given<Real>(kernel), given<Real>(bias), wanted(rows));
  });
}

ffi::Error project_backward(ffi::ThreadPool pool, Buffer table, Buffer tokens, Buffer used, Buffer kernel,
                            Buffer gradient, Result dtable, Result dkernel, Result dbias) {
  Checks check = project_checks(table, tokens, used, kernel, gradient);
  if (check.good()) {
    const int64_t V = table.dimensions()[0], D = table.dimensions()[1], R = kernel.dimensions()[1];
    check.floats_or_absent("gradient of table", *dtable, {V, D});
    check.floats("gradient of kernel", *dkernel, {D, R});
    check.floats("gradient of bias", *dbias, {R});
    check.require("operand tokens does not ascend within operand table", [&] {
      const int32_t *first = given<int32_t>(tokens), n = used.typed_data<int32_t>()[0];
      bool good = all_below(first, n, V);
      for (int32_t k = 1; k < n; ++k) good &= first[k - 1] < first[k];
      return good;
    });
  }
  return run_if_good(check, pool, [&](Tasks& tasks) {
    const auto shape = table.dimensions();
    run_project_backward<Real>(tasks, shape[0], shape[1], kernel.dimensions()[1], used.typed_data<int32_t>()[0],
                               given<Real>(table), given<int32_t>(tokens), given<Real>(kernel), given<Real>(gradient),
                               wanted(dtable), wanted(dkernel), wanted(dbias));
  });
}

// tokens [B, T] with weights or none, kernel [V, U] and sums [B, U], or the gradients of these two.
Checks bags_checks(const Buffer& tokens, const Buffer& weights, const Buffer& kernel, const Buffer& sums) {
  Checks check(kernel.element_type());
  check.rank("tokens", tokens, 2);
  check.rank("kernel", kernel, 2);
  if (!check.good()) return check;
  const int64_t B = tokens.dimensions()[0], T = tokens.dimensions()[1];
  const int64_t V = kernel.dimensions()[0], U = kernel.dimensions()[1];
  if (V < 1) check.fail("operand kernel has no rows");
  check.integers("tokens", tokens, {B, T});
  check.floats_or_absent("weights", weights, {B, T});
  check.floats("kernel", kernel, {V, U});
  check.floats("sums", sums, {B, U});
  return check;
}

ffi::Error bags(ffi::ThreadPool pool, Buffer tokens, Buffer weights, Buffer kernel, Result sums) {
  return run_if_good(bags_checks(tokens, weights, kernel, *sums), pool, [&](Tasks& tasks) {
    const auto shape = tokens.dimensions(), size = kernel.dimensions();
    run_bags<Real>(tasks, shape[0], shape[1], size[0], size[1], given<int32_t>(tokens), given<Real>(weights),
                   given<Real>(kernel), wanted(sums));
  });
}

ffi::Error bags_backward(ffi::ThreadPool pool, Buffer tokens, Buffer weights, Buffer gradient, Result dkernel) {
  return run_if_good(bags_checks(tokens, weights, *dkernel, gradient), pool, [&](Tasks& tasks) {
    const auto shape = tokens.dimensions(), size = dkernel->dimensions();
    run_bags_backward<Real>(tasks, shape[0], shape[1], size[0], size[1], given<int32_t>(tokens), given<Real>(weights),
                            given<Real>(gradient), wanted(dkernel));
  });
}

// inputs [T, D, B], kernel [W, D, F] and outputs [T - W + 1, F, B], or the gradients of some of them.
Checks convolution_checks(const Buffer& inputs, const Buffer& kernel, const Buffer& outputs) {
  Checks check(inputs.element_type());
  check.rank("inputs", inputs, 3);
  check.rank("kernel", kernel, 3);
  if (!check.good()) return check;
  const auto x = inputs.dimensions(), k = kernel.dimensions();
  if (k[0] < 1 || k[0] > x[0]) check.fail("operand kernel is wider than operand inputs is long, or has no width");
  if (x[2] % (kPadding / int64_t(sizeof(Real)))) check.fail("operand inputs is no whole number of vectors");
  check.floats("inputs", inputs, {x[0], x[1], x[2]});
  check.floats("kernel", kernel, {k[0], x[1], k[2]});
  check.floats("outputs", outputs, {x[0] - k[0] + 1, k[2], x[2]});
  return check;
}

// function(tasks, T, D, B, W, F).
template <class Function>
ffi::Error convolution(const Buffer& inputs, const Buffer& kernel, const Buffer& outputs, ffi::ThreadPool pool,
                       Function function) {
  return run_if_good(convolution_checks(inputs, kernel, outputs), pool, [&](Tasks& tasks) {
    const auto x = inputs.dimensions(), k = kernel.dimensions();
    function(tasks, x[0], x[1], x[2], k[0], k[2]);
  });
}

ffi::Error convolve(ffi::ThreadPool pool, Buffer inputs, Buffer kernel, Result outputs) {
  return convolution(inputs, kernel, *outputs, pool, [&](Tasks& tasks, auto... sizes) {
    run_convolve<Real>(tasks, sizes..., given<Real>(inputs), given<Real>(kernel), wanted(outputs));
  });
}

ffi::Error convolve_inputs(ffi::ThreadPool pool, Buffer gradient, Buffer kernel, Result dinputs) {
  return convolution(*dinputs, kernel, gradient, pool, [&](Tasks& tasks, auto... sizes) {
    run_convolve_inputs<Real>(tasks, sizes..., given<Real>(gradient), given<Real>(kernel), wanted(dinputs));
  });
}

ffi::Error convolve_kernel(ffi::ThreadPool pool, Buffer inputs, Buffer gradient, Result dkernel) {
  return convolution(inputs, *dkernel, gradient, pool, [&](Tasks& tasks, auto... sizes) {
    run_convolve_kernel<Real>(tasks, sizes..., given<Real>(inputs), given<Real>(gradient), wanted(dkernel));
  });
}

}  // namespace
}  // namespace seqjax

namespace ffi = xla::ffi;
using seqjax::Buffer;

#define SEQJAX_CALL ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_project, seqjax::project,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_project_backward, seqjax::project_backward,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_bags, seqjax::bags,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_bags_backward, seqjax::bags_backward,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve, seqjax::convolve,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve_inputs, seqjax::convolve_inputs,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve_kernel, seqjax::convolve_kernel,
                              SEQJAX_CALL.Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
