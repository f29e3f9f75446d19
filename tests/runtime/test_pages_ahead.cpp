// Pages that come in the background: memory keeps what others write meanwhile, and is left alone in time.
#include "runtime/pages_ahead.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "runtime/memory.h"

using namespace pullback;

namespace {

constexpr std::size_t kBytes = (std::size_t{12} << 20) + 4099;

}  // namespace

TEST_CASE("pages that are touched ahead keep what is written meanwhile", "[pages]") {
  for (int round = 0; round < 5; ++round) {
    const std::shared_ptr<std::byte> memory = runtime::allocate_zeroed(kBytes);
    runtime::PagesAhead pages;
    std::byte *begin = memory.get(), *end = begin + kBytes;
    pages.touch(begin, begin + kBytes / 3);
    pages.touch_slow(begin + kBytes / 3, end);
    const auto written = static_cast<std::byte>(round + 1);
    std::fill(begin, end, written);
    pages.touch(begin, begin);  // nothing
    pages.touch(begin + 1, begin + 2);
    CHECK(std::count(begin, end, written) == static_cast<std::ptrdiff_t>(kBytes));
  }
}

TEST_CASE("touching stops when its owner goes", "[pages]") {
  for (int round = 0; round < 20; ++round) {
    const std::shared_ptr<std::byte> memory = runtime::allocate_zeroed(kBytes);
    runtime::PagesAhead pages;
    pages.touch(memory.get(), memory.get() + kBytes);
  }  // the memory goes behind
}
