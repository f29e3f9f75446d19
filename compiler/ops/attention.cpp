// attention: softmax(scale * query key^T) value, and its gradient. Both have kernels that hold only a block of the
// scores at a time (Dao, Fu, Ermon, Rudra, Ré: "FlashAttention", 2022): of each row of scores, the forward pass keeps
// log(sum(exp(row))), from which the gradient computes the weights again.
#include "compiler/ops/attention.h"

#include <functional>
#include <limits>
#include <numeric>

#include "compiler/ir/rewriter.h"
#include "compiler/ops/contraction.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/regions.h"

namespace pullback::ops {

namespace {

bool flag(const ir::Op& op, const std::string& name) {
  return op.attributes.get<bool>(name);
}

// ---- Shapes

std::vector<ir::Type> infer_forward(const InferContext& c) {
  for (const char* name : {"causal", "mask", "factor"}) c.attribute<bool>(name);
  c.attribute<double>("scale");
  const AttentionOperands operands(c.op());
  if (c.operand_count() < operands.count) c.fail("an operand is missing");
  c.require_float(0);
  c.require_same_dtype(0, 1);
  c.require_same_dtype(0, 2);
  const Shape &query = c.shape(0), &key = c.shape(1), &value = c.shape(2);
  if (query.size() < 3 || key.size() != query.size() || value.size() != query.size())
    c.fail("query [B...,L,H,E], key [B...,S,H,E] and value [B...,S,H,V] are needed");
  const std::size_t length = query.size() - 3;
  for (std::size_t axis = 0; axis < query.size(); ++axis) {
    if (axis != length && !(query[axis] == key[axis])) c.fail("query and key differ in more than their length");
    if (axis + 1 != query.size() && !(key[axis] == value[axis])) c.fail("key and value differ in more than features");
  }
  Shape scores(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(length));
  scores.insert(scores.end(), {query[length + 1], query[length], key[length]});
  if (operands.mask) {
    if (c.dtype(*operands.mask) != DType::boolean) c.require_same_dtype(*operands.mask, 0);
    if (c.shape(*operands.mask) != scores) c.fail("the mask must be [B...,H,L,S]");
  }
  if (operands.factor && c.type(*operands.factor) != ir::Type{c.dtype(0), scores})
    c.fail("the factor must be [B...,H,L,S] of the query's dtype");
  Shape output = query;
  output.back() = value.back();
  scores.pop_back();
  return {{c.dtype(0), output}, {c.dtype(0), scores}};
}

std::vector<ir::Type> infer_gradient(const InferContext& c) {
  const std::vector<ir::Type> forward = infer_forward(c);
  c.attribute<bool>("statistics");
  const AttentionOperands operands(c.op());
  if (c.operand_count() != operands.count) c.fail("there must be as many operands as the attributes say");
  for (const std::size_t i : {operands.output, operands.cotangent})
    if (c.type(i) != forward[0]) c.fail("the output and its cotangent must be " + ir::to_string(forward[0]));
  if (c.type(operands.statistics) != forward[1]) c.fail("the statistics must be " + ir::to_string(forward[1]));
  if (operands.statistics_cotangent && c.type(*operands.statistics_cotangent) != forward[1])
    c.fail("the cotangent of the statistics must be " + ir::to_string(forward[1]));
  std::vector<ir::Type> results;
  for (const std::int64_t i : c.attribute<ir::Integers>("wanted")) {
    if (i < 0 || i > 2) c.fail("wanted names operands 0, 1 and 2");
    results.push_back(c.type(static_cast<std::size_t>(i)));
  }
  if (results.empty()) c.fail("no gradient is wanted");
  return results;
}

// ---- The meaning in simpler ops

/// Writes attention with the full matrix of scores, [B...,H,L,S].
class Plain {
 public:
  Plain(ir::Builder& b, const ir::Op& op, std::vector<Value> operands)
      : b_(b), op_(op), at_(op), operands_(std::move(operands)), axes_(static_cast<std::int64_t>(operands_[0].rank())) {
    tensor_batch_.resize(static_cast<std::size_t>(axes_ - 3));
    std::iota(tensor_batch_.begin(), tensor_batch_.end(), 0);
    score_batch_ = tensor_batch_;
    score_batch_.push_back(length());
    tensor_batch_.push_back(length() + 1);
  }

