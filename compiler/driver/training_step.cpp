#include "compiler/driver/training_step.h"

#include <utility>

#include <pullback/error.h>

#include "compiler/driver/cache_folder.h"
#include "compiler/driver/compiler_identity.h"
#include "compiler/ir/canonical.h"
#include "runtime/bytes.h"

namespace pullback::driver {

namespace {

/// All that the step depends on, and the compiler: two with the same bytes are the same function, but for its name.
std::string identity_of(const ir::Function& traced, const autodiff::StepSpec& spec, const std::string& update) {
  runtime::ByteWriter writer;
  writer.text(compiler_fingerprint());
  const auto write_all = [&](const std::vector<std::string>& names) {
    writer.number(static_cast<std::uint32_t>(names.size()));
    for (const std::string& name : names) writer.text(name);
  };
  const auto& [name, loss, metrics, trainable, update_function, loss_scale, initial_loss_scale] = spec;
  writer.text(loss);
  write_all(metrics);
  write_all(trainable);
  writer.text(update);  // in place of update_function
  writer.text(loss_scale);
  writer.number(initial_loss_scale);
  const runtime::Bytes bytes(writer.bytes());
  const std::string function = ir::canonical_bytes(traced);
  std::string identity;
  identity.reserve(bytes.size() + function.size());
  identity.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return identity += function;
}

class StepWriter {
 public:
  std::vector<std::byte> write(const TrainingStep& step) {
    const ir::Function& function = step.function->declaration();
    all(function.body.arguments, [&](const auto& argument) {
      typed(argument->name, argument->type);
      out_.number(function.roles[argument->index]);
    });
    all(function.results, [&](const ir::FunctionResult& result) {
      out_.text(result.name);
      out_.number(static_cast<std::int64_t>(result.updates));
    });
    all(step.states, [&](const autodiff::AddedState& state) {
      typed(state.name, state.type);
      out_.number(state.initial);
      out_.text(state.copy_of);
    });
    all(step.independent, [&](const std::string& name) { out_.text(name); });
    out_.number(runtime::crc_of(out_.bytes()));
    return out_.bytes();
  }

 private:
  template <class List, class Write>
  void all(const List& list, const Write& write) {
    out_.number(static_cast<std::uint32_t>(list.size()));
    for (const auto& entry : list) write(entry);
  }
  void typed(const std::string& name, const ir::Type& type) {
    out_.text(name);
    out_.number(type.dtype);
    all(type.shape, [&](const Dim& size) {
      out_.number(size.is_constant());
      if (size.is_constant())
        out_.number(size.constant());
      else
        out_.text(size.to_string());
    });
  }

  runtime::ByteWriter out_;
};

/// What a StepWriter wrote. Throws Error when the bytes are anything else.
class StepReader {
 public:
  explicit StepReader(runtime::Bytes bytes) : in_("training step", bytes) {
    if (bytes.size() < sizeof(std::uint32_t)) in_.fail("the file is truncated");
    const runtime::Bytes content = bytes.first(bytes.size() - sizeof(std::uint32_t));
    runtime::ByteReader behind("training step", bytes.last(sizeof(std::uint32_t)));
    if (behind.number<std::uint32_t>() != runtime::crc_of(content)) in_.fail("the file is damaged");
  }

  std::shared_ptr<ir::Function> declaration() {
    auto function = std::make_shared<ir::Function>();
    all([&] {
      auto [name, type] = typed();
      function->add_argument(std::move(type), std::move(name), in_.number<ir::ArgumentRole>());
    });
    all([&] {
      std::string name = in_.text();
      function->results.push_back({std::move(name), static_cast<std::ptrdiff_t>(in_.number<std::int64_t>())});
    });
    return function;
  }
  std::vector<autodiff::AddedState> states() {
    std::vector<autodiff::AddedState> states;
    all([&] {
      auto [name, type] = typed();
      const auto initial = in_.number<double>();
      states.push_back({std::move(name), std::move(type), initial, in_.text()});
    });
    return states;
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    all([&] { names.push_back(in_.text()); });
    return names;
  }

 private:
  template <class Read>
  void all(const Read& read) {
    for (auto left = in_.number<std::uint32_t>(); left > 0; --left) read();
  }
  std::pair<std::string, ir::Type> typed() {
    std::string name = in_.text();
    ir::Type type{in_.number<DType>(), {}};
    all([&] { type.shape.push_back(in_.number<bool>() ? Dim(in_.number<std::int64_t>()) : Dim::parse(in_.text())); });
    return {std::move(name), std::move(type)};
  }

  runtime::ByteReader in_;
};

FunctionSource::Make builder_of(const std::shared_ptr<const ir::Function>& traced, const autodiff::StepSpec& spec) {
  return [traced, spec] { return autodiff::build_step(*traced, spec).function; };
}

/// An update that is not `known` may write something else the next time: what it wrote is kept.
TrainingStep built(const std::shared_ptr<const ir::Function>& traced, const autodiff::StepSpec& spec, bool known,
                   std::string identity) {
  autodiff::Step step = autodiff::build_step(*traced, spec);
  auto declaration = known ? declaration_of(*step.function) : nullptr;
  auto source = known ? std::make_shared<FunctionSource>(std::move(declaration), std::move(identity),
                                                         builder_of(traced, spec), std::move(step.function))
                      : std::make_shared<FunctionSource>(std::move(step.function));
  return {std::move(source), std::move(step.states), std::move(step.independent)};
}

std::optional<TrainingStep> found(const std::shared_ptr<const ir::Function>& traced, const autodiff::StepSpec& spec,
                                  const std::string& identity, runtime::Bytes bytes) {
  try {
    StepReader reader(bytes);
    std::shared_ptr<ir::Function> declaration = reader.declaration();
    declaration->name = spec.name;
    TrainingStep step;
    step.function = std::make_shared<FunctionSource>(std::move(declaration), identity, builder_of(traced, spec));
    step.states = reader.states();
    step.independent = reader.names();
    return step;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

TrainingStep training_step(const std::shared_ptr<const ir::Function>& traced, const autodiff::StepSpec& spec,
                           const std::optional<std::string>& update, const Environment& environment) {
  if (!update || environment.cache_dir.empty() || environment.verify)
    return built(traced, spec, update.has_value(), {});
  const std::string identity = identity_of(*traced, spec, *update);
  const CacheFolder folder(environment.cache_dir, environment.cache_bytes);
  if (const auto kept = folder.find(identity, kStepFiles))
    if (auto step = found(traced, spec, identity, kept->content)) return std::move(*step);
  TrainingStep step = built(traced, spec, true, identity);
  folder.keep(identity, kStepFiles, StepWriter().write(step));
  return step;
}

}  // namespace pullback::driver
