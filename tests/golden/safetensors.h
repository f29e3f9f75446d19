// Reads safetensors files: named tensors behind a JSON header.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <pullback/array.h>

namespace pullback::golden {

class SafeTensors {
 public:
  /// Throws Error when the file is missing or not of the format.
  static SafeTensors read(const std::string& path);

  bool contains(const std::string& key) const { return tensors_.contains(key); }
  /// Throws Error naming the file when there is no such tensor.
  const Array& at(const std::string& key) const;

 private:
  std::string path_;
  std::map<std::string, Array> tensors_;
};

/// The elements as doubles. i64 beyond 2^53 are rounded.
std::vector<double> numbers(const Array& array);
/// Elements `index` of the outermost axis: a copy.
Array element(const Array& array, std::int64_t index);

}  // namespace pullback::golden
