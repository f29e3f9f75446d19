#include "tests/golden/safetensors.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <pullback/error.h>

namespace pullback::golden {
namespace {

DType dtype_called(const std::string& name) {
  static const std::map<std::string, DType> known = {{"F64", f64}, {"F32", f32}, {"F16", f16},      {"BF16", bf16},
                                                     {"I64", i64}, {"I32", i32}, {"BOOL", boolean}, {"U8", u8}};
  const auto found = known.find(name);
  if (found == known.end()) throw Error(fmt::format("element type {} is not supported", name));
  return found->second;
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

Array tensor_of(const nlohmann::json& entry, std::string_view data) {
  Array array(dtype_called(entry.at("dtype")), entry.at("shape").get<std::vector<std::int64_t>>());
  const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
  const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
  if (begin > end || end > data.size() || end - begin != array.bytes())
    throw Error(fmt::format("bytes {} to {} of {} don't fit {}", begin, end, data.size(), array.type_string()));
  std::memcpy(array.raw(), data.data() + begin, array.bytes());
  return array;
}

double from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double magnitude;
  if (exponent == 31)
    magnitude = mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  else
    magnitude = exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}

double from_bfloat(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

}  // namespace

SafeTensors SafeTensors::read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: the file can't be opened", path));
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  SafeTensors result;
  result.path_ = path;
  try {
    if (content.size() < 8) throw Error("shorter than its header");
    const std::string_view all(content);
    const std::uint64_t header = little_endian(all);
    if (header > all.size() - 8) throw Error("shorter than its header");
    const std::string_view data = all.substr(8 + header);
    const nlohmann::json entries = nlohmann::json::parse(all.substr(8, header));
    for (const auto& [key, entry] : entries.items())
      if (key != "__metadata__") result.tensors_.emplace(key, tensor_of(entry, data));
  } catch (const std::exception& problem) {
    throw Error(fmt::format("{}: {}", path, problem.what()));
  }
  return result;
}

const Array& SafeTensors::at(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) throw Error(fmt::format("{} has no tensor {}", path_, key));
  return found->second;
}

std::vector<double> numbers(const Array& array) {
  std::vector<double> result;
  result.reserve(static_cast<std::size_t>(array.size()));
  const auto collect = [&](auto values) {
    for (const auto value : values) result.push_back(static_cast<double>(value));
  };
  const std::span half(static_cast<const std::uint16_t*>(array.raw()), static_cast<std::size_t>(array.size()));
  switch (array.dtype()) {
    case DType::boolean:
      collect(array.values<bool>());
      break;
    case DType::u8:
      collect(array.values<std::uint8_t>());
      break;
    case DType::u32:
      collect(array.values<std::uint32_t>());
      break;
    case DType::i32:
      collect(array.values<std::int32_t>());
      break;
    case DType::i64:
      collect(array.values<std::int64_t>());
      break;
    case DType::f32:
      collect(array.values<float>());
      break;
    case DType::f64:
      collect(array.values<double>());
      break;
    case DType::f16:
      for (const std::uint16_t bits : half) result.push_back(from_half(bits));
      break;
    case DType::bf16:
      for (const std::uint16_t bits : half) result.push_back(from_bfloat(bits));
      break;
  }
  return result;
}

Array element(const Array& array, std::int64_t index) {
  const std::vector<std::int64_t>& dims = array.dims();
  if (dims.empty() || index < 0 || index >= dims.front())
    throw Error(fmt::format("{} has no element {}", array.type_string(), index));
  Array result(array.dtype(), {dims.begin() + 1, dims.end()});
  std::memcpy(result.raw(),
              static_cast<const std::byte*>(array.raw()) + static_cast<std::size_t>(index) * result.bytes(),
              result.bytes());
  return result;
}

}  // namespace pullback::golden
