// Translator: loops. Extents are known, so that tails and single iterations are straight code.
#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include <pullback/error.h>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

using kernel::Carried;
using kernel::Combine;
using kernel::Index;
using kernel::Loop;
using kernel::LoopKind;
using kernel::LoopVar;

std::vector<llvm::Value*> Translator::counted_loop(const std::string& name, llvm::Value* begin, llvm::Value* end,
                                                   std::int64_t step, std::span<llvm::Value* const> initial,
                                                   const LoopBody& body) {
  llvm::BasicBlock* before = b_.GetInsertBlock();
  llvm::BasicBlock* start = new_block(name);
  scopes_.push_back({b_.CreateBr(start), false});
  b_.SetInsertPoint(start);
  llvm::PHINode* position = b_.CreatePHI(b_.getInt64Ty(), 2, name);
  position->addIncoming(begin, before);
  std::vector<llvm::Value*> carried;
  for (llvm::Value* value : initial) {
    llvm::PHINode* phi = b_.CreatePHI(value->getType(), 2);
    phi->addIncoming(value, before);
    carried.push_back(phi);
  }
  std::vector<llvm::Value*> yielded = body(here(position), carried);
  llvm::BasicBlock* last = b_.GetInsertBlock();
  llvm::Value* next = b_.CreateNUWAdd(position, b_.getInt64(static_cast<std::uint64_t>(step)));
  position->addIncoming(next, last);
  for (std::size_t i = 0; i < carried.size(); ++i) llvm::cast<llvm::PHINode>(carried[i])->addIncoming(yielded[i], last);
  llvm::BasicBlock* after = new_block(name + ".end");
  b_.CreateCondBr(b_.CreateICmpULT(next, end), start, after);
  scopes_.pop_back();
  b_.SetInsertPoint(after);
  return yielded;
}

void Translator::loop(const Loop& loop) {
  switch (loop.kind) {
    case LoopKind::parallel:
      return parallel_loop(loop);
    case LoopKind::vector:
      return vector_loop(loop);
    case LoopKind::serial:
    case LoopKind::unrolled:
      return serial_loop(loop);
  }
}

void Translator::parallel_loop(const Loop& loop) {
  if (loop.variable.extent == 0) return;
  llvm::BasicBlock* run = new_block("run");
  llvm::BasicBlock* skip = new_block("skip");
  llvm::Instruction* entry = b_.CreateCondBr(b_.CreateICmpSLT(begin_, end_), run, skip);
  b_.SetInsertPoint(run);
  scopes_.push_back({entry, true});
  counted_loop(loop.variable.name, begin_, end_, 1, {}, [&](Bound position, std::span<llvm::Value* const>) {
    variables_[&loop.variable] = {std::nullopt, position, 1};
    block(loop.body);
    return std::vector<llvm::Value*>{};
  });
  scopes_.pop_back();
  b_.CreateBr(skip);
  b_.SetInsertPoint(skip);
}

void Translator::serial_loop(const Loop& loop) {
  if (const kernel::Contract* tile = deferred_tile(loop)) return deferred_endings(loop, *tile);
  std::vector<llvm::Value*> state;
  for (const Carried& carried : loop.carried) {
    const DType dtype = carried.init->dtype;
    llvm::Value* initial = carried.combine == Combine::none
                               ? get(carried.init).value
                               : arithmetic_.constant(dtype, kernel::identity_bits(carried.combine, dtype));
    state.push_back(at_width(initial, lanes_.width));
  }
  const auto iterate = [&](std::span<llvm::Value* const> arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) bind(loop.carried[i].argument, here(arguments[i]));
    block(loop.body);
    std::vector<llvm::Value*> yielded;
    for (const Carried& carried : loop.carried) yielded.push_back(at_width(get(carried.yielded).value, lanes_.width));
    return yielded;
  };
  const std::int64_t extent = loop.variable.extent;
  if (loop.kind == LoopKind::unrolled || extent <= 1) {
    Unrolled unrolled{&loop, depth(), 0, {}};
    Unrolled* around = std::exchange(unrolled_, extent > 1 ? &unrolled : nullptr);
    for (; unrolled.current < extent; ++unrolled.current) {
      replace(loop.variable, Index(unrolled.current));
      state = iterate(state);
    }
    unrolled_ = around;
  } else {
    llvm::Value* end = b_.getInt64(static_cast<std::uint64_t>(extent));
    Unrolled* around = std::exchange(unrolled_, nullptr);
    state = counted_loop(loop.variable.name, b_.getInt64(0), end, 1, state,
                         [&](Bound position, std::span<llvm::Value* const> arguments) {
                           variables_[&loop.variable] = {std::nullopt, position, 1};
                           return iterate(arguments);
                         });
    unrolled_ = around;
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Carried& carried = loop.carried[i];
    if (carried.combine != Combine::none)
      state[i] = arithmetic_.combine(carried.combine, carried.init->dtype,
                                     at_width(get(carried.init).value, lanes_.width), state[i]);
    bind(carried.result, here(state[i]));
  }
}

