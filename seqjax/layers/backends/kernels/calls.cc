// What XLA calls: seqjax/layers/backends/native_library.py compiles this file.

#include "backward.h"
#include "checks.h"
#include "forward.h"
#include "products.h"
#include "xla/ffi/api/ffi.h"

namespace seqjax {
namespace {

template <class S>
const S* given(const Buffer& buffer) {
  return buffer.element_count() ? buffer.typed_data<S>() : nullptr;
}
template <class S>
S* wanted(Result& buffer) {
  return buffer->element_count() ? buffer->typed_data<S>() : nullptr;
}

// The operands that both calls of a recurrent layer share, in the order of native.py.
struct Operands {
  Buffer x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers;

  // What is absent has the shape [0].
  bool tokens() const { return ids.dimensions().size() == 2; }
  bool dense() const { return kernel.dimensions().size() == 2; }
  int64_t B() const { return h.dimensions()[0]; }
  int64_t U() const { return h.dimensions()[1]; }
  int64_t T() const { return (tokens() ? ids : x).dimensions()[1]; }
  int64_t D() const { return dense() ? x.dimensions()[2] : 0; }
  int64_t bytes() const { return x.element_type() == ffi::F64 ? 8 : 4; }
  int64_t P() const { return (U() * bytes() + kPadding - 1) / kPadding * kPadding / bytes(); }

  Checks checks(int64_t kind) const {
    Checks check(x.element_type());
    if (kind != kSimpleRnn && kind != kLstm && kind != kGru) check.fail("kind is none of SimpleRNN, LSTM and GRU");
    check.rank("h", h, 2);
    check.rank("x", x, tokens() ? 2 : 3);
    if (!check.good()) return check;
    const int64_t G = gates_of(Kind(kind)), B = this->B(), T = this->T(), U = this->U(), D = this->D();
    if (tokens()) check.integers("ids", ids, {B, T});
    if (tokens() && dense()) check.fail("operand ids and operand kernel are both there");
    if (!tokens()) check.integers("ids", ids, {0});
    if (!tokens()) check.floats("x", x, {B, T, dense() ? D : G * U});
    if (tokens()) check.floats("x", x, {x.dimensions()[0], G * U});
    if (dense() && D == 0) check.fail("operand x has no features");
    check.floats_or_none("kernel", kernel, dense(), {D, G * U});
    check.floats_or_none("bias", bias, dense(), {G * U});
    check.floats("recurrent", recurrent, {U, G * U});
    check.floats_or_none("inner", inner, kind == kGru, {U});
    check.floats("h", h, {B, U});
    check.floats_or_none("c", c, kind == kLstm, {B, U});
    const int64_t drops = Checks::absent(drop) ? 0 : drop.dimensions()[0];
    if (drops != 0 && drops != 1 && drops != G) check.fail("operand drop has neither one mask nor one for each gate");
    check.floats_or_absent("drop", drop, {drops, B, U});
    if (Checks::absent(mask))
      check.of("mask", mask, ffi::PRED, {0});
    else
      check.of("mask", mask, ffi::PRED, {B, T});
    check.integers("numbers", numbers, {2});
    if (tokens()) {
      const int64_t N = x.dimensions()[0];
      check.require("an id in operand ids lies outside operand x",
                    [&] { return all_below(ids.typed_data<int32_t>(), B * T, N); });
      check.require("operand numbers counts more rows than operand x has",
                    [&] { return all_below(numbers.typed_data<int32_t>() + 1, 1, N + 1); });
    }
    return check;
  }

