#include "compiler/ir/kernel/verify.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <unordered_set>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/ir/kernel/print.h"

namespace pullback::kernel {
namespace {

bool is_number(DType d) {
  return d != DType::boolean && d != DType::f16 && d != DType::bf16;
}
bool is_computing_float(DType d) {
  return d == DType::f32 || d == DType::f64;
}
bool is_bits(DType d) {
  return is_integer(d) || d == DType::boolean;
}

/// A broken rule; verify() adds the stage and the text.
struct Broken {
  std::string rule;
};

template <class... Arguments>
void require(bool holds, fmt::format_string<Arguments...> rule, Arguments&&... arguments) {
  if (!holds) throw Broken{fmt::format(rule, std::forward<Arguments>(arguments)...)};
}

/// Operand count and dtypes of everything but calls and memory.
void check_operation(const Value& v) {
  const std::string_view name = name_of(v.opcode);
  const auto operands = [&](std::size_t count) {
    require(v.operands.size() == count, "{} takes {} operands, not {}", name, count, v.operands.size());
  };
  const auto all_are_result = [&](bool fits, std::size_t count) {
    operands(count);
    require(fits, "{} is not defined on {}", name, name_of(v.dtype));
    for (const Value* o : v.operands)
      require(o->dtype == v.dtype, "{} of {} has an operand of {}", name, name_of(v.dtype), name_of(o->dtype));
  };
  switch (v.opcode) {
    case Opcode::add:
    case Opcode::sub:
    case Opcode::mul:
    case Opcode::div:
    case Opcode::rem:
      return all_are_result(is_number(v.dtype), 2);
    case Opcode::min:
    case Opcode::max:
      return all_are_result(is_number(v.dtype) || v.dtype == DType::boolean, 2);
    case Opcode::neg:
    case Opcode::abs:
      return all_are_result(is_number(v.dtype), 1);
    case Opcode::fma:
      return all_are_result(is_computing_float(v.dtype), 3);
    case Opcode::scale:
      return all_are_result(is_computing_float(v.dtype), 2);
    case Opcode::sqrt:
    case Opcode::floor:
    case Opcode::ceil:
    case Opcode::trunc:
    case Opcode::round_even:
      return all_are_result(is_computing_float(v.dtype), 1);
    case Opcode::bit_and:
    case Opcode::bit_or:
    case Opcode::bit_xor:
      return all_are_result(is_bits(v.dtype), 2);
    case Opcode::bit_not:
      return all_are_result(is_bits(v.dtype), 1);
    case Opcode::shl:
    case Opcode::shr:
    case Opcode::sar:
      return all_are_result(is_integer(v.dtype), 2);
    case Opcode::mulhi:
      return all_are_result(v.dtype == DType::u32, 2);
    case Opcode::eq:
    case Opcode::ne:
    case Opcode::lt:
    case Opcode::le:
    case Opcode::gt:
    case Opcode::ge: {
      operands(2);
      const DType dtype = v.operands[0]->dtype;
      require(v.dtype == DType::boolean, "{} gives bool, not {}", name, name_of(v.dtype));
      require(dtype == v.operands[1]->dtype && (is_number(dtype) || dtype == DType::boolean), "{} of {} and {}", name,
              name_of(dtype), name_of(v.operands[1]->dtype));
      return;
    }
    case Opcode::select:
      operands(3);
      require(v.operands[0]->dtype == DType::boolean, "the condition of select is {}", name_of(v.operands[0]->dtype));
      require(v.operands[1]->dtype == v.dtype && v.operands[2]->dtype == v.dtype, "select of {} and {} gives {}",
              name_of(v.operands[1]->dtype), name_of(v.operands[2]->dtype), name_of(v.dtype));
      return;
    case Opcode::convert:
      return operands(1);
    case Opcode::bitcast:
      operands(1);
      require(size_of(v.operands[0]->dtype) == size_of(v.dtype) && v.dtype != DType::boolean &&
                  v.operands[0]->dtype != DType::boolean,
              "bitcast from {} to {}", name_of(v.operands[0]->dtype), name_of(v.dtype));
      return;
    default:
      throw Broken{fmt::format("{} cannot be defined here", name)};
  }
}

void check_call(const Value& v) {
  require(v.function != nullptr, "a call without a function");
  const Function& f = *v.function;
  const std::size_t extra = v.opcode == Opcode::call_where ? 1 : 0;
  require(v.operands.size() == f.parameters.size() + 2 * extra, "{} of {} with {} operands", name_of(v.opcode), f.name,
          v.operands.size());
  require(v.dtype == f.result->dtype, "{} gives {}, not {}", f.name, name_of(f.result->dtype), name_of(v.dtype));
  for (std::size_t i = 0; i < f.parameters.size(); ++i)
    require(v.operands[i + extra]->dtype == f.parameters[i]->dtype, "argument {} of {} is {}", i, f.name,
            name_of(v.operands[i + extra]->dtype));
  if (extra)
    require(v.operands.front()->dtype == DType::boolean && v.operands.back()->dtype == v.dtype,
            "call_where needs a bool mask and a fallback of the result's dtype");
}

class Verifier {
 public:
  explicit Verifier(const Kernel& kernel) : kernel_(&kernel) {}
  Verifier() = default;