  /// The output and the statistics. What a row is shifted by does not change them.
  std::vector<ir::Value*> forward(bool to_differentiate) const {
    const Value s = scores();
    Value top = reduce_max(s, {axes_ - 1});
    if (to_differentiate) top = stop_gradient(top);
    const Value none = eq(top, full_like(top, -kInfinity));  // a row without keys: its weights are 0
    const Value shift = select(none, full_like(top, 0), top);
    const Value exponentials = exp(s - along_keys(shift, s));
    const Value total = reduce_sum(exponentials, {axes_ - 1});
    const Value divisor = select(eq(total, full_like(total, 0)), full_like(total, 1), total);
    Value weights = exponentials / along_keys(divisor, s);
    if (at_.factor) weights = weights * operands_[*at_.factor];
    const Value statistics = select(none, full_like(top, kInfinity), shift + log(divisor));
    return {summed(weights, axes_ - 1, operands_[2]).value, statistics.value};
  }

  /// dquery, dkey, dvalue, those that are wanted. With the weights p and their cotangents dp,
  /// ds = p * (dp - sum(output * doutput) + dstatistics).
  std::vector<ir::Value*> gradient() const {
    const Value &output = operands_[at_.output], &g = operands_[at_.cotangent];
    const Value s = scores();
    const Value weights = exp(s - along_keys(operands_[at_.statistics], s));
    Value dropped = weights, dweights = products(g, operands_[2]);
    if (at_.factor) {
      dropped = weights * operands_[*at_.factor];
      dweights = dweights * operands_[*at_.factor];
    }
    Value shift = swapped(reduce_sum(output * g, {axes_ - 1}));
    if (at_.statistics_cotangent) shift = shift - operands_[*at_.statistics_cotangent];
    const Value ds = weights * (dweights - along_keys(shift, s)) * scale();
    std::vector<ir::Value*> results;
    for (const std::int64_t i : op_.attributes.integers("wanted")) {
      if (i == 0) results.push_back(summed(ds, axes_ - 1, operands_[1]).value);
      if (i == 1) results.push_back(summed(ds, axes_ - 2, operands_[0]).value);
      if (i == 2) results.push_back(summed(dropped, axes_ - 2, g).value);
    }
    return results;
  }

 private:
  /// The axis of lengths of a tensor [B...,L,H,E]; that of heads comes behind it.
  std::int64_t length() const { return axes_ - 3; }
  double scale() const { return op_.attributes.get<double>("scale"); }

  Value scores() const {
    Value s = products(scale() == 1 ? operands_[0] : operands_[0] * scale(), operands_[1]);
    if (at_.mask) {
      const Value& mask = operands_[*at_.mask];
      s = mask.dtype() == DType::boolean ? select(mask, s, full_like(s, -kInfinity)) : s + mask;
    }
    if (!flag(op_, "causal")) return s;
    const Value query = iota(b_, DType::i64, s.shape(), axes_ - 2), key = iota(b_, DType::i64, s.shape(), axes_ - 1);
    return select(le(key, query), s, full_like(s, -kInfinity));
  }
  /// x [B...,L,H,E], y [B...,S,H,E] -> [B...,H,L,S]
  Value products(const Value& x, const Value& y) const {
    return dot_general(x, y, {{axes_ - 1}, {axes_ - 1}}, {tensor_batch_, tensor_batch_});
  }
  /// Sums over an axis of scores, which is the length of y: [B...,H,L,S], y [B...,S,H,E] -> [B...,L,H,E].
  Value summed(const Value& s, std::int64_t axis, const Value& y) const {
    return swapped(dot_general(s, y, {{axis}, {length()}}, {score_batch_, tensor_batch_}));
  }
  /// [B...,L,H,...] <-> [B...,H,L,...]
  Value swapped(const Value& x) const {
    std::vector<std::int64_t> order(x.rank());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[static_cast<std::size_t>(length())], order[static_cast<std::size_t>(length()) + 1]);
    return transpose(x, order);
  }
  Value along_keys(const Value& x, const Value& s) const {
    std::vector<std::int64_t> dimensions(x.rank());
    std::iota(dimensions.begin(), dimensions.end(), 0);
    return broadcast(x, s.shape(), dimensions);
  }

