// IDX files and the MNIST data set. Format: http://yann.lecun.com/exdb/mnist, at its end.
#include <pullback/data.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include <fmt/format.h>

#include <pullback/error.h>

#include "runtime/data/gzip.h"

namespace pullback::data {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw Error(fmt::format("{}: {}", path, problem));
}

// A big-endian number of the file.
template <class T>
T big_endian(const std::byte* bytes) {
  std::byte swapped[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i)
    swapped[i] = std::endian::native == std::endian::little ? bytes[sizeof(T) - 1 - i] : bytes[i];
  T value;
  std::memcpy(&value, swapped, sizeof value);
  return value;
}

// Elements stored as Stored become elements of type T.
template <class Stored, class T>
Array convert_elements(const std::byte* data, std::vector<std::int64_t> dims) {
  Array array(dtype_of<T>, std::move(dims), {});
  for (T& value : array.values<T>()) {
    value = static_cast<T>(big_endian<Stored>(data));
    data += sizeof(Stored);
  }
  return array;
}

struct ElementType {
  int code;
  std::size_t bytes;
  Array (*convert)(const std::byte*, std::vector<std::int64_t>);
};

constexpr ElementType kElementTypes[] = {
    {0x08, 1, convert_elements<std::uint8_t, std::uint8_t>},
    {0x09, 1, convert_elements<std::int8_t, std::int32_t>},
    {0x0B, 2, convert_elements<std::int16_t, std::int32_t>},
    {0x0C, 4, convert_elements<std::int32_t, std::int32_t>},
    {0x0D, 4, convert_elements<float, float>},
    {0x0E, 8, convert_elements<double, double>},
};

const ElementType* element_type(int code) {
  for (const ElementType& type : kElementTypes)
    if (type.code == code) return &type;
  return nullptr;
}

// folder/name or folder/name.gz.
std::string find_file(const std::string& folder, const std::string& name) {
  const std::filesystem::path plain = std::filesystem::path(folder) / name;
  const std::filesystem::path packed = plain.string() + ".gz";
  for (const auto& path : {plain, packed})
    if (std::filesystem::exists(path)) return path.string();
  throw Error(fmt::format("{}: there is neither {} nor {}.gz", folder, name, name));
}

Array load_images(const std::string& path) {
  const Array images = load_idx(path, {});
  if (images.dtype() != u8 || images.dims().size() != 3)
    fail(path, fmt::format("is {}, expected images u8[n,rows,columns]", images.type_string()));
  const std::int64_t count = images.dims()[0];
  Array scaled(f32, {count, images.dims()[1] * images.dims()[2]});
  const auto pixels = images.values<std::uint8_t>();
  const auto numbers = scaled.values<float>();
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(pixels[i]) / 255.0f;
  return scaled;
}

Array load_labels(const std::string& path, int classes) {
  const Array stored = load_idx(path, {});
  if (stored.dtype() != u8 || stored.dims().size() != 1)
    fail(path, fmt::format("is {}, expected labels u8[n]", stored.type_string()));
  Array result(i32, stored.dims());
  const auto from = stored.values<std::uint8_t>();
  const auto to = result.values<std::int32_t>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i] >= classes) fail(path, fmt::format("label {} of example {} is not in 0..{}", from[i], i, classes - 1));
    to[i] = from[i];
  }
  return result;
}

Dataset load_pair(const std::string& folder, const std::string& prefix, int classes) {
  const std::string images_path = find_file(folder, prefix + "-images-idx3-ubyte");
  const std::string labels_path = find_file(folder, prefix + "-labels-idx1-ubyte");
  Array images = load_images(images_path);
  Array labels = load_labels(labels_path, classes);
  if (images.dims()[0] != labels.size())
    fail(labels_path, fmt::format("{} labels for the {} images of {}", labels.size(), images.dims()[0], images_path));
  return Dataset({{"x", std::move(images)}, {"y", std::move(labels)}});
}

Array read_idx(const std::string& path) {
  const std::vector<std::byte> bytes = read_data_file(path);
  if (bytes.size() < 4) fail(path, bytes.empty() ? "the file is empty" : "the file is too short for IDX");
  const int code = std::to_integer<int>(bytes[2]);
  const std::size_t rank = std::to_integer<std::size_t>(bytes[3]);
  const ElementType* type = element_type(code);
  if (bytes[0] != std::byte{0} || bytes[1] != std::byte{0} || !type)
    fail(path, fmt::format("not an IDX file: it begins with {:02x} {:02x} {:02x} {:02x}",
                           std::to_integer<int>(bytes[0]), std::to_integer<int>(bytes[1]), code, rank));
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header) fail(path, "the file is truncated in its header");
  std::vector<std::int64_t> dims;
  std::size_t expected = type->bytes;
  bool too_large = false;
  for (std::size_t i = 0; i < rank; ++i) {
    dims.push_back(big_endian<std::uint32_t>(&bytes[4 + 4 * i]));
    too_large |= __builtin_mul_overflow(expected, static_cast<std::size_t>(dims.back()), &expected);
  }
  const std::size_t present = bytes.size() - header;
  if (too_large || present < expected)
    fail(path,
         too_large ? "the file is truncated" : fmt::format("the file is truncated: {} of {} bytes", present, expected));
  if (present > expected) fail(path, fmt::format("{} bytes after the end of the data", present - expected));
  return type->convert(bytes.data() + header, std::move(dims));
}

}  // namespace

Array load_idx(const std::string& path, std::source_location where) {
  return detail::with_line(where, [&] { return read_idx(path); });
}

TrainTest load_mnist(const std::string& folder, int classes, std::source_location where) {
  if (classes < 1) throw Error(fmt::format("load_mnist: classes is {}: it must be at least 1", classes), where);
  return detail::with_line(
      where, [&] { return TrainTest{load_pair(folder, "train", classes), load_pair(folder, "t10k", classes)}; });
}

}  // namespace pullback::data