  void kernel() {
    for (const Buffer& b : kernel_->buffers) require(b.elements >= 0, "buffer {} has {} elements", b.name, b.elements);
    block(kernel_->body);
  }

  void function(const Function& f) {
    for (const Value* p : f.parameters) enter(p);
    for (const Statement& s : f.body.statements) {
      const auto* define = std::get_if<Define>(&s);
      require(define != nullptr, "a function holds a statement that is not a definition");
      require(define->value->opcode != Opcode::load && define->value->opcode != Opcode::index_value,
              "a function reads memory or loop variables");
      statement(*define);
    }
    use(f.result, "the function's result");
  }

 private:
  void enter(const Value* v) {
    require(visible_.insert(v).second, "a value is defined twice");
    open_.push_back(v);
  }
  void use(const Value* v, std::string_view what) {
    require(v != nullptr, "{} is missing", what);
    require(v->opcode == Opcode::constant || visible_.contains(v), "{} is used before its definition", what);
  }
  void use(const Value* v, DType dtype, std::string_view what) {
    use(v, what);
    require(v->dtype == dtype, "{} is {}, not {}", what, name_of(v->dtype), name_of(dtype));
  }

  /// Values defined within end with it; `last` runs before that.
  template <class Last>
  void block(const Block& body, const Last& last) {
    const std::size_t outer = open_.size();
    for (const Statement& s : body.statements) std::visit([this](const auto& x) { statement(x); }, s);
    last();
    for (; open_.size() > outer; open_.pop_back()) visible_.erase(open_.back());
  }
  void block(const Block& body) {
    block(body, [] {});
  }

  void index(const Index& i) {
    i.for_each_atom([this](const Atom& atom) {
      if (atom.kind == Atom::Kind::variable)
        require(variables_.contains(atom.variable), "the variable {} is used outside its loop", atom.variable->name);
      if (atom.kind == Atom::Kind::dynamic) use(atom.value, DType::i64, "a dynamic index");
    });
  }
  const Buffer& buffer(int position) {
    require(kernel_ && position >= 0 && position < static_cast<int>(kernel_->buffers.size()), "there is no buffer {}",
            position);
    return kernel_->buffers[static_cast<std::size_t>(position)];
  }
  /// Rejects what is certainly outside, and of an affine index whatever it can reach.
  void address(const Buffer& b, const Index& i, bool predicated) {
    index(i);
    if (empty_ || predicated) return;
    const Range r = i.range();
    require(r.high >= 0 && r.low < b.elements, "{}[{}] is outside its {} elements", b.name, to_string(i), b.elements);
    if (i.is_affine())
      require(r.low >= 0 && r.high < b.elements, "{}[{}] reaches {}..{} of {} elements", b.name, to_string(i), r.low,
              r.high, b.elements);
  }
  void readable(const Buffer& b) { require(b.access != Access::out, "{} is written only, but is read", b.name); }
  void writable(const Buffer& b) { require(b.access != Access::in, "{} is read only, but is written", b.name); }