/// The partial values of a vector loop's reductions: of[reduction * accumulators + accumulator], vectors.
struct Translator::Partials {
  int accumulators = 1;
  std::vector<llvm::Value*> of;
};

void Translator::vector_loop(const Loop& loop) {
  const std::int64_t extent = loop.variable.extent;
  // Lanes that no element reaches keep the identity, which changes nothing in the tree: they need not exist.
  const int width = static_cast<int>(
      std::min<std::int64_t>(loop.width, std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(extent, 1)))));
  const auto vectors = static_cast<std::uint64_t>((extent + width - 1) / width);
  Partials partials;
  if (!loop.carried.empty())
    partials.accumulators = static_cast<int>(std::min<std::uint64_t>(
        static_cast<std::uint64_t>(loop.accumulators), std::bit_ceil(std::max<std::uint64_t>(vectors, 1))));
  const int lanes = width * partials.accumulators;
  for (const Carried& carried : loop.carried)
    for (int i = 0; i < partials.accumulators; ++i)
      partials.of.push_back(arithmetic_.constant(carried.init->dtype,
                                                 kernel::identity_bits(carried.combine, carried.init->dtype), width));

  const Lanes around = lanes_;
  Unrolled* unrolled = std::exchange(unrolled_, nullptr);
  const std::int64_t trips = extent / lanes;
  const auto all = [&](const Index& position) {
    for (int i = 0; i < partials.accumulators; ++i)
      vector_instance(loop, position + i * width, width, width, i, partials);
  };
  if (trips == 1) {
    all(Index(0));
  } else if (trips > 1) {
    const LoopVar* chunk = new_variable(trips);
    llvm::Value* end = b_.getInt64(static_cast<std::uint64_t>(trips * lanes));
    partials.of = counted_loop(loop.variable.name, b_.getInt64(0), end, lanes, partials.of,
                               [&](Bound position, std::span<llvm::Value* const> carried) {
                                 variables_[chunk] = {std::nullopt, position, lanes};
                                 partials.of.assign(carried.begin(), carried.end());
                                 all(Index(*chunk) * lanes);
                                 return partials.of;
                               });
  }
  std::int64_t position = trips * lanes;
  for (int i = 0; position < extent; ++i, position += width) {
    const int active = static_cast<int>(std::min<std::int64_t>(width, extent - position));
    const int used = loop.carried.empty() ? static_cast<int>(std::bit_ceil(static_cast<unsigned>(active))) : width;
    vector_instance(loop, Index(position), used, active, i, partials);
  }
  lanes_ = around;
  unrolled_ = unrolled;
  finish_reductions(loop, partials);
}

void Translator::vector_instance(const Loop& loop, const Index& position, int width, int active, int accumulator,
                                 Partials& partials) {
  lanes_ = {width, active, new_variable(active), nullptr};
  replace(loop.variable, width == 1 ? position : position + Index(*lanes_.lane));
  for (std::size_t i = 0; i < loop.carried.size(); ++i)
    bind(
        loop.carried[i].argument,
        here(partials.of[i * static_cast<std::size_t>(partials.accumulators) + static_cast<std::size_t>(accumulator)]));
  block(loop.body);
  for (std::size_t i = 0; i < loop.carried.size(); ++i) {
    llvm::Value*& partial =
        partials.of[i * static_cast<std::size_t>(partials.accumulators) + static_cast<std::size_t>(accumulator)];
    llvm::Value* yielded = at_width(get(loop.carried[i].yielded).value, width);
    partial = active < width ? b_.CreateSelect(tail_mask(width, active), yielded, partial) : yielded;
  }
}

void Translator::finish_reductions(const Loop& loop, Partials& partials) {
  const auto count = static_cast<std::ptrdiff_t>(partials.accumulators);
  const auto own = [&](std::size_t i) {
    const auto first = partials.of.begin() + static_cast<std::ptrdiff_t>(i) * count;
    return std::vector<llvm::Value*>(first, first + count);
  };
  for (std::size_t begin = 0, end = 0; begin < loop.carried.size(); begin = end) {
    const Combine how = loop.carried[begin].combine;
    const DType dtype = loop.carried[begin].init->dtype;
    while (end < loop.carried.size() && loop.carried[end].combine == how && loop.carried[end].init->dtype == dtype)
      ++end;
    std::vector<llvm::Value*> vectors;
    for (std::size_t i = begin; i < end; ++i) vectors.push_back(reduce_vectors(how, dtype, own(i)));
    const std::vector<llvm::Value*> reduced = reduce_side_by_side(how, dtype, vectors);
    for (std::size_t i = begin; i < end; ++i) {
      const Carried& carried = loop.carried[i];
      bind(carried.result, here(arithmetic_.combine(how, dtype, get(carried.init).value, reduced[i - begin])));
    }
  }
}

