// What XLA calls: seqjax/layers/backends/native_library.py compiles this file.

#include "backward.h"
#include "forward.h"
#include "products.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;
using Buffer = ffi::AnyBuffer;
using Result = ffi::Result<ffi::AnyBuffer>;

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

// The operands that both calls share, in the order of native.py.
struct Operands {
  Buffer x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers;

  template <class S>
  Problem<S> problem() const {
    Problem<S> p;
    // What is absent has the shape [0].
    const bool tokens = ids.dimensions().size() == 2, dense = kernel.dimensions().size() == 2;
    p.B = h.dimensions()[0];
    p.T = (tokens ? ids : x).dimensions()[1];
    p.D = dense ? x.dimensions()[2] : 0;
    p.U = h.dimensions()[1];
    p.P = (p.U * sizeof(S) + kPadding - 1) / kPadding * kPadding / sizeof(S);
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
    p.used = tokens ? numbers.typed_data<int32_t>()[1] : p.B * p.T;
    return p;
  }
};

// function(a zero of the type) with what XLA calls the type.
template <class Function>
ffi::Error with_type(ffi::DataType type, Function function) {
  if (type == ffi::F32)
    function(float());
  else if (type == ffi::F64)
    function(double());
  else
    return ffi::Error::InvalidArgument("seqjax: neither float32 nor float64");
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
  return with_type(x.element_type(), [&](auto zero) {
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
  return with_type(x.element_type(), [&](auto zero) {
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
  return with_type(table.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = table.dimensions();
    run_project<S>(shape[0], shape[1], kernel.dimensions()[1], used.typed_data<int32_t>()[0], table.typed_data<S>(),
                   tokens.typed_data<int32_t>(), kernel.typed_data<S>(), bias.typed_data<S>(), rows->typed_data<S>());
  });
}

ffi::Error bags(Buffer tokens, Buffer weights, Buffer kernel, Result sums) {
  return with_type(kernel.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = tokens.dimensions(), size = kernel.dimensions();
    run_bags<S>(shape[0], shape[1], size[0], size[1], tokens.typed_data<int32_t>(), given<S>(weights),
                kernel.typed_data<S>(), sums->typed_data<S>());
  });
}

ffi::Error bags_backward(Buffer tokens, Buffer weights, Buffer gradient, Result dkernel) {
  return with_type(gradient.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto shape = tokens.dimensions(), size = dkernel->dimensions();
    run_bags_backward<S>(shape[0], shape[1], size[0], size[1], tokens.typed_data<int32_t>(), given<S>(weights),
                         gradient.typed_data<S>(), dkernel->typed_data<S>());
  });
}

ffi::Error convolve(Buffer inputs, Buffer kernel, Result outputs) {
  return with_type(inputs.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = inputs.dimensions(), k = kernel.dimensions();
    run_convolve<S>(x[0], x[1], x[2], k[0], k[2], inputs.typed_data<S>(), kernel.typed_data<S>(),
                    outputs->typed_data<S>());
  });
}

ffi::Error convolve_inputs(Buffer gradient, Buffer kernel, Result dinputs) {
  return with_type(gradient.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = dinputs->dimensions(), k = kernel.dimensions();
    run_convolve_inputs<S>(x[0], x[1], x[2], k[0], k[2], gradient.typed_data<S>(), kernel.typed_data<S>(),
                           dinputs->typed_data<S>());
  });
}

ffi::Error convolve_kernel(Buffer inputs, Buffer gradient, Result dkernel) {
  return with_type(inputs.element_type(), [&](auto zero) {
    using S = decltype(zero);
    const auto x = inputs.dimensions(), k = dkernel->dimensions();
    run_convolve_kernel<S>(x[0], x[1], x[2], k[0], k[2], inputs.typed_data<S>(), gradient.typed_data<S>(),
                           dkernel->typed_data<S>());
  });
}

}  // namespace
}  // namespace seqjax

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
