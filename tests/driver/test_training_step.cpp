// Training steps that an earlier process left on disk: only declared, the same when they are asked for, and never taken
// for another one.
#include "compiler/driver/training_step.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>

#include "compiler/driver/update.h"
#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"
#include "tests/runtime/temporary_folder.h"
#include "tests/train/quadratic.h"

namespace fs = std::filesystem;

namespace pullback::test {

namespace {

constexpr const char* kTraced = R"(
func @line(%x: f32[batch,3], %y: f32[batch], state %w: f32[3], state %idle: f32[2]) {
  %p: f32[batch] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
  %e: f32[batch] = sub(%p, %y)
  %q: f32[batch] = mul(%e, %e)
  %loss: f32[] = reduce_sum(%q) {axes = [0]}
  return loss = %loss, p = %p
}
)";

struct StepOnDisk {
  TemporaryFolder folder;
  int built = 0;
  std::shared_ptr<const ir::Function> traced = std::move(ir::parse(kTraced, ops::registry()).front());

  driver::TrainingStep step(const std::optional<std::string>& update = "momentum", const char* metric = "p") {
    const auto write = [this](autodiff::UpdateContext& c) {
      ++built;
      for (ir::Value* parameter : c.parameters()) {
        ir::Value* slot = c.state("m." + parameter->name, parameter->type, 0.5);
        c.copied_state("first." + parameter->name, *parameter);
        c.update(parameter, slot);
      }
    };
    Environment environment;
    environment.cache_dir = folder.path();
    return driver::training_step(
        traced, {.name = "line.step", .loss = "loss", .metrics = {metric}, .trainable = {"w", "idle"}, .update = write},
        update, environment);
  }
  fs::path only_file() const {
    REQUIRE(folder.count() == 1);
    return fs::directory_iterator(folder.path())->path();
  }
};

void check_declares(const ir::Function& declaration, const ir::Function& whole) {
  CHECK(declaration.name == whole.name);
  CHECK(declaration.roles == whole.roles);
  CHECK(declaration.results == whole.results);
  REQUIRE(declaration.body.arguments.size() == whole.body.arguments.size());
  for (std::size_t i = 0; i < whole.body.arguments.size(); ++i) {
    CHECK(declaration.body.arguments[i]->name == whole.body.arguments[i]->name);
    CHECK(declaration.body.arguments[i]->type == whole.body.arguments[i]->type);
  }
}

void check_same(const driver::TrainingStep& a, const driver::TrainingStep& b) {
  std::string keys[2];
  a.function->add_identity(keys[0]);
  b.function->add_identity(keys[1]);
  CHECK(keys[0] == keys[1]);
  CHECK(a.independent == b.independent);
  REQUIRE(a.states.size() == b.states.size());
  for (std::size_t i = 0; i < a.states.size(); ++i) {
    CHECK(a.states[i].name == b.states[i].name);
    CHECK(a.states[i].type == b.states[i].type);
    CHECK(a.states[i].initial == b.states[i].initial);
    CHECK(a.states[i].copy_of == b.states[i].copy_of);
  }
}

/// The cache is off in tests; here it is on, in a folder of its own.
struct CacheOn {
  TemporaryFolder folder;
  CacheOn() {
    setenv("PULLBACK_CACHE", "1", 1);
    setenv("PULLBACK_CACHE_DIR", folder.path().c_str(), 1);
  }
  ~CacheOn() {
    setenv("PULLBACK_CACHE", "0", 1);
    unsetenv("PULLBACK_CACHE_DIR");
  }
};

}  // namespace

TEST_CASE("a step is built once, and only declared when it is found on disk", "[training-step]") {
  StepOnDisk disk;
  const driver::TrainingStep first = disk.step(), second = disk.step();
  CHECK(disk.built == 1);
  CHECK(first.independent == std::vector<std::string>{"idle"});
  CHECK(second.states.size() == 4);
  check_same(first, second);
  const std::shared_ptr<const ir::Function> kept = first.function->whole();
  const ir::Function& whole = *kept;
  CHECK_FALSE(whole.body.ops.empty());
  check_declares(second.function->declaration(), whole);
  CHECK(disk.built == 1);
  CHECK(ir::equal(*second.function->whole(), whole));  // somebody asks for its ops
  second.function->whole();
  CHECK(disk.built == 2);
}

