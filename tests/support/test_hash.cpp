// Hashes of texts: names of cached files and random streams of parameters depend on them.
#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "compiler/support/hash.h"

using namespace pullback;

TEST_CASE("hashes of texts stay what they are") {
  // Of the test vectors that Landon Curt Noll published.
  CHECK(fnv1a("") == 0xcbf29ce484222325);
  CHECK(fnv1a("a") == 0xaf63dc4c8601ec8c);
  CHECK(fnv1a("foobar") == 0x85944171f73967e8);
}

TEST_CASE("digests differ in both halves wherever texts do") {
  const std::string text = "names of files are made of whole words and the rest of one";
  std::set<std::string> halves[2];
  const auto add = [&](const std::string& changed) {
    const std::string sum = digest(changed);
    REQUIRE(sum.size() == 32);
    CHECK(halves[0].insert(sum.substr(0, 16)).second);
    CHECK(halves[1].insert(sum.substr(16)).second);
  };
  add(text);
  add("");
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    add(changed);
    if (i > 0) add(text.substr(0, i));
  }
  CHECK(digest(text) == digest(std::string(text)));
}
