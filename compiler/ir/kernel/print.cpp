#include "compiler/ir/kernel/print.h"

#include <bit>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "compiler/ir/kernel/interpret.h"
#include "compiler/support/hash.h"

namespace pullback::kernel {

std::string constant_text(DType dtype, std::uint64_t bits) {
  switch (dtype) {
    case DType::boolean:
      return bits ? "true" : "false";
    case DType::u8:
    case DType::u32:
      return fmt::format("{}", bits);
    case DType::i32:
      return fmt::format("{}", static_cast<std::int32_t>(bits));
    case DType::i64:
      return fmt::format("{}", static_cast<std::int64_t>(bits));
    case DType::f16:
    case DType::bf16:
    case DType::f32: {
      const std::uint64_t wide = evaluate(Opcode::convert, dtype, DType::f32, std::span(&bits, 1));
      return fmt::format("{}", std::bit_cast<float>(static_cast<std::uint32_t>(wide)));
    }
    case DType::f64:
      return fmt::format("{}", std::bit_cast<double>(bits));
  }
  return "?";
}

namespace {

class Printer {
 public:
  /// Anonymous: no name of a value, variable or buffer shows, and constants and tables show their bits.
  /// Buffers of one name are told apart by numbers behind it.
  Printer(const std::vector<Buffer>& buffers, bool anonymous) : anonymous_(anonymous) {
    std::set<std::string> used;
    for (const Buffer& b : buffers) {
      const std::string first = anonymous || b.name.empty() ? fmt::format("#{}", buffer_names_.size()) : b.name;
      std::string name = first;
      for (int more = 1; !used.insert(name).second; ++more) name = fmt::format("{}.{}", first, more);
      buffer_names_.push_back(std::move(name));
    }
  }

  std::string block(const Block& body) {
    std::string text;
    for (const Statement& s : body.statements) text += std::visit([this](const auto& x) { return statement(x); }, s);
    return text;
  }
  std::string braced(const Block& body) {
    indent_ += 2;
    const std::string text = " {\n" + block(body);
    indent_ -= 2;
    return text + std::string(static_cast<std::size_t>(indent_), ' ') + "}";
  }

  /// The name of a value at its definition.
  std::string define(const Value& v) {
    std::string name = anonymous_ || v.name.empty() ? fmt::format("%{}", next_value_++) : "%" + v.name;
    while (!used_.insert(name).second) name = fmt::format("%{}.{}", v.name, next_value_++);
    return names_[&v] = name;
  }
  std::string define_typed(const Value& v) { return define(v) + ": " + std::string(name_of(v.dtype)); }
  std::string use(const Value* v) {
    if (!v) return "<null>";
    if (v->opcode == Opcode::constant) {
      if (anonymous_) return fmt::format("{}:{:x}", name_of(v->dtype), v->bits);
      return fmt::format("{}:{}", constant_text(v->dtype, v->bits), name_of(v->dtype));
    }
    const auto known = names_.find(v);
    return known == names_.end() ? fmt::format("<undefined {}>", v->id) : known->second;
  }
  std::string buffer_name(int position) const {
    if (position < 0 || position >= static_cast<int>(buffer_names_.size())) return "<no buffer>";
    return buffer_names_[static_cast<std::size_t>(position)];
  }

 private:
  std::string line(const std::string& text) const {
    return std::string(static_cast<std::size_t>(indent_), ' ') + text + "\n";
  }
  std::string variable(const LoopVar& v) {
    std::string name = anonymous_ || v.name.empty() ? fmt::format("i{}", next_variable_++) : v.name;
    while (!used_.insert(name).second) name = fmt::format("{}.{}", v.name, next_variable_++);
    return variables_[&v] = name;
  }
  std::string index(const Index& i) {
    return to_string(
        i,
        [this](const LoopVar& v) {
          const auto known = variables_.find(&v);
          return known == variables_.end() ? "<unknown " + v.name + ">" : known->second;
        },
        [this](const Value& v) { return use(&v); });
  }
  std::string address(int buffer, const Index& i) { return fmt::format("{}[{}]", buffer_name(buffer), index(i)); }
  std::string uses(const std::vector<Value*>& values) {
    std::string text;
    for (const Value* v : values) text += (text.empty() ? "" : ", ") + use(v);
    return text;
  }

  std::string expression(const Value& v) {
    const std::string opcode(name_of(v.opcode));
    switch (v.opcode) {
      case Opcode::index_value:
        return opcode + " " + index(v.index);
      case Opcode::load: {
        std::string text = opcode + " " + address(v.buffer, v.index);
        if (v.operands.size() == 2) text += fmt::format(" if {} else {}", use(v.operands[0]), use(v.operands[1]));
        return text;
      }
      case Opcode::lookup: {
        std::string name = v.table->name;
        if (anonymous_)
          name += fmt::format("#{:x}", fnv1a({reinterpret_cast<const char*>(v.table->bits.data()),
                                              v.table->bits.size() * sizeof(std::uint64_t)}));
        return fmt::format("{} {}[{}]", opcode, name, use(v.operands[0]));
      }
      case Opcode::call:
      case Opcode::call_where:
        return fmt::format("{} @{}({})", opcode, v.function->name, uses(v.operands));
      default:
        return opcode + " " + uses(v.operands);
    }
  }

