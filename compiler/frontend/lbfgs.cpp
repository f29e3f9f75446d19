// L-BFGS: all parameters as one vector, the last steps and changes of the gradient as rows of two matrices.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/optimizers.h"

namespace pullback {

using namespace detail;

namespace {

constexpr double kSufficientDecrease = 1e-4;
constexpr double kLeastCurvature = 1e-10;  // y.s below it is noise: the pair is left out, as in PyTorch

Tensor inner(const Tensor& a, const Tensor& b) {
  return sum(a * b);
}

Tensor row(const Tensor& matrix, std::int64_t i) {
  return reshape(narrow(matrix, 0, i, 1), {-1});
}

// All values (or gradients) one after the other: [N].
Tensor flat(const std::vector<Update::Parameter>& parameters, Tensor Update::Parameter::* part) {
  std::vector<Tensor> parts;
  for (const Update::Parameter& p : parameters) {
    if ((p.*part).dtype() != (parameters.front().*part).dtype())
      throw Error(fmt::format("LBFGS: {} is {}, {} is {}: it needs parameters of one dtype", parameters.front().name,
                              parameters.front().value.type_string(), p.name, p.value.type_string()));
    parts.push_back(reshape(p.*part, {-1}));
  }
  return concat(parts);
}

void set_all(Update& update, const Tensor& x) {
  std::int64_t offset = 0;
  for (const Update::Parameter& p : update.parameters()) {
    std::int64_t count = 1;
    for (const Dim& size : p.value.shape()) count *= size.constant();
    update.set(p.value, reshape(narrow(x, 0, offset, count), p.value.shape()));
    offset += count;
  }
}

// Steps s and changes of the gradient y, [history,N] each, the newest in the last row; rows of zeros are empty.
struct StepHistory {
  Tensor s, y;

  StepHistory pushed(const Tensor& step, const Tensor& change, const Tensor& keep) const {
    const std::int64_t rows = s.shape()[0].constant();
    const auto push = [&](const Tensor& matrix, const Tensor& last) {
      const Tensor bottom = unsqueeze(last, 0);
      const Tensor next = rows == 1 ? bottom : concat({narrow(matrix, 0, 1, rows - 1), bottom});
      return where(keep, next, matrix);
    };
    return {push(s, step), push(y, change)};
  }

  // The inverse Hessian's estimate times g: the two-loop recursion. Empty rows have no part in it.
  Tensor apply(const Tensor& g) const {
    const std::int64_t rows = s.shape()[0].constant();
    const Tensor products = sum(s * y, 1);
    const Tensor inverses = where(products > 0.0, 1.0 / products, 0.0);
    const auto inverse = [&](std::int64_t i) { return reshape(narrow(inverses, 0, i, 1), {}); };
    std::vector<Tensor> weights(static_cast<std::size_t>(rows));
    Tensor r = g;
    for (std::int64_t i = rows; i-- > 0;) {
      Tensor& weight = weights[static_cast<std::size_t>(i)];
      weight = inverse(i) * inner(row(s, i), r);
      r = r - weight * row(y, i);
    }
    const Tensor newest = reshape(narrow(products, 0, rows - 1, 1), {}), change = row(y, rows - 1);
    r = where(newest > 0.0, newest / inner(change, change), 1.0) * r;
    for (std::int64_t i = 0; i < rows; ++i)
      r = r + (weights[static_cast<std::size_t>(i)] - inverse(i) * inner(row(y, i), r)) * row(s, i);
    return r;
  }
};

// Where the line search is: at x0 + length * direction, after f0 and slope at x0. Scalars are f64.
struct Line {
  Tensor x0, g0, direction, f0, slope, length;
};

// The minimum of the parabola through f0, slope and f, within [0.1, 0.5] of the last length; 0.1 of it for NaN.
Tensor shorter(const Line& line, const Tensor& f) {
  const Tensor parabola = -line.slope * line.length * line.length / (2.0 * (f - line.f0 - line.slope * line.length));
  const Tensor low = 0.1 * line.length, high = 0.5 * line.length;
  return where(parabola > low, where(parabola < high, parabola, high), low);
}

void write_update(const LBFGS& options, Update& update) {
  const std::vector<Update::Parameter>& parameters = update.parameters();
  if (parameters.empty()) return;
  const Tensor x = flat(parameters, &Update::Parameter::value), g = flat(parameters, &Update::Parameter::gradient);
  const DType dtype = x.dtype();
  const auto vector = [&](const char* name) { return update.slot(name, dtype, x.shape()); };
  const auto matrix = [&](const char* name) { return update.slot(name, dtype, {options.history_size, x.shape()[0]}); };
  const auto scalar = [&](const char* name) { return update.slot(name, f64, {}); };
  const StepHistory history{matrix("s"), matrix("y")};
  const Line line{vector("x"), vector("g"), vector("direction"), scalar("f"), scalar("slope"), scalar("length")};

  const Tensor first = update.step() <= 1.0, f = cast(update.loss(), f64);
  const bool searches = options.line_search == LBFGS::LineSearch::backtracking;
  const Tensor decreased = f <= line.f0 + kSufficientDecrease * line.length * line.slope;
  const Tensor accepted = decreased | first;

  const Tensor step = x - line.x0, change = g - line.g0;
  const Tensor keep = (!first) & (inner(step, change) > kLeastCurvature);
  const StepHistory next = history.pushed(step, change, searches ? accepted & keep : keep);
  Tensor direction = -next.apply(g);
  Tensor slope = inner(g, direction);
  const Tensor descends = slope < 0.0;  // rounding may have spoiled it
  direction = where(descends, direction, -g);
  slope = where(descends, slope, -inner(g, g));
  const Tensor rate = parameters.front().learning_rate;
  const Tensor length = where(first, rate * minimum(cast(1.0 / sum(abs(g)), f64), 1.0), rate);

  const auto choose = [&](const Tensor& slot, const Tensor& value) {
    const Tensor chosen = searches ? where(accepted, value, slot) : value;
    update.set(slot, chosen);
    return chosen;
  };
  update.set(history.s, next.s);
  update.set(history.y, next.y);
  const Tensor start = choose(line.x0, x), along = choose(line.direction, direction);
  choose(line.g0, g);
  choose(line.f0, f);
  choose(line.slope, cast(slope, f64));
  const Tensor distance = searches ? where(accepted, length, shorter(line, f)) : length;
  update.set(line.length, distance);
  set_all(update, start + cast(distance, dtype) * along);
}

}  // namespace

Optimizer::Optimizer(const LBFGS& lbfgs, SourceLocation where) : name("lbfgs"), learning_rate(lbfgs.lr) {
  OptionCheck("LBFGS", where)
      .at_least_zero("lr", lbfgs.lr)
      .require(lbfgs.history_size >= 1 && lbfgs.history_size <= 10000,
               fmt::format("history_size is {}: it must lie in 1..10000", lbfgs.history_size));
  set_rule(*this, "LBFGS", lbfgs, [lbfgs](Update& context) { write_update(lbfgs, context); });
}

}  // namespace pullback