  void statement(const Define& define) {
    const Value& v = *define.value;
    require(v.opcode != Opcode::constant && v.opcode != Opcode::argument, "{} is never defined", name_of(v.opcode));
    for (const Value* operand : v.operands) use(operand, fmt::format("an operand of {}", name_of(v.opcode)));
    switch (v.opcode) {
      case Opcode::index_value:
        require(v.dtype == DType::i64, "an index value is {}", name_of(v.dtype));
        index(v.index);
        break;
      case Opcode::load:
        load(v);
        break;
      case Opcode::lookup:
        require(v.table && v.dtype == v.table->dtype && v.operands.size() == 1 &&
                    (v.operands[0]->dtype == DType::i32 || v.operands[0]->dtype == DType::i64),
                "a lookup needs a table of its dtype and a position of i32 or i64");
        break;
      case Opcode::call:
      case Opcode::call_where:
        check_call(v);
        break;
      default:
        check_operation(v);
    }
    enter(&v);
  }

  void load(const Value& v) {
    const Buffer& b = buffer(v.buffer);
    readable(b);
    require(v.dtype == b.dtype, "a load of {} gives {}, not {}", b.name, name_of(b.dtype), name_of(v.dtype));
    require(v.operands.empty() ||
                (v.operands.size() == 2 && v.operands[0]->dtype == DType::boolean && v.operands[1]->dtype == v.dtype),
            "a predicated load of {} needs a bool and a fallback of {}", b.name, name_of(b.dtype));
    address(b, v.index, !v.operands.empty() || in_branch_ > 0);
  }

  void statement(const Store& store) {
    const Buffer& b = buffer(store.buffer);
    writable(b);
    use(store.value, b.dtype, "the value stored to " + b.name);
    if (store.predicate) use(store.predicate, DType::boolean, "the predicate of a store to " + b.name);
    address(b, store.index, store.predicate != nullptr || in_branch_ > 0);
  }

  void loop_rules(const Loop& loop) {
    const std::string& name = loop.variable.name;
    require(loop.variable.extent >= 0, "loop {} has extent {}", name, loop.variable.extent);
    const bool whole = kernel_ && kernel_->parallel_loop() == &loop;
    require(loop.kind != LoopKind::parallel || whole, "loop {} is parallel but not the kernel's whole body", name);
    require(loop.kind != LoopKind::parallel || loop.carried.empty(), "parallel loop {} carries values", name);
    require(!in_vector_ || loop.kind == LoopKind::serial || loop.kind == LoopKind::unrolled,
            "{} loop {} within a vector loop", name_of(loop.kind), name);
    const auto power_of_two = [](int n) { return n > 0 && std::has_single_bit(static_cast<unsigned>(n)); };
    require(power_of_two(loop.width) && power_of_two(loop.accumulators), "loop {} has width {} x {}: no powers of two",
            name, loop.width, loop.accumulators);
    for (const Carried& c : loop.carried) {
      require(c.combine != Combine::none || loop.kind != LoopKind::vector,
              "vector loop {} carries a value that is not combined", name);
      require(c.combine == Combine::none || is_number(c.init->dtype), "loop {} combines values of {}", name,
              name_of(c.init->dtype));
    }
  }