  std::string statement(const Define& define_statement) {
    const Value& v = *define_statement.value;
    const std::string meaning = expression(v);  // before the name exists: a value never uses itself
    return line(define_typed(v) + " = " + meaning);
  }
  std::string statement(const Store& store) {
    std::string text = fmt::format("store {} = {}", address(store.buffer, store.index), use(store.value));
    if (store.predicate) text += " if " + use(store.predicate);
    return line(text);
  }
  std::string statement(const std::unique_ptr<Loop>& loop) {
    std::string head =
        fmt::format("{} {} in 0..{}", name_of(loop->kind), variable(loop->variable), loop->variable.extent);
    if (loop->kind == LoopKind::vector) head += fmt::format(" width {} x {}", loop->width, loop->accumulators);
    std::string carries, yields, results;
    for (const Carried& c : loop->carried) {
      const std::string init = use(c.init);
      carries += (carries.empty() ? "" : ", ") + define_typed(*c.argument) + " = " + init;
      if (c.combine != Combine::none) carries += " " + std::string(name_of(c.combine));
    }
    if (!carries.empty()) head += " carry (" + carries + ")";
    indent_ += 2;
    std::string body = block(loop->body);
    for (const Carried& c : loop->carried) yields += (yields.empty() ? "yield " : ", ") + use(c.yielded);
    if (!yields.empty()) body += line(yields);
    indent_ -= 2;
    for (const Carried& c : loop->carried) results += (results.empty() ? " -> " : ", ") + define(*c.result);
    return line(head + " {") + body + line("}" + results);
  }
  std::string statement(const std::unique_ptr<If>& branch) {
    std::string text = "if " + use(branch->condition) + braced(branch->then_block);
    if (!branch->else_block.statements.empty()) text += " else" + braced(branch->else_block);
    return line(text);
  }
  std::string statement(const std::unique_ptr<Contract>& c) {
    std::string head = fmt::format("contract {}x{} depth {}: a = {} row {} depth {}", c->rows, c->columns, c->depth,
                                   address(c->a.buffer, c->a.base), c->a.stride_row, c->a.stride_depth);
    if (c->a.run != 0) head += fmt::format(" run {} {}", c->a.run, c->a.stride_run);
    if (c->a.stride_column != 0) head += fmt::format(" column {}", c->a.stride_column);
    head += fmt::format(", b = {} depth {}", address(c->b.buffer, c->b.base), c->b.stride_depth);
    if (c->b.stride_column != 1) head += fmt::format(" column {}", c->b.stride_column);
    if (c->copy.buffer >= 0)
      head += fmt::format(", copy to {} depth {}", address(c->copy.buffer, c->copy.base), c->copy.stride_depth);
    for (const Contract::Fetch& fetch : c->fetches)
      head += fmt::format(", fetch {} each {}", address(fetch.buffer, fetch.base), fetch.each);
    for (const Contract::Around& loop : c->around)
      head += fmt::format(", around {}: a {} b {}", loop.extent, loop.stride_a, loop.stride_b);
    for (const Contract::Bound& bound : c->bounds) {
      head += fmt::format(", where {}", index(bound.base));
      if (bound.step_row) head += fmt::format(" + {}*row", bound.step_row);
      for (std::size_t l = 0; l < bound.steps.size(); ++l)
        if (bound.steps[l])
          head += fmt::format(" + {}*{}", bound.steps[l],
                              l < c->around.size() ? fmt::format("around{}", l) : std::string("depth"));
      head += fmt::format(" < {}", bound.size);
    }
    if (c->start.buffer >= 0)
      head += fmt::format(", start = {} row {}", address(c->start.buffer, c->start.base), c->start.stride_row);
    if (c->start.condition) head += " if " + use(c->start.condition);
    const std::string row = variable(c->row), column = variable(c->column);
    head += fmt::format(" -> ({}, {}, {})", row, column, define_typed(*c->accumulator));
    return line(head + braced(c->epilogue));
  }

  std::vector<std::string> buffer_names_;  // by position
  bool anonymous_;
  int indent_ = 2, next_value_ = 0, next_variable_ = 0;
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_map<const LoopVar*, std::string> variables_;
  std::set<std::string> used_;
};

std::string print(const Kernel& kernel, bool anonymous) {
  Printer printer(kernel.buffers, anonymous);
  std::string text = anonymous ? "kernel (" : "kernel @" + kernel.name + "(";
  for (std::size_t i = 0; i < kernel.buffers.size(); ++i) {
    const Buffer& b = kernel.buffers[i];
    text += fmt::format("{}{}: {}[{}] {}", i ? ", " : "", printer.buffer_name(static_cast<int>(i)), name_of(b.dtype),
                        b.elements, name_of(b.access));
  }
  const std::string schedule = anonymous || kernel.schedule.empty() ? "" : "  // " + kernel.schedule;
  return text + ") {" + schedule + "\n" + printer.block(kernel.body) + "}\n";
}

}  // namespace

std::string print(const Kernel& kernel) {
  return print(kernel, false);
}

std::string print(const Function& function) {
  Printer printer({}, false);
  std::string text = "function @" + function.name + "(";
  for (std::size_t i = 0; i < function.parameters.size(); ++i)
    text += (i ? ", " : "") + printer.define_typed(*function.parameters[i]);
  text += fmt::format(") -> {} {{\n", name_of(function.result->dtype)) + printer.block(function.body);
  return text + "  return " + printer.use(function.result) + "\n}\n";
}

std::string canonical_text(const Kernel& kernel) {
  return print(kernel, true);
}
std::uint64_t hash(const Kernel& kernel) {
  return fnv1a(canonical_text(kernel));
}

}  // namespace pullback::kernel
