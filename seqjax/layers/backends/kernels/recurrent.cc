// What XLA calls for recurrent layers: seqjax/layers/backends/native_library.py compiles this file.
//
// Legend besides that of layer.h: K layers of one call, N different tokens.

#include "backward.h"
#include "checks.h"
#include "forward.h"

namespace seqjax {
namespace {

// The operands that both calls of a recurrent layer share, in the order of native.py.
struct Operands {
  Buffer x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers;

  Checks checks(int64_t kind, const Buffer& own) const {
    Checks check(x.element_type(), Members(own, 3));
    if (kind != kSimpleRnn && kind != kLstm && kind != kGru) check.fail("kind is none of SimpleRNN, LSTM and GRU");
    check.rank("h", h, 3);
    const bool tokens = !check.absent(ids), dense = !check.absent(kernel);
    check.rank("x", x, tokens ? 2 : 3);
    if (tokens) check.rank("ids", ids, 2);
    if (!check.good()) return check;
    const int64_t G = gates_of(Kind(kind)), K = check.axis(h, 0), B = check.axis(h, 1), U = check.axis(h, 2);
    const int64_t T = check.axis(tokens ? ids : x, 1), D = dense && !tokens ? check.axis(x, 2) : 0;
    if (tokens == dense) check.fail("of operand ids and operand kernel there must be one");
    if (!tokens && D == 0) check.fail("operand x has no features");
    if (tokens) {
      check.integers("ids", ids, {B, T});
      check.floats("x", x, {check.axis(x, 0), K * G * U});
    } else {
      check.floats("x", x, {B, T, D});
    }
    check.floats_or_none("kernel", kernel, dense, {K, D, G * U});
    check.floats_or_none("bias", bias, dense, {K, G * U});
    check.floats("recurrent", recurrent, {K, U, G * U});
    check.floats_or_none("inner", inner, kind == kGru, {K, U});
    check.floats("h", h, {K, B, U});
    check.floats_or_none("c", c, kind == kLstm, {K, B, U});
    const int64_t drops = check.absent(drop) || drop.dimensions().size() < 4 ? 0 : check.axis(drop, 1);
    if (drops != 0 && drops != 1 && drops != G) check.fail("operand drop has neither one mask nor one for each gate");
    check.floats_or_absent("drop", drop, {K, drops, B, U});
    if (!check.absent(mask)) check.of("mask", mask, ffi::PRED, {B, T});
    if (check.absent(mask)) check.of("mask", mask, ffi::PRED, {0});
    check.integers("numbers", numbers, {K + 1});
    if (!tokens) return check;
    const int64_t N = check.axis(x, 0);
    check.require("an id in operand ids lies outside operand x",
                  [&] { return all_below(given<int32_t>(ids), ids.element_count(), N); });
    check.require("operand numbers counts more rows than operand x has", [&] {
      const int32_t* each = given<int32_t>(numbers);
      bool good = true;
      for (size_t n = K; n < numbers.element_count(); n += K + 1) good &= all_below(each + n, 1, N + 1);
      return good;
    });
    return check;
  }