  void statement(const std::unique_ptr<Loop>& loop) {
    loop_rules(*loop);
    const std::string& name = loop->variable.name;
    for (const Carried& c : loop->carried) use(c.init, "the initial value of loop " + name);
    const bool outer_empty = empty_, outer_vector = in_vector_;
    empty_ |= loop->variable.extent == 0;
    in_vector_ |= loop->kind == LoopKind::vector;
    variables_.insert(&loop->variable);
    const std::size_t outer = open_.size();
    for (const Carried& c : loop->carried) {
      require(c.argument && c.argument->opcode == Opcode::argument && c.argument->dtype == c.init->dtype,
              "loop {} carries an argument of another dtype", name);
      enter(c.argument);
    }
    block(loop->body, [&] {
      for (const Carried& c : loop->carried) use(c.yielded, c.init->dtype, "the value yielded by loop " + name);
    });
    for (; open_.size() > outer; open_.pop_back()) visible_.erase(open_.back());
    variables_.erase(&loop->variable);
    empty_ = outer_empty;
    in_vector_ = outer_vector;
    for (const Carried& c : loop->carried) {
      require(c.result && c.result->opcode == Opcode::argument && c.result->dtype == c.init->dtype,
              "loop {} has a result of another dtype", name);
      enter(c.result);
    }
  }

  void statement(const std::unique_ptr<If>& branch) {
    use(branch->condition, DType::boolean, "a condition");
    ++in_branch_;
    block(branch->then_block);
    block(branch->else_block);
    --in_branch_;
  }

  void bounds_of(const Contract& c, const Contract::Bound& bound) {
    require(bound.steps.size() == c.around.size() + 1, "a bound with {} steps for {} loops", bound.steps.size(),
            c.around.size() + 1);
    const auto moves =
        bound.steps.size() - static_cast<std::size_t>(std::count(bound.steps.begin(), bound.steps.end(), 0));
    const bool forwards = std::all_of(bound.steps.begin(), bound.steps.end(), [](std::int64_t s) { return s >= 0; });
    require(forwards && bound.step_row >= 0, "a bound that moves backwards");
    require(bound.step_row ? bound.base.is_constant() : moves == 1, "a bound that is not known for each row");
  }

  /// The furthest elements before and behind a base.
  struct Reach {
    std::int64_t low = 0, high = 0;
    void add(std::int64_t count, std::int64_t stride) {
      (stride < 0 ? low : high) += std::max<std::int64_t>(count - 1, 0) * stride;
    }
  };

  void copy_of(const Contract& c) {
    const Buffer& b = buffer(c.copy.buffer);
    writable(b);
    // The copy is written between the tile's reads.
    require(c.copy.buffer != c.a.buffer && c.copy.buffer != c.b.buffer && c.copy.buffer != c.start.buffer,
            "a contract copies its b to {}, which it reads", b.name);
    require(b.dtype == buffer(c.b.buffer).dtype || b.dtype == c.accumulator->dtype, "a contract's copy of its b is {}",
            name_of(b.dtype));
    require(c.around.empty() && c.bounds.empty(), "a contract with loops around or bounds copies its b");
    if (c.depth == 0) return;
    Reach reach;
    reach.add(c.columns, 1);
    reach.add(c.depth, c.copy.stride_depth);
    address(b, c.copy.base + reach.low, in_branch_ > 0);
    address(b, c.copy.base + reach.high, in_branch_ > 0);
  }