TEST_CASE("steps of other outputs or updates are built, and unknown updates always are", "[training-step]") {
  StepOnDisk disk;
  disk.step();
  disk.step("adam");
  disk.step("momentum", "loss");
  CHECK(disk.built == 3);
  CHECK(disk.folder.count() == 3);
  disk.step(std::nullopt);
  disk.step(std::nullopt);
  CHECK(disk.built == 5);
  CHECK(disk.folder.count() == 3);
}

TEST_CASE("a damaged step is built anew and replaced", "[training-step]") {
  StepOnDisk disk;
  const driver::TrainingStep first = disk.step();
  const fs::path file = disk.only_file();
  const std::string good = read_text(file);
  std::string flipped = good;
  flipped[flipped.size() - 20] ^= 1;
  int built = 1;
  for (const std::string& bad : {std::string(), good.substr(0, 20), good.substr(0, good.size() - 1), flipped}) {
    write_text(file, bad);
    check_same(disk.step(), first);
    CHECK(disk.built == ++built);
    CHECK(read_text(file) == good);
  }
}

TEST_CASE("updates that differ in any option are told apart", "[training-step]") {
  using Change = std::function<void(driver::UpdateSpec&)>;
  const auto optimizer = [](const Optimizer& o) { return [o](driver::UpdateSpec& s) { s.options.optimizer = o; }; };
  const auto schedule = [](const Schedule& s) { return [s](driver::UpdateSpec& u) { u.options.schedule = s; }; };
  const auto group = [](const ParameterGroup& g) {
    return [g](driver::UpdateSpec& s) {
      s.options.groups = {g};
      s.groups = {{"w", 0}};
    };
  };
  const std::vector<Change> changes{
      [](driver::UpdateSpec&) {},
      optimizer(Adam{}),
      optimizer(AdamW{}),
      optimizer(AdamW{.lr = 2e-3}),
      optimizer(AdamW{.beta1 = 0.8}),
      optimizer(AdamW{.beta2 = 0.99}),
      optimizer(AdamW{.epsilon = 1e-7}),
      optimizer(AdamW{.weight_decay = 0.1}),
      optimizer(AdamW{.amsgrad = true}),
      optimizer(AdamW{.maximize = true}),
      optimizer(RMSprop{}),
      optimizer(Adagrad{}),
      optimizer(Adadelta{}),
      optimizer(Adamax{}),
      optimizer(NAdam{}),
      optimizer(RAdam{}),
      optimizer(Lion{}),
      optimizer(LAMB{}),
      optimizer(LBFGS{}),
      optimizer(LBFGS{.history_size = 3}),
      optimizer(LBFGS{.line_search = LBFGS::LineSearch::backtracking}),
      [](driver::UpdateSpec& s) { s.options.optimizer.name = "other"; },
      [](driver::UpdateSpec& s) { s.options.optimizer.learning_rate = 0.25; },
      [](driver::UpdateSpec& s) { s.prefix = "critic."; },
      [](driver::UpdateSpec& s) { s.loss_scale.emplace(); },
      [](driver::UpdateSpec& s) { s.loss_scale = LossScale{.interval = 3}; },
      [](driver::UpdateSpec& s) { s.options.clip_norm = 1; },
      [](driver::UpdateSpec& s) { s.options.clip_value = 1; },
      [](driver::UpdateSpec& s) { s.options.accumulate = 2; },
      [](driver::UpdateSpec& s) { s.options.ema.emplace(); },
      [](driver::UpdateSpec& s) { s.options.ema = Ema{.warm_up = true}; },
      [](driver::UpdateSpec& s) { s.options.gradient_norm = true; },
      schedule(StepLR{.step_size = 10}),
      schedule(StepLR{.step_size = 20}),
      schedule(Schedule(StepLR{.step_size = 10}).per_epoch()),
      schedule(LambdaLR{[](std::int64_t) { return 1.0; }}),
      schedule(ReduceLROnPlateau{}),
      schedule(warm_up(5, CosineAnnealingLR{.T_max = 10})),
      schedule(warm_up(5, CosineAnnealingLR{.T_max = 11})),
      schedule(OneCycleLR{.max_lr = 1, .total_steps = 10}),
      schedule(OneCycleLR{.max_lr = 1, .total_steps = 10, .cycle_momentum = false}),
      [](driver::UpdateSpec& s) {
        s.options.schedule = OneCycleLR{.max_lr = 1, .total_steps = 10};
        s.where = SourceLocation::current();  // which the check that it has not ended shows
      },
      group({}),
      group({.lr = 1}),
      group({.lr_scale = 0.5}),
      group({.weight_decay = 1}),
  };
  std::set<std::string> identities;
  for (const Change& change : changes) {
    driver::UpdateSpec spec{{.optimizer = SGD{}}, "", {}, {}, {}};
    change(spec);
    const std::optional<std::string> identity = driver::update_identity(spec);
    REQUIRE(identity);
    identities.insert(*identity);
  }
  CHECK(identities.size() == changes.size());
}