  template <class S>
  Problem<S> problem() const {
    Problem<S> p;
    p.B = B();
    p.T = T();
    p.D = D();
    p.U = U();
    p.P = P();
    p.x = x.typed_data<S>();
    p.ids = given<int32_t>(ids);
    p.kernel = given<S>(kernel);
    p.bias = given<S>(bias);
    p.recurrent = recurrent.typed_data<S>();
    p.inner = given<S>(inner);
    p.drop = given<S>(drop);
    p.drops = p.drop ? drop.dimensions()[0] : 0;
    p.mask = given<bool>(mask);
    p.reverse = numbers.typed_data<int32_t>()[0] != 0;
    p.used = tokens() ? numbers.typed_data<int32_t>()[1] : p.B * p.T;
    return p;
  }
};

// If all is good, function(a zero of the type).
template <class Function>
ffi::Error with_type(const Checks& check, ffi::DataType type, Function function) {
  if (!check.good()) return check.error();
  if (type == ffi::F32)
    function(float());
  else
    function(double());
  return ffi::Error::Success();
}

template <class Function>
void with_kind(int64_t kind, Function function) {
  if (kind == kSimpleRnn) function(std::integral_constant<Kind, kSimpleRnn>());
  if (kind == kLstm) function(std::integral_constant<Kind, kLstm>());
  if (kind == kGru) function(std::integral_constant<Kind, kGru>());
}

ffi::Error forward(Buffer x, Buffer ids, Buffer kernel, Buffer bias, Buffer recurrent, Buffer inner, Buffer h, Buffer c,
                   Buffer drop, Buffer mask, Buffer numbers, Result hs, Result h_out, Result c_out, Result saved,
                   int64_t kind) {
  const Operands o{x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers};
  Checks check = o.checks(kind);
  if (check.good()) {
    check.floats_or_absent("hs", *hs, {o.B(), o.T(), o.U()});
    check.floats("h after it", *h_out, {o.B(), o.U()});
    check.floats_or_none("c after it", *c_out, kind == kLstm, {o.B(), o.U()});
    check.floats_or_absent("saved", *saved, {o.T(), o.B(), saved_of(Kind(kind)), o.P()});
  }
  return with_type(check, x.element_type(), [&](auto zero) {
    using S = decltype(zero);
    with_kind(kind, [&](auto constant) {
      run_forward<S, constant()>(o.problem<S>(), h.typed_data<S>(), given<S>(c), wanted<S>(hs), h_out->typed_data<S>(),
                                 wanted<S>(c_out), wanted<S>(saved));
    });
  });
}

ffi::Error backward(Buffer x, Buffer ids, Buffer kernel, Buffer bias, Buffer recurrent, Buffer inner, Buffer h,
                    Buffer c, Buffer drop, Buffer mask, Buffer numbers, Buffer saved, Buffer dhs, Buffer dh_out,
                    Buffer dc_out, Result dx, Result dkernel, Result dbias, Result drecurrent,
                    Result dinner, Result dh, Result dc, int64_t kind) {
  const Operands o{x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers};
  Checks check = o.checks(kind);
  if (check.good()) {
    const int64_t B = o.B(), T = o.T(), U = o.U(), D = o.D(), G = gates_of(Kind(kind));
    check.floats("saved", saved, {T, B, saved_of(Kind(kind)), o.P()});
    check.floats_or_absent("gradient of hs", dhs, {B, T, U});
    check.floats("gradient of h after it", dh_out, {B, U});
    check.floats_or_none("gradient of c after it", dc_out, kind == kLstm, {B, U});
    if (o.tokens())
      check.floats_or_absent("gradient of x", *dx, {x.dimensions()[0], G * U});
    else
      check.floats_or_absent("gradient of x", *dx, {B, T, o.dense() ? D : G * U});
    check.floats_or_none("gradient of kernel", *dkernel, o.dense(), {D, G * U});
    check.floats_or_none("gradient of bias", *dbias, o.dense(), {G * U});
    check.floats("gradient of recurrent", *drecurrent, {U, G * U});
    check.floats_or_none("gradient of inner", *dinner, kind == kGru, {U});
    check.floats("gradient of h", *dh, {B, U});
    check.floats_or_none("gradient of c", *dc, kind == kLstm, {B, U});
  }
  return with_type(check, x.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const Gradients<S> d{wanted<S>(dx),     wanted<S>(dkernel),   wanted<S>(dbias), drecurrent->typed_data<S>(),
                         wanted<S>(dinner), dh->typed_data<S>(), wanted<S>(dc)};
    with_kind(kind, [&](auto constant) {
      run_backward<S, constant()>(o.problem<S>(), h.typed_data<S>(), given<S>(c), saved.typed_data<S>(), given<S>(dhs),
                                  dh_out.typed_data<S>(), given<S>(dc_out), d);
    });
  });
}

ffi::Error project(Buffer table, Buffer tokens, Buffer used, Buffer kernel, Buffer bias, Result rows) {
  Checks check(table.element_type());
  check.rank("table", table, 2);
  check.rank("kernel", kernel, 2);
  check.rank("tokens", tokens, 1);
  if (check.good()) {
    const int64_t V = table.dimensions()[0], D = table.dimensions()[1], R = kernel.dimensions()[1];
    const int64_t N = tokens.dimensions()[0];
    check.floats("table", table, {V, D});
    check.integers("tokens", tokens, {N});
    check.integers("used", used, {});
    check.floats("kernel", kernel, {D, R});
    check.floats("bias", bias, {R});
    check.floats("rows", *rows, {N, R});
    check.require("operand used counts more than operand tokens has",
                  [&] { return all_below(used.typed_data<int32_t>(), 1, N + 1); });
  }
  return with_type(check, table.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = table.dimensions();
    run_project<S>(shape[0], shape[1], kernel.dimensions()[1], used.typed_data<int32_t>()[0], table.typed_data<S>(),
                   tokens.typed_data<int32_t>(), kernel.typed_data<S>(), bias.typed_data<S>(), rows->typed_data<S>());
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
  check.integers("tokens", tokens, {B, T});
  check.floats_or_absent("weights", weights, {B, T});
  check.floats("kernel", kernel, {V, U});
  check.floats("sums", sums, {B, U});
  return check;
}

ffi::Error bags(Buffer tokens, Buffer weights, Buffer kernel, Result sums) {
  return with_type(bags_checks(tokens, weights, kernel, *sums), kernel.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = tokens.dimensions(), size = kernel.dimensions();
    run_bags<S>(shape[0], shape[1], size[0], size[1], tokens.typed_data<int32_t>(), given<S>(weights),
                kernel.typed_data<S>(), sums->typed_data<S>());
  });
}

ffi::Error bags_backward(Buffer tokens, Buffer weights, Buffer gradient, Result dkernel) {
  return with_type(bags_checks(tokens, weights, *dkernel, gradient), gradient.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = tokens.dimensions(), size = dkernel->dimensions();
    run_bags_backward<S>(shape[0], shape[1], size[0], size[1], tokens.typed_data<int32_t>(), given<S>(weights),
                         gradient.typed_data<S>(), dkernel->typed_data<S>());
  });
}

