// Whether what XLA hands over has the shapes and types that a kernel trusts. Python has looked before (checks.py), and
// says it better; this is the last look before memory is read, once a call.

#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "layer.h"

namespace seqjax {

namespace ffi = xla::ffi;
using Buffer = ffi::AnyBuffer;
using Result = ffi::Result<ffi::AnyBuffer>;
using Shape = std::initializer_list<int64_t>;

using Real = SEQJAX_REAL;  // float or double: native_library.py compiles a library for each
constexpr ffi::DataType kReal = sizeof(Real) == 4 ? ffi::F32 : ffi::F64;

// Under jax.vmap a call is that of many members: every buffer has axes in front, of their numbers or of 1 where all
// share it.
class Members {
 public:
  Members() = default;
  // The axes before the last `rank` of a buffer that every member has.
  Members(const Buffer& own, size_t rank) {
    const auto found = own.dimensions();
    if (found.size() > rank) sizes_.assign(found.begin(), found.end() - rank);
  }
  size_t axes() const { return sizes_.size(); }
  int64_t size(size_t axis) const { return sizes_[axis]; }
  int64_t count() const {
    int64_t found = 1;
    for (const int64_t size : sizes_) found *= size;
    return found;
  }
  // How many entries before that of a member lie in a buffer.
  int64_t offset(const Buffer& buffer, int64_t member) const {
    const auto found = buffer.dimensions();
    int64_t entries = 1, place = 0;
    for (size_t axis = found.size(); axis-- > axes();) entries *= found[axis];
    for (size_t axis = axes(); axis-- > 0;) {
      if (found[axis] > 1) place += member % sizes_[axis] * entries;
      member /= sizes_[axis];
      entries *= found[axis];
    }
    return place;
  }

 private:
  std::vector<int64_t> sizes_;
};

class Checks {
 public:
  explicit Checks(ffi::DataType type, Members members = {}) : members(members) {
    if (type != kReal) fault_ = std::string("seqjax: not ") + (kReal == ffi::F32 ? "float32" : "float64");
  }

  bool good() const { return fault_.empty(); }
  ffi::Error error() const { return good() ? ffi::Error::Success() : ffi::Error::InvalidArgument(fault_); }

  void fail(const std::string& fault) {
    if (good()) fault_ = "seqjax: " + fault;
  }
  // Only what the checks before it have found good may be read.
  template <class Condition>
  void require(const std::string& fault, Condition condition) {
    if (good() && !condition()) fail(fault);
  }

  void rank(const char* name, const Buffer& buffer, size_t wanted) {
    if (buffer.dimensions().size() != members.axes() + wanted)
      fail(said(name, buffer) + " has not rank " + std::to_string(members.axes() + wanted));
  }
  // Axis k of a member's own, once the rank is right.
  int64_t axis(const Buffer& buffer, size_t k) const { return buffer.dimensions()[members.axes() + k]; }

  void of(const char* name, const Buffer& buffer, ffi::DataType type, Shape wanted) {
    const auto found = buffer.dimensions();
    const size_t axes = members.axes();
    if (buffer.element_type() != type) fail(said(name, buffer) + " is of another type than is wanted");
    bool same = found.size() == axes + wanted.size() && std::equal(wanted.begin(), wanted.end(), found.begin() + axes);
    for (size_t k = 0; same && k < axes; ++k) same = found[k] == 1 || found[k] == members.size(k);
    if (!same) fail(said(name, buffer) + ", but " + text(wanted) + " is wanted");
  }
  void floats(const char* name, const Buffer& buffer, Shape wanted) { of(name, buffer, kReal, wanted); }
  void integers(const char* name, const Buffer& buffer, Shape wanted) { of(name, buffer, ffi::S32, wanted); }
  // What is absent has the shape [0].
  void floats_or_none(const char* name, const Buffer& buffer, bool present, Shape wanted) {
    floats(name, buffer, present ? wanted : Shape{0});
  }
  void floats_or_absent(const char* name, const Buffer& buffer, Shape wanted) {
    if (!absent(buffer)) floats(name, buffer, wanted);
  }
  bool absent(const Buffer& buffer) const {
    const auto found = buffer.dimensions();
    return found.size() == members.axes() + 1 && found.back() == 0;
  }

  const Members members;

 private:
  template <class Sizes>
  static std::string text(const Sizes& sizes) {
    std::string out = "[";
    for (const int64_t size : sizes) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
    return out + "]";
  }
  static std::string said(const char* name, const Buffer& buffer) {
    return "operand " + std::string(name) + " is " + text(buffer.dimensions());
  }

  std::string fault_;
};

// Whether all of n integers lie in [0, end).
inline bool all_below(const int32_t* values, int64_t n, int64_t end) {
  bool good = true;
  for (int64_t k = 0; k < n; ++k) good &= values[k] >= 0 && values[k] < end;
  return good;
}

// If all is good, function(tasks).
template <class Function>
ffi::Error run_if_good(const Checks& check, ffi::ThreadPool pool, Function function) {
  if (!check.good()) return check.error();
  try {
    Tasks tasks(pool);
    function(tasks);
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "seqjax: there is no memory left");
  }
  return ffi::Error::Success();
}

// The numbers of a member from its place on, or null where there are none.
template <class T>
const T* given(const Buffer& buffer, int64_t offset = 0) {
  return buffer.element_count() ? buffer.typed_data<T>() + offset : nullptr;
}
inline Real* wanted(Result& buffer, int64_t offset = 0) {
  return buffer->element_count() ? buffer->typed_data<Real>() + offset : nullptr;
}

}  // namespace seqjax
