// Reinforcement learning: cartpole [UPDATES [SEED]], by default 150 and 1.
//
// A pole stands on a cart; a network pushes the cart left or right, fifty times a second, and gets a point for each
// moment in which the pole still stands, at most 500. Nobody tells it which push was right. REINFORCE (Williams 1992)
// makes pushes more likely that were followed by more points than usual: the loss is the cross entropy of the pushes
// that were made, each weighed by its advantage. It is the supervised machinery with another loss.
//
// What to look at: the mean return climbs from about 20 to the most there is. The weights ("advantage") are an input
// like any other: differentiation does not care where numbers come from.
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <random>
#include <vector>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

// The cart and the pole (Barto, Sutton and Anderson 1983): position, velocity, angle, angular velocity.
class CartPole {
 public:
  using State = std::array<float, 4>;
  static constexpr int kLongest = 500;

  explicit CartPole(std::mt19937& random) : random_(random) { reset(); }
  const State& state() const { return state_; }

  void reset() {
    std::uniform_real_distribution<float> small(-0.05F, 0.05F);
    for (float& value : state_) value = small(random_);
    steps_ = 0;
  }
  /// Pushes; returns whether the episode has ended.
  bool push(bool right) {
    constexpr float kGravity = 9.8F, kPole = 0.1F, kTotal = 1.1F, kHalfLength = 0.5F, kForce = 10, kTime = 0.02F;
    auto& [x, speed, angle, turn] = state_;
    const float force = right ? kForce : -kForce, sine = std::sin(angle), cosine = std::cos(angle);
    const float pull = (force + kPole * kHalfLength * turn * turn * sine) / kTotal;
    const float twist =
        (kGravity * sine - cosine * pull) / (kHalfLength * (4.0F / 3.0F - kPole * cosine * cosine / kTotal));
    const float push = pull - kPole * kHalfLength * twist * cosine / kTotal;
    x += kTime * speed;
    speed += kTime * push;
    angle += kTime * turn;
    turn += kTime * twist;
    constexpr float kEdge = 2.4F, kFallen = 0.2094F;  // 12 degrees
    return std::abs(x) > kEdge || std::abs(angle) > kFallen || ++steps_ >= kLongest;
  }

 private:
  std::mt19937& random_;
  State state_{};
  int steps_ = 0;
};

struct Experience {
  std::vector<float> states, advantages;
  std::vector<std::int32_t> pushes;
  std::vector<int> returns;  ///< of the episodes, one point a push
};

constexpr std::size_t kPushes = 4096;  // of one update: a fixed size, compiled once

// What is still to come, discounted, after each push of an episode.
void add_returns(std::vector<float>& advantages, int length) {
  constexpr float kDiscount = 0.99F;
  std::vector<float> future(static_cast<std::size_t>(length));
  float sum = 0;
  for (std::size_t t = future.size(); t-- > 0;) future[t] = sum = 1 + kDiscount * sum;
  advantages.insert(advantages.end(), future.begin(), future.end());
}

Experience play(pb::BoundStep& policy, pb::Array& input, std::mt19937& random) {
  Experience experience;
  CartPole game(random);
  std::uniform_real_distribution<float> unit(0, 1);
  while (experience.pushes.size() < kPushes) {
    game.reset();
    int length = 0;
    for (bool ended = false; !ended; ++length) {
      std::copy(game.state().begin(), game.state().end(), input.values<float>().begin());
      policy.step();
      const bool right = unit(random) < policy.outputs()[0].values<float>()[1];
      experience.states.insert(experience.states.end(), game.state().begin(), game.state().end());
      experience.pushes.push_back(right);
      ended = game.push(right);
    }
    experience.returns.push_back(length);
    add_returns(experience.advantages, length);
  }
  experience.states.resize(kPushes * 4);
  experience.pushes.resize(kPushes);
  experience.advantages.resize(kPushes);
  // "More than usual": the mean is subtracted, and the scale does not grow with the skill.
  const auto n = static_cast<float>(kPushes);
  const float mean = std::accumulate(experience.advantages.begin(), experience.advantages.end(), 0.0F) / n;
  float squares = 0;
  for (float& a : experience.advantages) a -= mean, squares += a * a;
  for (float& a : experience.advantages) a /= std::sqrt(squares / n) + 1e-6F;
  return experience;
}

void learn(int updates, unsigned seed) {
  pb::Graph g("cartpole", {.seed = seed});
  pb::Tensor state = g.input("state", pb::f32, {pb::dim("batch"), 4});
  pb::Tensor push = g.input("push", pb::i32, {pb::dim("batch")});
  pb::Tensor advantage = g.input("advantage", pb::f32, {pb::dim("batch")});
  pb::Tensor logits = pb::nn::linear(pb::tanh(pb::nn::linear(state, 32, "hidden")), 2, "out");
  pb::Tensor surprise = pb::cross_entropy(logits, push, pb::Reduction::none);
  pb::Trainer trainer(g, {.loss = pb::mean(surprise * advantage), .optimizer = pb::Adam{.lr = 0.01}});

  pb::Array input(pb::f32, {1, 4});
  pb::Program policy = g.compile({pb::softmax(logits)});
  pb::BoundStep one = policy.bind({{state, input}});

  std::mt19937 random(seed);
  const auto mean_of = [](const std::vector<int>& returns) {
    return std::accumulate(returns.begin(), returns.end(), 0.0) / static_cast<double>(returns.size());
  };
  for (int update = 1; update <= updates; ++update) {
    Experience e = play(one, input, random);
    const auto n = static_cast<std::int64_t>(kPushes);
    trainer.observe({{state, pb::Array::from(e.states, {n, 4})},
                     {push, pb::Array::from(e.pushes, {n})},
                     {advantage, pb::Array::from(e.advantages, {n})}});
    if (update % 10 == 0)
      std::printf("update %3d: mean return %5.1f over %zu episodes\n", update, mean_of(e.returns), e.returns.size());
  }
  std::vector<int> returns;  // after the last update
  while (returns.size() < 20) {
    const Experience e = play(one, input, random);
    returns.insert(returns.end(), e.returns.begin(), e.returns.end());
  }
  std::printf("mean return: %.1f of %d over %zu new episodes\n", mean_of(returns), CartPole::kLongest, returns.size());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    learn(argc > 1 ? std::atoi(argv[1]) : 150, argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cartpole: %s\n", e.what());
    return 1;
  }
}