  void statement(const std::unique_ptr<Contract>& c) {
    require(!in_vector_, "a contract within a vector loop");
    require(c->rows >= 1 && c->columns >= 1 && c->depth >= 0, "a contract of {}x{} depth {}", c->rows, c->columns,
            c->depth);
    const DType dtype = c->accumulator ? c->accumulator->dtype : DType::boolean;
    require(is_computing_float(dtype), "a contract accumulates in {}", name_of(dtype));
    const bool pairs = is_of_pairs(*kernel_, *c);
    const auto input = [&](int position, const Index& base, const Reach& reach, std::string_view what) {
      const Buffer& b = buffer(position);
      readable(b);
      const bool converts = dtype == DType::f32 && (b.dtype == DType::f16 || b.dtype == DType::bf16 || pairs);
      require(b.dtype == dtype || (converts && what != "start"), "{} of a contract over {} is {}", what, name_of(dtype),
              name_of(b.dtype));
      if (c->depth == 0 && what != "start") return;
      if (!c->bounds.empty() && what != "start") return;  // the bounds keep it within the buffer
      address(b, base + reach.low, in_branch_ > 0);
      address(b, base + reach.high, in_branch_ > 0);
    };
    Reach a, b, start;
    const std::int64_t run = c->a.run == 0 ? c->rows : c->a.run;
    require(run >= 1 && c->rows % run == 0, "a contract of {} rows in runs of {}", c->rows, run);
    a.add(run, c->a.stride_row);
    a.add(c->rows / run, c->a.stride_run);
    a.add(c->depth, c->a.stride_depth);
    require(c->a.stride_column == 0 || c->a.stride_column == 1, "a of a contract in steps of {} along columns",
            c->a.stride_column);
    a.add(c->columns, c->a.stride_column);
    require(c->b.stride_column == 1 || (c->b.stride_column == 0 && !pairs && c->copy.buffer < 0),
            "b of a contract in steps of {} along columns", c->b.stride_column);
    b.add(c->columns, c->b.stride_column);
    b.add(c->depth, c->b.stride_depth);
    for (const Contract::Around& loop : c->around) {
      require(loop.extent >= 1, "a loop of {} around a contract", loop.extent);
      a.add(loop.extent, loop.stride_a);
      b.add(loop.extent, loop.stride_b);
    }
    input(c->a.buffer, c->a.base, a, "a");
    input(c->b.buffer, c->b.base, b, "b");
    if (c->copy.buffer >= 0) copy_of(*c);
    for (const Contract::Fetch& fetch : c->fetches) {
      readable(buffer(fetch.buffer));
      require(fetch.each > 0, "a contract fetches {} elements in each step", fetch.each);
    }
    for (const Contract::Bound& bound : c->bounds) bounds_of(*c, bound);
    start.add(c->rows, c->start.stride_row);
    start.add(c->columns, 1);
    if (c->start.buffer >= 0) input(c->start.buffer, c->start.base, start, "start");
    require(!c->start.condition || c->start.buffer >= 0, "a contract starts from nothing under a condition");
    if (c->start.condition) use(c->start.condition, DType::boolean, "the condition of a contract's start");
    require(c->row.extent == c->rows && c->column.extent == c->columns, "a contract's variables do not cover its tile");
    variables_.insert({&c->row, &c->column});
    const std::size_t outer = open_.size();
    enter(c->accumulator);
    in_vector_ = true;
    block(c->epilogue);
    in_vector_ = false;
    for (; open_.size() > outer; open_.pop_back()) visible_.erase(open_.back());
    variables_.erase(&c->row);
    variables_.erase(&c->column);
  }

  const Kernel* kernel_ = nullptr;
  std::unordered_set<const Value*> visible_;
  std::vector<const Value*> open_;  // what is visible, in order
  std::unordered_set<const LoopVar*> variables_;
  bool empty_ = false;      // within a loop that runs no iteration
  bool in_vector_ = false;  // within a vector loop or an epilogue
  int in_branch_ = 0;       // within an If: addresses may be guarded by its condition
};

}  // namespace

void verify(const Kernel& kernel, const std::string& stage) {
  try {
    Verifier(kernel).kernel();
  } catch (const Broken& broken) {
    throw InternalError(fmt::format("{}: kernel {}: {}\n{}", stage, kernel.name, broken.rule, print(kernel)));
  }
}

void verify(const Function& function, const std::string& stage) {
  try {
    Verifier().function(function);
  } catch (const Broken& broken) {
    throw InternalError(fmt::format("{}: function {}: {}\n{}", stage, function.name, broken.rule, print(function)));
  }
}

}  // namespace pullback::kernel