TEST_CASE("formulas and rules that a user wrote are not known", "[training-step]") {
  const Schedule::Formula halved = [](const ScheduleInputs& in) { return in.base * 0.5; };
  const auto identity_with = [](const Schedule& schedule) {
    return driver::update_identity({{.optimizer = SGD{}, .schedule = schedule}, "", {}, {}, {}});
  };
  CHECK(identity_with({}));
  CHECK(identity_with(StepLR{.step_size = 2}));
  CHECK(identity_with(StepLR{.step_size = 2}) != identity_with(StepLR{.step_size = 3}));
  CHECK(identity_with(StepLR{.step_size = 2}) == identity_with(StepLR{.step_size = 2}));
  CHECK(identity_with(warm_up(3, OneCycleLR{.max_lr = 1, .total_steps = 9, .cycle_momentum = false})));
  CHECK(identity_with(ChainedScheduler{{StepLR{.step_size = 2}, ConstantLR{}}}));
  Schedule own = StepLR{.step_size = 2};
  own.rate = halved;
  CHECK_FALSE(identity_with(own));
  CHECK_FALSE(identity_with(warm_up(3, own)));
  CHECK_FALSE(identity_with(ChainedScheduler{{StepLR{.step_size = 2}, own}}));
  own = StepLR{.step_size = 2};
  own.momentum = halved;
  CHECK_FALSE(identity_with(own));
  driver::UpdateSpec spec{{.optimizer = SGD{}}, "", {}, {}, {}};
  spec.options.optimizer.rule = [](Update&) {};  // the name and the rate are SGD's
  CHECK_FALSE(driver::update_identity(spec));
}

TEST_CASE("a formula of one's own is called while the Trainer is made, and never again", "[training-step]") {
  const CacheOn cache;
  for (int process = 0; process < 2; ++process) {
    double factor = 0.5;
    int calls = 0;
    Schedule own;
    own.name = "own";
    own.rate = [&](const ScheduleInputs& in) {
      ++calls;
      return in.base * factor;
    };
    Graph g("own");
    const Tensor x = g.input("x", f32, {dim("batch")}), w = g.parameter("w", {});
    g.state()->set("w", Array::scalar(1.0F));
    Trainer trainer(g, {.loss = mean(x * w), .optimizer = SGD{.lr = 1}, .schedule = own});
    const int made = calls;
    CHECK(made > 0);
    factor = 100;
    for (const std::int64_t batch : {1, 8}) {
      const std::vector<float> ones(static_cast<std::size_t>(batch), 1);
      trainer.program().step({{"x", Array::from(ones, {batch})}});
    }
    CHECK(calls == made);
    CHECK(g.state()->get("w").values<float>()[0] == 0);  // two steps of a half
  }
}

TEST_CASE("a Trainer whose step was found trains, warns and shows its forms as one that built it", "[training-step]") {
  const CacheOn cache;
  const auto run = [](std::vector<std::string>& warnings, std::string& text) {
    Quadratic<float> model({.optimizer = AdamW{.lr = 0.1},
                            .schedule = warm_up(2, LambdaLR{[](std::int64_t t) { return 1.0 / double(t + 1); }}),
                            .clip_norm = 1,
                            .ema = Ema{}});
    for (int i = 0; i < 3; ++i) model.step();
    text = model.trainer.program().dump(Stage::step) + model.trainer.program().dump(Stage::optimized);
    const Tensor idle = model.g.parameter("idle", {2});
    const Warnings collected;
    Trainer other(model.g, {.loss = mean(square(model.g.parameter("d", {2}))), .optimizer = SGD{}, .name = "other"});
    other.program().step();
    warnings = collected.messages;
    return model.g.state()->clone();
  };
  std::vector<std::string> warnings[2];
  std::string texts[2];
  const State first = run(warnings[0], texts[0]), second = run(warnings[1], texts[1]);
  check_same_bits(first, second);
  CHECK(warnings[0] == warnings[1]);
  CHECK_FALSE(warnings[0].empty());
  CHECK(texts[0] == texts[1]);
}

}  // namespace pullback::test
