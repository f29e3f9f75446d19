// Values are numbered in the order in which they are defined; a word is written out once and by its number after that.
#include "compiler/ir/canonical.h"

#include <bit>
#include <unordered_map>

#include "compiler/ir/prune.h"
#include "compiler/ops/op_def.h"
#include "compiler/support/pointer_map.h"

namespace pullback::ir {
namespace {

class CanonicalWriter {
 public:
  std::string write(const Function& function) {
    bytes_.reserve(24 * function.body.ops.size());
    region(function.body);
    for (const ArgumentRole role : function.roles) number(static_cast<std::uint64_t>(role));
    for (const auto& argument : function.body.arguments) word(argument->name);
    for (const FunctionResult& result : function.results) {
      word(result.name);
      integer(result.updates);
    }
    return std::move(bytes_);
  }

 private:
  /// Seven bits a byte, the lowest first: most numbers take one byte.
  void number(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }

  void integer(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    number(value < 0 ? ~(bits << 1) : bits << 1);
  }

  void integers(const std::vector<std::int64_t>& values) {
    number(values.size());
    for (const std::int64_t value : values) integer(value);
  }

  void word(const std::string& text) {
    const auto [entry, fresh] = words_.try_emplace(text, words_.size() + 1);
    if (!fresh) return number(entry->second);
    number(0);
    number(text.size());
    bytes_ += text;
  }

  void shape(const Shape& shape) {
    number(shape.size());
    for (const Dim& size : shape) {
      number(size.is_constant() ? 0 : 1);
      if (size.is_constant())
        integer(size.constant());
      else
        word(size.to_string());
    }
  }

  void type(const Type& type) {
    number(static_cast<std::uint64_t>(type.dtype));
    shape(type.shape);
  }

  void literal(const Literal& literal) {
    number(static_cast<std::uint64_t>(literal.dtype));
    integers(literal.dims);
    bytes_.append(reinterpret_cast<const char*>(literal.bytes.data()), literal.bytes.size());
  }

  void attribute(const Attribute& value) {
    number(value.index());
    struct Visitor {
      CanonicalWriter& out;
      void operator()(std::int64_t x) const { out.integer(x); }
      void operator()(double x) const { out.number(std::bit_cast<std::uint64_t>(x)); }
      void operator()(bool x) const { out.number(x ? 1 : 0); }
      void operator()(const std::string& x) const { out.word(x); }
      void operator()(const Integers& x) const { out.integers(x); }
      void operator()(const AxisPairs& x) const {
        out.integers(x.lhs);
        out.integers(x.rhs);
      }
      void operator()(DType x) const { out.number(static_cast<std::uint64_t>(x)); }
      void operator()(const Shape& x) const { out.shape(x); }
      void operator()(const std::shared_ptr<const Literal>& x) const { out.literal(*x); }
    };
    std::visit(Visitor{*this}, value);
  }

  void define(const Value& value) { numbers_[&value] = ++values_; }

  void read(const std::vector<Value*>& values) {
    number(values.size());
    for (const Value* value : values) number(*numbers_.find(value));
  }

  /// The types of results follow from the rest.
  void op(const Op& op) {
    word(op.def->name);
    read(op.operands);
    number(op.attributes.entries().size());
    for (const auto& [name, value] : op.attributes.entries()) {
      word(name);
      attribute(value);
    }
    number(op.regions.size());
    for (const auto& nested : op.regions) region(*nested);
    if (has_effect(op)) {
      word(op.location->line.file);
      integer(op.location->line.line);
    }
    for (const auto& result : op.results) define(*result);
  }

  void region(const Region& region) {
    number(region.arguments.size());
    for (const auto& argument : region.arguments) {
      type(argument->type);
      define(*argument);
    }
    number(region.ops.size());
    for (const auto& nested : region.ops) op(*nested);
    read(region.results);
  }

  std::string bytes_;
  std::unordered_map<std::string, std::size_t> words_;
  PointerMap<std::size_t> numbers_;
  std::size_t values_ = 0;
};

}  // namespace

std::string canonical_bytes(const Function& function) {
  return CanonicalWriter().write(function);
}

}  // namespace pullback::ir