// inputs [T, D, B], kernel [W, D, F] and outputs [T - W + 1, F, B], or the gradients of some of them.
Checks convolution_checks(const Buffer& inputs, const Buffer& kernel, const Buffer& outputs) {
  Checks check(inputs.element_type());
  check.rank("inputs", inputs, 3);
  check.rank("kernel", kernel, 3);
  if (!check.good()) return check;
  const auto x = inputs.dimensions(), k = kernel.dimensions();
  const int64_t lanes = kPadding / (inputs.element_type() == ffi::F64 ? 8 : 4);
  if (k[0] < 1 || k[0] > x[0]) check.fail("operand kernel is wider than operand inputs is long, or has no width");
  if (x[2] % lanes) check.fail("operand inputs is no whole number of vectors");
  check.floats("inputs", inputs, {x[0], x[1], x[2]});
  check.floats("kernel", kernel, {k[0], x[1], k[2]});
  check.floats("outputs", outputs, {x[0] - k[0] + 1, k[2], x[2]});
  return check;
}

ffi::Error convolve(Buffer inputs, Buffer kernel, Result outputs) {
  return with_type(convolution_checks(inputs, kernel, *outputs), inputs.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = inputs.dimensions(), k = kernel.dimensions();
    run_convolve<S>(x[0], x[1], x[2], k[0], k[2], inputs.typed_data<S>(), kernel.typed_data<S>(),
                    outputs->typed_data<S>());
  });
}

ffi::Error convolve_inputs(Buffer gradient, Buffer kernel, Result dinputs) {
  return with_type(convolution_checks(*dinputs, kernel, gradient), gradient.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = dinputs->dimensions(), k = kernel.dimensions();
    run_convolve_inputs<S>(x[0], x[1], x[2], k[0], k[2], gradient.typed_data<S>(), kernel.typed_data<S>(),
                           dinputs->typed_data<S>());
  });
}

ffi::Error convolve_kernel(Buffer inputs, Buffer gradient, Result dkernel) {
  return with_type(convolution_checks(inputs, *dkernel, gradient), inputs.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = inputs.dimensions(), k = dkernel->dimensions();
    run_convolve_kernel<S>(x[0], x[1], x[2], k[0], k[2], inputs.typed_data<S>(), gradient.typed_data<S>(),
                           dkernel->typed_data<S>());
  });
}

}  // namespace
}  // namespace seqjax

namespace ffi = xla::ffi;
using seqjax::Buffer;

#define SEQJAX_OPERANDS                                                                                              \
  Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()    \
      .Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_forward, seqjax::forward,
                              ffi::Ffi::Bind().SEQJAX_OPERANDS.Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>()
                                  .Attr<int64_t>("kind"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_backward, seqjax::backward,
                              ffi::Ffi::Bind().SEQJAX_OPERANDS.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Attr<int64_t>("kind"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_project, seqjax::project,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_bags, seqjax::bags,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_bags_backward, seqjax::bags_backward,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve, seqjax::convolve,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve_inputs, seqjax::convolve_inputs,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_convolve_kernel, seqjax::convolve_kernel,
                              ffi::Ffi::Bind().Arg<Buffer>().Arg<Buffer>().Ret<Buffer>());
