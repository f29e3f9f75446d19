// Each sample runs, at a reduced size where it takes long, and prints the figure that its opening comment promises.
#include <catch2/catch.hpp>

#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "tests/docs/pages.h"

namespace {

// What `samples/NAME ARGUMENTS` prints; the samples lie beside this test's binary.
std::string run(const std::string& name_and_arguments) {
  const pullback::docs::Ran ran = pullback::docs::run(pullback::docs::binaries() + "/" + name_and_arguments);
  INFO(ran.output);
  CHECK(ran.status == 0);
  return ran.output;
}

// The first group of each match, as numbers.
std::vector<double> numbers(const std::string& text, const std::string& pattern) {
  std::vector<double> result;
  const std::regex regex(pattern);
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    result.push_back(std::stod((*match)[1]));
  return result;
}

}  // namespace

TEST_CASE("xor is learned", "[samples]") {
  const std::vector<double> answers = numbers(run("xor"), R"(xor [01] = ([0-9.]+))");
  const double truth[] = {0, 1, 1, 0};
  REQUIRE(answers.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(answers[i] - truth[i]) < 0.1);
}

TEST_CASE("the digits are learned in part by one epoch", "[samples]") {
  const std::vector<double> accuracy = numbers(run("digits samples/data/mnist 1"), R"(test accuracy: ([0-9.]+) %)");
  REQUIRE(accuracy.size() == 1);
  CHECK(accuracy[0] > 80);
}

TEST_CASE("the species of iris are told apart", "[samples]") {
  const std::vector<double> accuracy = numbers(run("iris"), R"(accuracy ([0-9.]+) %)");
  REQUIRE(accuracy.size() == 1);
  CHECK(accuracy[0] >= 90);
}

TEST_CASE("a line explains part of the diabetes table's variance", "[samples]") {
  const std::vector<double> explained = numbers(run("regression"), R"(rows, ([0-9.]+) on)");
  REQUIRE(explained.size() == 1);
  CHECK(explained[0] > 0.35);
}

TEST_CASE("an online learner recovers from a bumped sensor", "[samples]") {
  const std::vector<double> errors = numbers(run("online"), R"(squared error ([0-9.]+))");
  REQUIRE(errors.size() == 10);
  CHECK(errors[4] < errors[0] / 3);  // it learned
  CHECK(errors[5] > 2 * errors[4]);  // the bump
  CHECK(errors[9] < errors[5] / 2);  // it followed
}

TEST_CASE("digits are drawn from 16 numbers better than on average", "[samples]") {
  const std::string text = run("autoencoder samples/data/mnist 2");
  const std::vector<double> code = numbers(text, R"(digits: ([0-9.]+) by 16)"),
                            average = numbers(text, R"(, ([0-9.]+) by the average)");
  REQUIRE(code.size() == 1);
  REQUIRE(average.size() == 1);
  CHECK(code[0] < 0.7 * average[0]);  // two epochs of twenty
}

TEST_CASE("a cart learns to balance a pole", "[samples]") {
  const std::vector<double> points = numbers(run("cartpole"), R"(mean return: ([0-9.]+) of 500)");
  REQUIRE(points.size() == 1);
  CHECK(points[0] > 400);
}

TEST_CASE("a network finds the motion of a spring from its law", "[samples]") {
  const std::vector<double> error = numbers(run("oscillator"), R"(largest error: ([0-9.]+))");
  REQUIRE(error.size() == 1);
  CHECK(error[0] < 0.02);  // of a motion between -0.7 and 1
}

TEST_CASE("a convolutional network learns digits in few epochs", "[samples]") {
  const std::vector<double> accuracy = numbers(run("cnn samples/data/mnist 2"), R"(test accuracy: ([0-9.]+) %)");
  REQUIRE(accuracy.size() == 1);
  CHECK(accuracy[0] > 95);  // two epochs of fifteen
}

// A guess costs log(number of characters), about 4.4 nats. Training at full length takes minutes; this little shows
// that the losses fall below that, and that both write.
TEST_CASE("networks that write learn from a little text", "[samples]") {
  for (const char* sample : {"charlstm README.md 100", "gpt README.md 40"}) {
    const std::string text = run(sample);
    const std::vector<double> loss = numbers(text, R"(validation loss: ([0-9.]+) nats)");
    REQUIRE(loss.size() == 1);
    CHECK(loss[0] < 3.6);
    CHECK(text.size() - text.find("nats") > 400);
  }
}
