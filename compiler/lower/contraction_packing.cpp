#include "compiler/lower/contraction_packing.h"

namespace pullback::lower {

using kernel::Index;

namespace {

void repeat(kernel::Builder& build, const char* name, std::int64_t count, const kernel::Builder::Body& body) {
  if (count == 1) return body(Index(0));
  build.serial_loop(name, count, body);
}

}  // namespace

std::int64_t panel_pitch(std::int64_t columns, std::int64_t width) {
  return (columns + width - 1) / width * width;
}

void pack_panel(kernel::Builder& build, const PackingSource& source, std::int64_t columns, std::int64_t depth,
                int panel, const Index& to, std::int64_t pitch) {
  const auto move = [&](const Index& d, const Index& c) {
    build.store(panel, to + d * pitch + c, source.element(c, d));
  };
  if (!source.along_depth) {
    build.serial_loop("kp", depth, [&](const Index& d) {
      build.vector_loop("np", columns, source.width, 1, [&](const Index& c) { move(d, c); });
    });
    return;
  }
  // B lies transposed: square blocks, so that each cache line is used up at once, one behind the other along the depth.
  constexpr std::int64_t kSquare = 16;
  build.vector_loop("np", columns, source.width, 1, [&](const Index& c) {
    for (const Segment& block : balanced(depth, kSquare))
      repeat(build, "kp", block.count, [&](const Index& i) {
        build.unrolled_loop("kq", block.size, [&](const Index& d) { move(block.begin + i * block.size + d, c); });
      });
  });
}

void pack_strip(kernel::Builder& build, const PackingSource& source, const std::vector<Segment>& panels,
                std::int64_t depth, int strip, std::int64_t width) {
  const auto each_panel = [&](const std::function<void(const Index& begin, std::int64_t columns)>& visit) {
    for (const Segment& segment : panels)
      repeat(build, "jp", segment.count,
             [&](const Index& i) { visit(segment.begin + i * segment.size, segment.size); });
  };
  if (source.along_depth) {
    each_panel([&](const Index& begin, std::int64_t columns) {
      const PackingSource panel{[&](const Index& c, const Index& d) { return source.element(begin + c, d); }, true,
                                source.width};
      pack_panel(build, panel, columns, depth, strip, begin * depth, panel_pitch(columns, width));
    });
    return;
  }
  // A few steps of the depth at once: neighbours in memory are read one after the other, whichever panel they go to.
  constexpr std::int64_t kSteps = 8;
  for (const Segment& block : balanced(depth, kSteps))
    repeat(build, "kp", block.count, [&](const Index& i) {
      each_panel([&](const Index& begin, std::int64_t columns) {
        const std::int64_t pitch = panel_pitch(columns, width);
        build.serial_loop("kq", block.size, [&](const Index& step) {
          const Index d = block.begin + i * block.size + step;
          build.vector_loop("np", columns, source.width, 1, [&](const Index& c) {
            build.store(strip, begin * depth + d * pitch + c, source.element(begin + c, d));
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

void PackedRows::pack(kernel::Builder& build, const PackingSource& source, std::int64_t rows, std::int64_t depth,
                      int to) const {
  if (along_depth_) {
    build.serial_loop("mp", rows, [&](const Index& row) {
      build.vector_loop("kp", depth, source.width, 1,
                        [&](const Index& d) { build.store(to, row * pitch() + d, source.element(row, d)); });
    });
    return;
  }
  // Depth outermost: neighbours in memory are read one after the other, whichever tile they go to.
  build.serial_loop("kp", depth, [&](const Index& d) {
    std::int64_t before = 0;
    for (const Segment& segment : balanced(rows, tile_rows_)) {
      repeat(build, "tp", segment.count, [&](const Index& tile) {
        build.vector_loop("mp", segment.size, source.width, 1, [&](const Index& row) {
          build.store(to, (tile + Index(before)) * pitch() + d * segment.size + row,
                      source.element(segment.begin + tile * segment.size + row, d));
        });
      });
      before += segment.count;
    }
  });
}

}  // namespace pullback::lower
