// Catch2's main, compiled once for all test binaries.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <cstdlib>

int main(int argc, char** argv) {
  // What a test compiles is compiled anew, unless it asks for the cache.
  setenv("PULLBACK_CACHE", "0", 1);
  return Catch::Session().run(argc, argv);
}

// Tests ask for more memory than there is: the sanitizers shall refuse it as the system does.
#if defined(__SANITIZE_ADDRESS__)
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
#elif defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}
#endif