// The tree of the contract: lane[i] op lane[i + n/2]. Lane i is element i mod width of vector i / width.
llvm::Value* Translator::reduce_vectors(Combine how, DType dtype, std::vector<llvm::Value*> partials) {
  for (std::size_t half = partials.size() / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i)
      partials[i] = arithmetic_.combine(how, dtype, partials[i], partials[i + half]);
  return partials[0];
}

namespace {

/// The trees whose lanes a vector holds, one behind the other; none: lanes that hold nothing.
using Trees = std::vector<std::optional<std::size_t>>;

/// Of two vectors the lanes that the next step of all their trees combines, and the trees of what comes out.
struct Halves {
  llvm::SmallVector<int, 16> low, high;
  Trees trees;
};
/// Each tree has `lanes` neighbouring ones of a vector of `width`. Those within a part of a vector stay within it: no
/// shuffle is faster.
Halves halves_of(const Trees& a, const Trees& b, std::size_t lanes, std::size_t width, std::size_t part) {
  Halves halves;
  const auto add = [&](const Trees& trees, std::size_t from, std::size_t begin, std::size_t end) {
    for (std::size_t tree = begin / lanes; tree < end / lanes; ++tree) {
      halves.trees.push_back(tree < trees.size() ? trees[tree] : std::nullopt);
      for (std::size_t lane = tree * lanes; lane < tree * lanes + lanes / 2; ++lane) {
        halves.low.push_back(static_cast<int>(from + lane));
        halves.high.push_back(static_cast<int>(from + lane + lanes / 2));
      }
    }
  };
  const std::size_t together = lanes > part ? width : std::min(part, width);
  for (std::size_t begin = 0; begin < width; begin += together) {
    add(a, 0, begin, begin + together);
    add(b, width, begin, begin + together);
  }
  return halves;
}

}  // namespace

// Several such trees: what is left of two vectors is one vector, so that each operation is for both.
std::vector<llvm::Value*> Translator::reduce_side_by_side(Combine how, DType dtype,
                                                          const std::vector<llvm::Value*>& vectors) {
  constexpr std::size_t kFewestVectors = 4, kPartBytes = 16;
  const auto width = static_cast<std::size_t>(width_of(vectors.front()));
  std::vector<llvm::Value*> results;
  if (vectors.size() < kFewestVectors || width < kFewestVectors) {
    for (llvm::Value* vector : vectors) results.push_back(reduce_lanes(how, dtype, vector));
    return results;
  }
  results.resize(vectors.size());
  for (std::size_t first = 0; first < vectors.size(); first += width) {
    std::vector<std::pair<llvm::Value*, Trees>> left;
    for (std::size_t i = first; i < std::min(first + width, vectors.size()); ++i) left.push_back({vectors[i], {i}});
    for (std::size_t lanes = width; lanes > 1; lanes /= 2) {
      if (left.size() % 2 != 0) left.emplace_back(llvm::PoisonValue::get(vectors.front()->getType()), Trees{});
      for (std::size_t i = 0; i < left.size() / 2; ++i) {
        const auto& [a, of_a] = left[2 * i];
        const auto& [b, of_b] = left[2 * i + 1];
        const Halves halves = halves_of(of_a, of_b, lanes, width, kPartBytes / size_of(dtype));
        llvm::Value* combined = arithmetic_.combine(how, dtype, b_.CreateShuffleVector(a, b, halves.low),
                                                    b_.CreateShuffleVector(a, b, halves.high));
        left[i] = {combined, halves.trees};
      }
      left.resize(left.size() / 2);
    }
    for (const auto& [vector, trees] : left)
      for (std::size_t lane = 0; lane < trees.size(); ++lane)
        if (trees[lane]) results[*trees[lane]] = b_.CreateExtractElement(vector, lane);
  }
  return results;
}

llvm::Value* Translator::reduce_lanes(Combine how, DType dtype, llvm::Value* vector) {
  for (int half = width_of(vector) / 2; half > 1; half /= 2) {
    llvm::SmallVector<int, 32> low, high;
    for (int lane = 0; lane < half; ++lane) {
      low.push_back(lane);
      high.push_back(lane + half);
    }
    vector = arithmetic_.combine(how, dtype, b_.CreateShuffleVector(vector, low), b_.CreateShuffleVector(vector, high));
  }
  if (width_of(vector) == 1) return vector;
  return arithmetic_.combine(how, dtype, b_.CreateExtractElement(vector, std::uint64_t{0}),
                             b_.CreateExtractElement(vector, std::uint64_t{1}));
}

}  // namespace pullback::codegen