  ir::Builder& b_;
  const ir::Op& op_;
  AttentionOperands at_;
  std::vector<Value> operands_;
  std::int64_t axes_;  ///< of tensors and of scores alike
  ir::Integers tensor_batch_, score_batch_;
};

std::unique_ptr<ir::Region> plain(const ir::Op& op, bool to_differentiate) {
  auto region = std::make_unique<ir::Region>();
  ir::Builder b(*region);
  b.location = op.location;
  std::vector<Value> arguments;
  for (const ir::Value* operand : op.operands)
    arguments.emplace_back(b, region->add_argument(operand->type, operand->name));
  const Plain writer(b, op, std::move(arguments));
  region->results = op.attributes.has("wanted") ? writer.gradient() : writer.forward(to_differentiate);
  return region;
}

std::unique_ptr<ir::Region> meaning(const ir::Op& op) {
  return plain(op, false);
}

// ---- Gradients

/// The derivative of the meaning: of the gradient, and where the cotangents of scores or weights are asked for.
void differentiate_meaning(GradContext& c) {
  const std::vector<std::size_t> wanted = wanted_gradients(c, 0);
  std::vector<Value> operands;
  for (std::size_t i = 0; i < c.op().operands.size(); ++i) operands.push_back(c.operand(i));
  for (const Value& cotangent : floating_cotangents(c)) operands.push_back(cotangent);
  const std::vector<Value> gradients =
      composite(c.build(), c.op().def->name + ".grad", operands, c.gradient_region(*plain(c.op(), true), wanted));
  for (std::size_t i = 0; i < wanted.size(); ++i) c.add_grad(wanted[i], gradients[i]);
}

void forward_vjp(GradContext& c) {
  const AttentionOperands at(c.op());
  for (const std::optional<std::size_t>& i : {at.mask, at.factor})
    if (i && c.needs_grad(*i)) return differentiate_meaning(c);
  ir::Attributes attributes = c.attributes();
  ir::Integers wanted;
  for (std::size_t i = 0; i < 3; ++i)
    if (c.needs_grad(i)) wanted.push_back(static_cast<std::int64_t>(i));
  if (wanted.empty()) return;
  std::vector<ir::Value*> operands;
  for (std::size_t i = 0; i < c.op().operands.size(); ++i) operands.push_back(c.operand(i).value);
  for (const Value& value : {c.result(0), c.result(1), c.out_grad(0)}) operands.push_back(value.value);
  if (c.has_out_grad(1)) operands.push_back(c.out_grad(1).value);
  attributes.set("statistics", c.has_out_grad(1));
  attributes.set("wanted", wanted);
  ir::Op* gradient = c.build().create(op_attention_gradient, operands, attributes);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    c.add_grad(static_cast<std::size_t>(wanted[i]), {c.build(), gradient->result(i)});
}

// ---- Lowering

Reading reading(const ir::Op& op, std::size_t operand) {
  const AttentionOperands at(op);
  return operand == at.mask || operand == at.factor ? Reading::composed : Reading::in_place;
}

/// Below this many scores a row, or rows, blocks are nothing but overhead: tiles would not fill their registers.
constexpr std::int64_t kFewKeys = 16, kFewQueries = 8;

bool keeps_own_lowering(const ir::Op& op) {
  const AttentionSizes sizes(op);
  const DType dtype = op.operand(0)->type.dtype;
  return (dtype == DType::f32 || dtype == DType::f64) && sizes.groups() > 0 && sizes.queries >= kFewQueries &&
         sizes.keys >= kFewKeys && sizes.features > 0 && sizes.value_features > 0;
}

/// Products of the scores, and those that each result takes. The weights that the gradient computes again do not count.
FlopCount flop(const ir::Op& op) {
  const AttentionSizes sizes(op);
  const double pairs = 2.0 * static_cast<double>(sizes.groups() * sizes.queries * sizes.keys);
  const auto e = static_cast<double>(sizes.features), v = static_cast<double>(sizes.value_features);
  double features = e + v;
  if (op.attributes.has("wanted")) {
    const ir::Integers& wanted = op.attributes.integers("wanted");
    features = 0;
    for (const std::int64_t i : wanted) features += i == 2 ? v : e;
    if (wanted.front() < 2) features += v;  // the cotangents of the weights
  }
  return {pairs * features, pairs * features};
}

// ---- Samples

struct SampleSizes {
  Shape batch;
  Dim queries, keys, heads, features, value_features;
};

Shape joined(Shape shape, std::initializer_list<Dim> more) {
  shape.insert(shape.end(), more);
  return shape;
}

enum class MaskKind : std::uint8_t { none, boolean, added };

Sample forward_sample(const SampleSizes& n, bool causal, MaskKind mask, bool factor) {
  const Shape scores = joined(n.batch, {n.heads, n.queries, n.keys});
  Sample sample{
      .shapes = {joined(n.batch, {n.queries, n.heads, n.features}), joined(n.batch, {n.keys, n.heads, n.features}),
                 joined(n.batch, {n.keys, n.heads, n.value_features})},
      .attributes = {{"causal", causal}, {"mask", mask != MaskKind::none}, {"factor", factor}, {"scale", 0.5}},
      .dtypes = {DType::f32, DType::f32, DType::f32}};
  for (const bool has : {mask != MaskKind::none, factor}) {
    if (!has) continue;
    sample.shapes.push_back(scores);
    sample.dtypes.push_back(DType::f32);
  }
  if (mask == MaskKind::boolean) sample.dtypes[3] = DType::boolean;
  return sample;
}

Sample gradient_sample(const SampleSizes& n, bool causal, MaskKind mask, bool factor, ir::Integers wanted,
                       bool statistics) {
  Sample sample = forward_sample(n, causal, mask, factor);
  sample.attributes.set("wanted", std::move(wanted));
  sample.attributes.set("statistics", statistics);
  const Shape output = joined(n.batch, {n.queries, n.heads, n.value_features}),
              rows = joined(n.batch, {n.heads, n.queries});
  sample.shapes.insert(sample.shapes.end(), {output, rows, output});
  if (statistics) sample.shapes.push_back(rows);
  sample.dtypes.resize(sample.shapes.size(), DType::f32);
  return sample;
}

// Some of less than a block, and some of several, with tails. No row is without keys: what the bounds of the tests are
// computed from would be infinite.
const SampleSizes kSymbolic{{}, dim("a"), dim("b"), 1, 2, 3}, kSmall{{2}, 9, 17, 2, 5, 3},
    kBlocks{{}, 70, 150, 1, 3, 2};

}  // namespace

