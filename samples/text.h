// Texts for the language samples: characters as numbers, random stretches to learn from, and drawing the next one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace text {

/// A file, or all files of a folder in the order of their names.
inline std::string read(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  std::string text;
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot read " + file.string());
    text.append(std::istreambuf_iterator<char>(stream), {});
  }
  return text;
}

/// The characters that occur in a text, numbered.
class Vocabulary {
 public:
  explicit Vocabulary(const std::string& text) {
    bool occurs[256] = {};
    for (const char c : text) occurs[static_cast<unsigned char>(c)] = true;
    for (int c = 0; c < 256; ++c) {
      if (!occurs[c]) continue;
      ids_[c] = static_cast<std::int32_t>(characters_.size());
      characters_.push_back(static_cast<char>(c));
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(characters_.size()); }
  std::vector<std::int32_t> encode(const std::string& text) const {
    std::vector<std::int32_t> ids;
    for (const char c : text) ids.push_back(ids_[static_cast<unsigned char>(c)]);
    return ids;
  }
  char character(std::int32_t id) const { return characters_[static_cast<std::size_t>(id)]; }

 private:
  std::int32_t ids_[256] = {};
  std::string characters_;
};

/// Each row of x is a stretch of the text, y the same one character later: what comes next at each place.
struct Stretches {
  pb::Array x, y;
  Stretches(std::int64_t count, std::int64_t length) : x(pb::i32, {count, length}), y(pb::i32, {count, length}) {}

  void put(std::int64_t row, const std::vector<std::int32_t>& ids, std::size_t start) {
    const auto length = static_cast<std::size_t>(x.dims()[1]);
    for (std::size_t t = 0; t < length; ++t) {
      x.values<std::int32_t>()[static_cast<std::size_t>(row) * length + t] = ids[start + t];
      y.values<std::int32_t>()[static_cast<std::size_t>(row) * length + t] = ids[start + t + 1];
    }
  }
  void draw(const std::vector<std::int32_t>& ids, std::mt19937& random) {
    const std::int64_t length = x.dims()[1];
    std::uniform_int_distribution<std::size_t> start(0, ids.size() - static_cast<std::size_t>(length) - 1);
    for (std::int64_t row = 0; row < x.dims()[0]; ++row) put(row, ids, start(random));
  }
};

/// Stretches of `ids` one behind the other, at most `most`.
inline pb::data::Dataset cut(const std::vector<std::int32_t>& ids, std::int64_t length, std::int64_t most) {
  const std::int64_t count = std::min(most, (static_cast<std::int64_t>(ids.size()) - 1) / length);
  if (count < 1) throw std::runtime_error("the text is too short");
  Stretches all(count, length);
  for (std::int64_t row = 0; row < count; ++row) all.put(row, ids, static_cast<std::size_t>(row * length));
  return pb::data::Dataset({{"x", all.x}, {"y", all.y}});
}

/// Trains on random stretches of `ids`, `steps` batches of them, and prints the mean loss ten times on the way.
inline void train(pb::Trainer& trainer, const std::vector<std::int32_t>& ids, Stretches batch, int steps) {
  std::mt19937 random(3);
  double sum = 0;
  const int report = std::max(1, steps / 10);
  for (int step = 1; step <= steps; ++step) {
    batch.draw(ids, random);
    sum += trainer.observe(batch.x, batch.y);
    if (step % report) continue;
    std::printf("step %5d: loss %.3f\n", step, sum / report);
    std::fflush(stdout);
    sum = 0;
  }
}

/// A number drawn with probabilities softmax(logits / temperature).
inline std::int32_t draw(std::span<const float> logits, float temperature, std::mt19937& random) {
  const float top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> weights;
  for (const float logit : logits) weights.push_back(std::exp(static_cast<double>((logit - top) / temperature)));
  return static_cast<std::int32_t>(std::discrete_distribution<>(weights.begin(), weights.end())(random));
}

}  // namespace text
