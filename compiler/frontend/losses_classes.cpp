// Losses of labels: each example belongs to one of several classes.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/losses.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/reductions.h"

namespace pullback {

namespace detail {

SourceLine require_labels(const char* op, const Tensor& logits, const Tensor& labels, int axis,
                          const SourceLocation& where) {
  const SourceLine line = logits.trace()->line(where);
  const std::string operands = described("logits", logits) + ", " + described("labels", labels);
  if (labels.dtype() != i32 && labels.dtype() != i64)
    fail(op, operands + ": labels must be i32 or i64; cast() them", line);
  Shape examples = logits.shape();
  examples.erase(examples.begin() + axis);
  if (labels.shape() == examples) return line;
  const bool last = axis + 1 == static_cast<int>(logits.rank());
  fail(op,
       fmt::format("{}: the labels' shape must be the logits' without {}", operands,
                   last ? std::string("the last axis") : fmt::format("axis {}", axis)),
       line);
}

void check_labels(const char* op, const std::string& name, const Tensor& logits, const Tensor& labels, int axis) {
  const SourceLine line = logits.trace()->line(SourceLocation::current());  // pinned by the loss
  const Dim& size = logits.shape()[static_cast<std::size_t>(axis)];
  std::vector<int> axes;
  for (std::size_t i = 0; i < labels.rank(); ++i) axes.push_back(static_cast<int>(i));
  const Tensor low = reshape(smallest(labels, axes, line), {}), high = reshape(largest(labels, axes, line), {});
  const std::string found =
      fmt::format("{}: labels{} lie in {{}}..{{}}, but there are ", op, name.empty() ? "" : " " + name);
  if (size.is_constant()) {
    const std::int64_t classes = size.constant();
    check((low >= 0) & (high < classes), fmt::format("{}{} classes, 0..{}", found, classes, classes - 1), {low, high});
  } else {
    const Tensor classes = folded_count(logits, {axis}, labels.dtype(), line);
    check((low >= 0) & (high < classes), found + "{} classes", {low, high, classes});
  }
}

Tensor chosen_classes(const Tensor& logits, const Tensor& labels, int axis) {
  const SourceLine line = logits.trace()->line(SourceLocation::current());  // pinned by the loss
  return equal(unsqueeze(labels, axis), positions_along(logits, axis, labels.dtype(), line));
}

}  // namespace detail

namespace {

// Scores of classes along `axis`, the examples' labels and the classes' weights.
class Labelled {
 public:
  Labelled(const char* op, const Tensor& scores, const Tensor& labels, int axis, const Tensor& weight,
           std::int64_t ignore_index)
      : scores_(scores), axis_(axis), ignored_(equal(labels, ignore_index)) {
    if (weight.defined()) weight_ = class_weights(op, scores, axis, weight);
    const Tensor valid = where(ignored_, 0, labels);
    detail::check_labels(op, labels.name(), scores, valid, axis);
    chosen_ = detail::chosen_classes(scores, valid, axis);
  }

  /// [classes] -> [classes,1,1]: broadcasts against the scores.
  static Tensor class_weights(const char* op, const Tensor& scores, int axis, const Tensor& weight) {
    const Dim classes = scores.size(axis);
    if (weight.dtype() != scores.dtype() || weight.shape() != Shape{classes})
      detail::fail(op,
                   fmt::format("the weight is {}, but {}[{}] is needed, one for each class", weight.type_string(),
                               name_of(scores.dtype()), classes.to_string()),
                   scores.trace()->line(SourceLocation::current()));
    Shape shape(scores.rank() - static_cast<std::size_t>(axis), Dim(1));
    shape.front() = classes;
    return reshape(weight, shape);
  }

  /// The weight of each example's label; 0 where it is ignored.
  Tensor weights() const {
    if (!weight_.defined()) return cast(!ignored_, scores_.dtype());
    return where(ignored_, 0.0, sum(where(chosen_, weight_, 0.0), axis_));
  }
  /// -weight * score of each example's label.
  Tensor negated() const { return where(ignored_, 0.0, -sum(where(chosen_, weighted(), 0.0), axis_)); }
  /// -sum(weight * score) over all classes.
  Tensor negated_sum() const { return where(ignored_, 0.0, -sum(weighted(), axis_)); }

 private:
  Tensor weighted() const { return weight_.defined() ? scores_ * weight_ : scores_; }

