#include "compiler/lower/key_writer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <variant>

#include <pullback/error.h>

namespace pullback::lower {

void KeyWriter::grow(std::size_t size) {
  bytes_.resize(std::max(2 * bytes_.size(), size_ + size + 256));
}

void KeyWriter::shape(const Shape& dims) {
  number(dims.size());
  for (const Dim& d : dims) {
    if (!d.is_constant()) throw InternalError("shape " + to_string(dims) + " is not specialized");
    number(d.constant());
  }
}

void KeyWriter::type(const ir::Type& type) {
  number(type.dtype);
  shape(type.shape);
}

void KeyWriter::attribute(const ir::Attribute& attribute) {
  number(attribute.index());
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>)
          bytes(value.data(), value.size());
        else if constexpr (std::is_same_v<T, ir::Integers>)
          integers(value);
        else if constexpr (std::is_same_v<T, ir::AxisPairs>)
          integers(value.lhs), integers(value.rhs);
        else if constexpr (std::is_same_v<T, Shape>)
          shape(value);
        else if constexpr (std::is_same_v<T, std::shared_ptr<const ir::Literal>>)
          number(value->dtype), integers(value->dims), bytes(value->bytes.data(), value->bytes.size());
        else
          number(value);
      },
      attribute);
}

void KeyWriter::op(const ir::Op& op) {
  address(op.def);
  number(op.attributes.entries().size());
  for (const auto& [name, value] : op.attributes.entries()) {
    bytes(name.data(), name.size());
    attribute(value);
  }
}

}  // namespace pullback::lower
