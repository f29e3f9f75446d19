// Parsing of what stands inside an op's line: types, attributes, constants, locations. Used by parse.cpp alone.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "compiler/ir/cursor.h"
#include "compiler/ir/graph.h"

namespace pullback::ir {

class AttributeParser {
 public:
  explicit AttributeParser(Cursor& cursor) : at_(cursor) {}

  /// f32[batch,784]
  Type type();
  /// {name = value, ...}, nothing when there is no brace.
  Attributes attributes();
  /// loc("model.cpp":9, "fc1", grad "relu"), after the word loc.
  Location location();
  /// @NAME: f32[2,3] = "00ff..." "...", after the word resource.
  void resource();
  /// Throws unless each resource that was referred to was given.
  void finish();

 private:
  struct Resource {
    std::shared_ptr<Literal> literal;
    std::size_t referred_at = 0;
    bool given = false;
  };

  DType dtype();
  /// Numbers below zero are refused in a type; pad's attributes hold them.
  Shape shape(bool of_type);
  std::vector<std::int64_t> dims();
  Attribute attribute();
  Attribute number_attribute();
  Integers integers();
  std::int64_t integer(std::string_view what);
  std::shared_ptr<const Literal> dense();
  std::shared_ptr<Literal> empty_literal();
  void dense_elements(Literal& literal);
  Resource& resource_named(const std::string& name, std::shared_ptr<Literal> literal, std::size_t position);

  Cursor& at_;
  std::map<std::string, Resource> resources_;
};

}  // namespace pullback::ir