  // Layer k of a member; T, D as `checks` has found them.
  Problem<Real> problem(const Checks& check, int64_t kind, int64_t member, int64_t k) const {
    const auto at = [&](const Buffer& buffer, int64_t size) {
      return given<Real>(buffer, check.members.offset(buffer, member) + k * size);
    };
    const bool tokens = !check.absent(ids);
    const int64_t G = gates_of(Kind(kind)), K = check.axis(h, 0), bytes = sizeof(Real);
    Problem<Real> p;
    p.B = check.axis(h, 1);
    p.T = check.axis(tokens ? ids : x, 1);
    p.D = tokens ? 0 : check.axis(x, 2);
    p.U = check.axis(h, 2);
    p.P = (p.U * bytes + kPadding - 1) / kPadding * kPadding / bytes;
    p.x = at(x, tokens ? G * p.U : 0);
    p.x_row = K * G * p.U;
    p.ids = given<int32_t>(ids, check.members.offset(ids, member));
    p.kernel = at(kernel, p.D * G * p.U);
    p.bias = at(bias, G * p.U);
    p.recurrent = at(recurrent, p.U * G * p.U);
    p.inner = at(inner, p.U);
    p.drops = check.absent(drop) ? 0 : check.axis(drop, 1);
    p.drop = at(drop, p.drops * p.B * p.U);
    p.mask = given<bool>(mask, check.members.offset(mask, member));
    const int32_t* own = given<int32_t>(numbers, check.members.offset(numbers, member));
    p.reverse = own[k] != 0;
    p.used = tokens ? own[K] : 0;
    p.step = K * p.U;
    p.layers = K * check.members.count();
    return p;
  }
};

template <class Function>
void with_kind(int64_t kind, Function function) {
  if (kind == kSimpleRnn) function(std::integral_constant<Kind, kSimpleRnn>());
  if (kind == kLstm) function(std::integral_constant<Kind, kLstm>());
  if (kind == kGru) function(std::integral_constant<Kind, kGru>());
}

ffi::Error forward(ffi::ThreadPool pool, Buffer x, Buffer ids, Buffer kernel, Buffer bias, Buffer recurrent,
                   Buffer inner, Buffer h, Buffer c, Buffer drop, Buffer mask, Buffer numbers, Result hs, Result h_out,
                   Result c_out, Result saved, int64_t kind) {
  const Operands o{x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers};
  Checks check = o.checks(kind, *h_out);
  int64_t K = 0;
  if (check.good()) {
    const Problem<Real> p = o.problem(check, kind, 0, 0);
    K = check.axis(h, 0);
    check.floats_or_absent("hs", *hs, {p.B, p.T, K, p.U});
    check.floats("h after it", *h_out, {K, p.B, p.U});
    check.floats_or_none("c after it", *c_out, kind == kLstm, {K, p.B, p.U});
    check.floats_or_absent("saved", *saved, {K, p.T, p.B, saved_of(Kind(kind)), p.P});
  }
  return run_if_good(check, pool, [&](Tasks& tasks) {
    with_kind(kind, [&](auto constant) {
      std::vector<Forward<Real, constant()>> layers;
      layers.reserve(check.members.count() * K);
      for (int64_t n = 0; n < check.members.count() * K; ++n) {
        const int64_t k = n % K, member = n / K;
        const Problem<Real> p = o.problem(check, kind, member, k);
        const auto place = [&](const Buffer& buffer, int64_t size) {
          return check.members.offset(buffer, member) + k * size;
        };
        const int64_t state = p.B * p.U, kept = p.T * p.B * saved_of(constant()) * p.P;
        layers.emplace_back(p, States<Real>{given<Real>(h, place(h, state)), given<Real>(c, place(c, state)),
                                            wanted(hs, place(*hs, p.U)), wanted(h_out, place(*h_out, state)),
                                            wanted(c_out, place(*c_out, state)), wanted(saved, place(*saved, kept))});
      }
      run_forward(tasks, layers);
    });
  });
}

ffi::Error backward(ffi::ThreadPool pool, Buffer x, Buffer ids, Buffer kernel, Buffer bias, Buffer recurrent,
                    Buffer inner, Buffer h, Buffer c, Buffer drop, Buffer mask, Buffer numbers, Buffer saved,
                    Buffer dhs, Buffer dh_out, Buffer dc_out, Result dx, Result dkernel, Result dbias,
                    Result drecurrent, Result dinner, Result dh, Result dc, int64_t kind) {
  const Operands o{x, ids, kernel, bias, recurrent, inner, h, c, drop, mask, numbers};
  Checks check = o.checks(kind, *dh);
  int64_t K = 0, G = 0;
  if (check.good()) {
    const Problem<Real> p = o.problem(check, kind, 0, 0);
    const bool dense = p.D > 0;
    K = check.axis(h, 0);
    G = gates_of(Kind(kind));
    check.floats("saved", saved, {K, p.T, p.B, saved_of(Kind(kind)), p.P});
    check.floats_or_absent("gradient of hs", dhs, {p.B, p.T, K, p.U});
    check.floats("gradient of h after it", dh_out, {K, p.B, p.U});
    check.floats_or_none("gradient of c after it", dc_out, kind == kLstm, {K, p.B, p.U});
    if (dense)
      check.floats_or_absent("gradient of x", *dx, {K, p.B, p.T, p.D});
    else
      check.floats_or_absent("gradient of x", *dx, {check.axis(x, 0), K * G * p.U});
    check.floats_or_none("gradient of kernel", *dkernel, dense, {K, p.D, G * p.U});
    check.floats_or_none("gradient of bias", *dbias, dense, {K, G * p.U});
    check.floats("gradient of recurrent", *drecurrent, {K, p.U, G * p.U});
    check.floats_or_none("gradient of inner", *dinner, kind == kGru, {K, p.U});
    check.floats("gradient of h", *dh, {K, p.B, p.U});
    check.floats_or_none("gradient of c", *dc, kind == kLstm, {K, p.B, p.U});
  }
  return run_if_good(check, pool, [&](Tasks& tasks) {
    with_kind(kind, [&](auto constant) {
      std::vector<Backward<Real, constant()>> layers;
      layers.reserve(check.members.count() * K);
      for (int64_t n = 0; n < check.members.count() * K; ++n) {
        const int64_t k = n % K, member = n / K;
        const Problem<Real> p = o.problem(check, kind, member, k);
        const auto from = [&](const Buffer& buffer, int64_t size) {
          return given<Real>(buffer, check.members.offset(buffer, member) + k * size);
        };
        const auto to = [&](Result& buffer, int64_t size) {
          return wanted(buffer, check.members.offset(*buffer, member) + k * size);
        };
        const int64_t state = p.B * p.U, gates = G * p.U;
        layers.emplace_back(
            p, Gradients<Real>{from(h, state), from(c, state), from(saved, p.T * p.B * saved_of(constant()) * p.P),
                               from(dhs, p.U), from(dh_out, state), from(dc_out, state),
                               to(dx, p.D ? p.B * p.T * p.D : gates), to(dkernel, p.D * gates), to(dbias, gates),
                               to(drecurrent, p.U * gates), to(dinner, p.U), to(dh, state), to(dc, state)});
      }
      run_backward(tasks, layers);
    });
  });
}

}  // namespace
}  // namespace seqjax

namespace ffi = xla::ffi;
using seqjax::Buffer;

#define SEQJAX_LAYERS                                                                                                \
  ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()      \
      .Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()

XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_forward, seqjax::forward,
                              SEQJAX_LAYERS.Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>()
                                  .Attr<int64_t>("kind"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(seqjax_backward, seqjax::backward,
                              SEQJAX_LAYERS.Arg<Buffer>().Arg<Buffer>().Arg<Buffer>().Arg<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>().Ret<Buffer>()
                                  .Ret<Buffer>().Ret<Buffer>().Attr<int64_t>("kind"));
