// Hashes of texts: names of cached files and random streams of parameters depend on them.
#include <catch2/catch.hpp>

#include "compiler/support/hash.h"

using namespace pullback;

TEST_CASE("hashes of texts stay what they are") {
  // Of the test vectors that Landon Curt Noll published.
  CHECK(fnv1a("") == 0xcbf29ce484222325);
  CHECK(fnv1a("a") == 0xaf63dc4c8601ec8c);
  CHECK(fnv1a("foobar") == 0x85944171f73967e8);
  CHECK(digest("foobar").substr(0, 16) == "85944171f73967e8");
  CHECK(digest("a").size() == 32);
  CHECK(digest("a").substr(16) != digest("b").substr(16));
}