AttentionOperands::AttentionOperands(const ir::Op& op) {
  if (flag(op, "mask")) mask = count++;
  if (flag(op, "factor")) factor = count++;
  if (!op.attributes.has("wanted")) return;
  output = count++;
  statistics = count++;
  cotangent = count++;
  if (flag(op, "statistics")) statistics_cotangent = count++;
}

AttentionSizes::AttentionSizes(const ir::Op& op) {
  const std::vector<std::int64_t> query = ir::static_dims(op.operand(0)->type.shape);
  const std::size_t length = query.size() - 3;
  batch.assign(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(length));
  queries = query[length];
  heads = query[length + 1];
  features = query[length + 2];
  keys = op.operand(1)->type.shape[length].constant();
  value_features = op.operand(2)->type.shape.back().constant();
}

std::int64_t AttentionSizes::groups() const {
  return std::accumulate(batch.begin(), batch.end(), heads, std::multiplies<>());
}

const OpDef op_attention{
    .name = "attention",
    .arity = -1,
    .doc =
        "(query [B...,L,H,E], key [B...,S,H,E], value [B...,S,H,V], then with `mask` bool or floating [B...,H,L,S], "
        "with `factor` floating [B...,H,L,S]): of each head the softmax of scale * query key^T times value, "
        "[B...,L,H,V], and the statistics log(sum(exp(row))) of the rows of scores, [B...,H,L]. A query attends to the "
        "keys where a bool mask is true; a floating one is added to the scores; `causal` leaves each query the keys "
        "that do not come after it. The factor is multiplied with the softmax (dropout). A row without keys is 0, its "
        "statistics +infinity. Gradient: attention_gradient; of mask and factor the derivative of what is said here.",
    .infer =
        [](const InferContext& c) {
          std::vector<ir::Type> types = infer_forward(c);
          if (c.operand_count() != AttentionOperands(c.op()).count)
            c.fail("there must be as many operands as the attributes say");
          return types;
        },
    .vjp = forward_vjp,
    .kernel = lower_attention,
    .reading = reading,
    .flop = flop,
    .meaning = meaning,
    .keeps_own_lowering = keeps_own_lowering,
    .eval = evaluate_meaning,
    .samples = {forward_sample(kSymbolic, false, MaskKind::none, false),
                forward_sample(kSymbolic, true, MaskKind::added, true),
                forward_sample(kSmall, false, MaskKind::boolean, true),
                forward_sample(kBlocks, true, MaskKind::none, false)},
};

const OpDef op_attention_gradient{
    .name = "attention_gradient",
    .arity = -1,
    .doc =
        "The gradients of attention, of those of query (0), key (1) and value (2) that `wanted` names, in this order. "
        "Operands: those of attention, its two results, the cotangent g of the first and, with `statistics`, that of "
        "the second. With the weights p = exp(scores - statistics): ds = p * (g value^T * factor - sum(output * g) + "
        "dstatistics) * scale; dquery = ds key, dkey = ds^T query, dvalue = (p * factor)^T g. Gradient: the derivative "
        "of this.",
    .infer = infer_gradient,
    .vjp = differentiate_meaning,
    .kernel = lower_attention_gradient,
    .reading = reading,
    .flop = flop,
    .meaning = meaning,
    .keeps_own_lowering = keeps_own_lowering,
    .eval = evaluate_meaning,
    .samples = {gradient_sample(kSymbolic, false, MaskKind::none, false, {0, 1, 2}, false),
                gradient_sample(kSymbolic, true, MaskKind::added, true, {1}, true),
                gradient_sample(kSmall, false, MaskKind::boolean, true, {0, 1, 2}, true),
                gradient_sample(kSmall, true, MaskKind::none, false, {0, 2}, false),
                gradient_sample(kBlocks, true, MaskKind::none, false, {0, 1, 2}, false)},
};

}  // namespace pullback::ops
