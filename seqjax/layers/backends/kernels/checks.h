// Whether what XLA hands over has the shapes and types that a kernel trusts. Python has looked before (checks.py), and
// says it better; this is the last look before memory is read, once a call.

#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>

#include "layer.h"
#include "xla/ffi/api/ffi.h"

namespace seqjax {

namespace ffi = xla::ffi;
using Buffer = ffi::AnyBuffer;
using Result = ffi::Result<ffi::AnyBuffer>;
using Shape = std::initializer_list<int64_t>;

class Checks {
 public:
  explicit Checks(ffi::DataType type) : type_(type) {
    if (type != ffi::F32 && type != ffi::F64) fault_ = "seqjax: neither float32 nor float64";
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
    if (buffer.dimensions().size() != wanted) fail(said(name, buffer) + " has not rank " + std::to_string(wanted));
  }
  void of(const char* name, const Buffer& buffer, ffi::DataType type, Shape wanted) {
    const auto found = buffer.dimensions();
    if (buffer.element_type() != type) fail(said(name, buffer) + " is of another type than is wanted");
    if (found.size() != wanted.size() || !std::equal(found.begin(), found.end(), wanted.begin()))
      fail(said(name, buffer) + ", but " + text(wanted) + " is wanted");
  }
  void floats(const char* name, const Buffer& buffer, Shape wanted) { of(name, buffer, type_, wanted); }
  void integers(const char* name, const Buffer& buffer, Shape wanted) { of(name, buffer, ffi::S32, wanted); }
  // What is absent has the shape [0].
  void floats_or_none(const char* name, const Buffer& buffer, bool present, Shape wanted) {
    floats(name, buffer, present ? wanted : Shape{0});
  }
  void floats_or_absent(const char* name, const Buffer& buffer, Shape wanted) {
    if (!absent(buffer)) floats(name, buffer, wanted);
  }
  static bool absent(const Buffer& buffer) { return buffer.dimensions().size() == 1 && buffer.dimensions()[0] == 0; }

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

  ffi::DataType type_;
  std::string fault_;
};

// Whether all of n integers lie in [0, end).
inline bool all_below(const int32_t* values, int64_t n, int64_t end) {
  bool good = true;
  for (int64_t k = 0; k < n; ++k) good &= values[k] >= 0 && values[k] < end;
  return good;
}

}  // namespace seqjax
