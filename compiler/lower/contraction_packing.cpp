#include "compiler/lower/contraction_packing.h"

namespace pullback::lower {

using kernel::Index;

namespace {

void repeat(kernel::Builder& build, const char* name, std::int64_t count, const kernel::Builder::Body& body) {
  if (count == 1) return body(Index(0));
  build.serial_loop(name, count, body);
}

/// The steps of a run in pieces of at most `most`, or in those that it has.
std::vector<Segment> pieces_of(const PackingSource::Run& run, std::int64_t most) {
  if (run.steps.count > 1) return {run.steps};
  std::vector<Segment> pieces = balanced(run.steps.size, most);
  for (Segment& piece : pieces) piece.begin += run.steps.begin;
  return pieces;
}

void each_step(kernel::Builder& build, const Segment& steps, const kernel::Builder::Body& body) {
  repeat(build, "kp", steps.count, [&](const Index& i) {
    build.serial_loop("kq", steps.size, [&](const Index& d) { body(steps.begin + i * steps.size + d); });
  });
}

}  // namespace

PackingSource pairs_of(kernel::Builder& build, const PackingSource::Element& element, std::int64_t depth,
                       bool along_depth, int width) {
  // A bf16 number is the upper half of the f32 of the same value.
  const auto bits = [&build, element](const Index& i, const Index& d) {
    return build.bitcast(build.convert(element(i, d), DType::f32), DType::u32);
  };
  const auto pair = [&build, bits](const Index& i, const Index& lower, const Index& upper) {
    return build.bit_or(bits(i, upper), build.shr(bits(i, lower), build.integer(DType::u32, 16)));
  };
  constexpr std::int64_t kHalf = kPairedGroup / 2;
  const std::int64_t whole = depth / kPairedGroup, half = depth % kPairedGroup / 2;
  PackingSource source{{}, along_depth, width};
  if (whole)
    source.runs.push_back({{0, whole, kHalf}, [pair](const Index& i, const Index& d) {
                             const Index lower = kernel::floordiv(d, kHalf) * kPairedGroup + kernel::mod(d, kHalf);
                             return pair(i, lower, lower + Index(kHalf));
                           }});
  if (half)
    source.runs.push_back({{whole * kHalf, 1, half}, [pair, whole, half](const Index& i, const Index& d) {
                             const Index lower = d + Index(whole * kHalf);
                             return pair(i, lower, lower + Index(half));
                           }});
  if (depth % 2)
    source.runs.push_back({{whole * kHalf + half, 1, 1}, [&build, bits, depth](const Index& i, const Index&) {
                             return build.shr(bits(i, Index(depth - 1)), build.integer(DType::u32, 16));
                           }});
  return source;
}

std::int64_t paired_steps(std::int64_t depth) {
  return (depth + 1) / 2;
}

std::int64_t panel_pitch(std::int64_t columns, std::int64_t width) {
  return (columns + width - 1) / width * width;
}

void pack_panel(kernel::Builder& build, const PackingSource& source, std::int64_t columns, int panel, const Index& to,
                std::int64_t pitch) {
  const auto move = [&](const PackingSource::Run& run, const Index& d, const Index& c) {
    build.store(panel, to + d * pitch + c, run.element(c, d));
  };
  if (!source.along_depth) {
    for (const PackingSource::Run& run : source.runs)
      each_step(build, run.steps, [&](const Index& d) {
        build.vector_loop("np", columns, source.width, 1, [&](const Index& c) { move(run, d, c); });
      });
    return;
  }
  // B lies transposed: square blocks, so that each cache line is used up at once, one behind the other along the depth.
  constexpr std::int64_t kSquare = 16;
  build.vector_loop("np", columns, source.width, 1, [&](const Index& c) {
    for (const PackingSource::Run& run : source.runs)
      for (const Segment& block : pieces_of(run, kSquare))
        repeat(build, "kp", block.count, [&](const Index& i) {
          build.unrolled_loop("kq", block.size,
                              [&](const Index& d) { move(run, block.begin + i * block.size + d, c); });
        });
  });
}

void pack_strip(kernel::Builder& build, const PackingSource& source, const std::vector<Segment>& panels, int strip,
                std::int64_t width) {
  const std::int64_t depth = source.depth();
  const auto each_panel = [&](const std::function<void(const Index& begin, std::int64_t columns)>& visit) {
    for (const Segment& segment : panels)
      repeat(build, "jp", segment.count,
             [&](const Index& i) { visit(segment.begin + i * segment.size, segment.size); });
  };
  if (source.along_depth) {
    each_panel([&](const Index& begin, std::int64_t columns) {
      PackingSource panel = source;
      for (PackingSource::Run& run : panel.runs)
        run.element = [&begin, element = run.element](const Index& c, const Index& d) { return element(begin + c, d); };
      pack_panel(build, panel, columns, strip, begin * depth, panel_pitch(columns, width));
    });
    return;
  }
  // A few steps of the depth at once: neighbours in memory are read one after the other, whichever panel they go to.
  constexpr std::int64_t kSteps = 8;
  for (const PackingSource::Run& run : source.runs)
    for (const Segment& block : pieces_of(run, kSteps))
      repeat(build, "kp", block.count, [&](const Index& i) {
        each_panel([&](const Index& begin, std::int64_t columns) {
          const std::int64_t pitch = panel_pitch(columns, width);
          build.serial_loop("kq", block.size, [&](const Index& step) {
            const Index d = block.begin + i * block.size + step;
            build.vector_loop("np", columns, source.width, 1, [&](const Index& c) {
              build.store(strip, begin * depth + d * pitch + c, run.element(begin + c, d));
            });
          });
        });
      });
}

std::int64_t PackedRows::pitch() const {
  constexpr std::int64_t kApart = 16;  // elements: a cache line or two
  return (along_depth_ ? depth_ : tile_rows_ * depth_) + kApart;
}

std::int64_t PackedRows::elements(std::int64_t rows) const {
  return (along_depth_ ? rows : (rows + tile_rows_ - 1) / tile_rows_) * pitch();
}

Index PackedRows::base(const Index& tile, const Index& row) const {
  return (along_depth_ ? row : tile) * pitch();
}

void PackedRows::pack(kernel::Builder& build, const PackingSource& source, std::int64_t rows, int to) const {
  if (along_depth_) {
    build.serial_loop("mp", rows, [&](const Index& row) {
      for (const PackingSource::Run& run : source.runs)
        repeat(build, "kp", run.steps.count, [&](const Index& i) {
          build.vector_loop("kq", run.steps.size, source.width, 1, [&](const Index& step) {
            const Index d = run.steps.begin + i * run.steps.size + step;
            build.store(to, row * pitch() + d, run.element(row, d));
          });
        });
    });
    return;
  }
  // Depth outermost: neighbours in memory are read one after the other, whichever tile they go to.
  for (const PackingSource::Run& run : source.runs)
    each_step(build, run.steps, [&](const Index& d) {
      std::int64_t before = 0;
      for (const Segment& segment : balanced(rows, tile_rows_)) {
        repeat(build, "tp", segment.count, [&](const Index& tile) {
          build.vector_loop("mp", segment.size, source.width, 1, [&](const Index& row) {
            build.store(to, (tile + Index(before)) * pitch() + d * segment.size + row,
                        run.element(segment.begin + tile * segment.size + row, d));
          });
        });
        before += segment.count;
      }
    });
}

}  // namespace pullback::lower