  Tensor scores_;
  int axis_;
  Tensor weight_, ignored_, chosen_;
};

// The mean of examples' losses counts each with its label's weight.
Tensor reduced(const Tensor& losses, Reduction reduction, const Labelled& labelled, const Tensor& scores) {
  if (reduction == Reduction::mean) return sum(losses) / sum(labelled.weights());
  return detail::reduced(losses, reduction, scores);
}

// Targets are probabilities of the classes.
Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets, int axis, const CrossEntropyOptions& options) {
  const SourceLine line = logits.trace()->line(SourceLocation::current());  // pinned
  Tensor smoothed = targets;
  if (options.label_smoothing > 0) {
    const Tensor classes = detail::folded_count(logits, {axis}, logits.dtype(), line);
    smoothed = targets * (1 - options.label_smoothing) + options.label_smoothing / classes;
  }
  Tensor scores = log_softmax(logits, axis) * smoothed;
  if (options.weight.defined())
    scores = scores * Labelled::class_weights("cross_entropy", logits, axis, options.weight);
  return detail::reduced(-sum(scores, axis), options.reduction, logits);
}

// The axis of the classes, from the front.
int require_classes(const char* op, const Tensor& logits, const Tensor& labels, int axis, const SourceLocation& where) {
  detail::require_defined(op, logits, where);
  detail::require_defined(op, labels, where);
  const SourceLine line = logits.trace()->line(where);
  if (!is_float(logits.dtype()) || logits.rank() == 0)
    detail::fail(op,
                 detail::described("logits", logits) + ", " + detail::described("labels", labels) +
                     ": floating logits [..., classes] are needed",
                 line);
  return detail::normalize_axis(op, logits, axis, line);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options,
                     SourceLocation where) {
  const int axis = require_classes("cross_entropy", logits, labels, options.class_axis, where);
  const double smoothing = options.label_smoothing;
  const SourceLine line = logits.trace()->line(where);
  if (!(smoothing >= 0 && smoothing <= 1))
    detail::fail("cross_entropy", fmt::format("label_smoothing is {}: it lies in [0, 1]", smoothing), line);
  detail::Pin pin(logits, where);
  if (labels.dtype() == logits.dtype() && labels.shape() == logits.shape())
    return soft_cross_entropy(logits, labels, axis, options);
  detail::require_labels("cross_entropy", logits, labels, axis, where);
  const Labelled labelled("cross_entropy", log_softmax(logits, axis), labels, axis, options.weight,
                          options.ignore_index);
  Tensor losses = labelled.negated();
  if (smoothing > 0) {
    const Tensor classes = detail::folded_count(logits, {axis}, logits.dtype(), line);
    losses = losses * (1 - smoothing) + labelled.negated_sum() * (smoothing / classes);
  }
  return reduced(losses, options.reduction, labelled, logits);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Reduction reduction, SourceLocation where) {
  return cross_entropy(logits, labels, CrossEntropyOptions{.reduction = reduction}, where);
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels, const NllOptions& options, SourceLocation where) {
  const int axis = require_classes("nll", log_probabilities, labels, options.class_axis, where);
  detail::require_labels("nll", log_probabilities, labels, axis, where);
  detail::Pin pin(log_probabilities, where);
  const Labelled labelled("nll", log_probabilities, labels, axis, options.weight, options.ignore_index);
  return reduced(labelled.negated(), options.reduction, labelled, log_probabilities);
}

Tensor multi_margin(const Tensor& logits, const Tensor& labels, const MultiMarginOptions& options,
                    SourceLocation where) {
  const int axis = require_classes("multi_margin", logits, labels, -1, where);
  const SourceLine line = detail::require_labels("multi_margin", logits, labels, axis, where);
  detail::require_number("multi_margin", "margin", options.margin, line);
  if (options.p != 1 && options.p != 2)
    detail::fail("multi_margin", fmt::format("p is {}: 1 and 2 are possible", options.p), line);
  detail::Pin pin(logits, where);
  detail::check_labels("multi_margin", labels.name(), logits, labels, axis);
  const Tensor chosen = detail::chosen_classes(logits, labels, axis);
  const Tensor own = sum(pullback::where(chosen, logits, 0.0), axis, true);
  const Tensor violation = options.margin - own + logits;
  // At exactly 0 there is no violation, and no gradient.
  const Tensor charged = pullback::where((violation > 0.0) & !chosen, violation, 0.0);
  Tensor losses = mean(options.p == 2 ? square(charged) : charged, axis);
  if (options.weight.defined()) {
    const Tensor weight = Labelled::class_weights("multi_margin", logits, axis, options.weight);
    losses = losses * sum(pullback::where(chosen, weight, 0.0), axis);
  }
  return detail::reduced(losses, options.reduction, logits);
}

}  // namespace pullback
