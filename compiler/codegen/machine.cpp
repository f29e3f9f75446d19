#include "compiler/codegen/machine.h"

#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/PassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <mutex>

#include <pullback/error.h>

#include "compiler/codegen/emit_module.h"
#include "compiler/codegen/overlap_chains.h"
#include "compiler/codegen/pass_gate.h"
#include "runtime/code_image.h"

namespace pullback::codegen {
namespace {

constexpr const char* kTriple = "x86_64-unknown-linux-gnu";

void initialize_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

[[noreturn]] void fail(const char* what, llvm::Error error) {
  throw InternalError(std::string("codegen: ") + what + ": " + llvm::toString(std::move(error)));
}

void emit(llvm::Module& module, llvm::TargetMachine& machine, llvm::raw_pwrite_stream& out, llvm::CodeGenFileType type,
          SkippedPasses& skipped) {
  Pipeline passes(skipped);
  if (machine.addPassesToEmitFile(passes, out, nullptr, type))
    throw InternalError("codegen: the target emits no files");
  passes.run(module);
}

}  // namespace

std::unique_ptr<llvm::TargetMachine> create_machine(const Target& target) {
  initialize_llvm();
  std::string message;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(kTriple, message);
  if (!found) throw InternalError("codegen: " + message);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // fma only where the kernel says so
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(kTriple, target.cpu, target.features, options,
                                                                          llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                                          llvm::CodeGenOptLevel::Less, /*JIT=*/true));
  if (!machine) throw InternalError("codegen: no machine for " + target.cpu);
  return machine;
}

void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(OverlapChainsPass());
  llvm::ModulePassManager pipeline;
  pipeline.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  pipeline.run(module, modules);
}

llvm::SmallVector<char, 0> emit_object(llvm::Module& module, llvm::TargetMachine& machine, SkippedPasses& skipped) {
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  emit(module, machine, stream, llvm::CodeGenFileType::ObjectFile, skipped);
  return object;
}

std::string emit_assembly(const llvm::Module& module, llvm::TargetMachine& machine) {
  const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  SkippedPasses skipped;
  emit(*copy, machine, stream, llvm::CodeGenFileType::AssemblyFile, skipped);
  return {text.begin(), text.end()};
}

Linked link(llvm::ArrayRef<llvm::ArrayRef<char>> objects) {
  initialize_llvm();
  auto machine = llvm::orc::JITTargetMachineBuilder(llvm::Triple(kTriple));
  // No symbols of the process: code that calls what the runtime does not offer fails here, not in its numbers.
  auto created = llvm::orc::LLJITBuilder()
                     .setJITTargetMachineBuilder(std::move(machine))
                     .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                     .setLinkProcessSymbolsByDefault(false)
                     .create();
  if (!created) fail("creating the JIT", created.takeError());
  const std::shared_ptr<llvm::orc::LLJIT> jit = std::move(*created);
  llvm::orc::SymbolMap symbols;
  for (const runtime::RuntimeSymbol& symbol : runtime::runtime_symbols())
    symbols[jit->mangleAndIntern(symbol.name)] = {llvm::orc::ExecutorAddr::fromPtr(symbol.address),
                                                  llvm::JITSymbolFlags::Exported};
  if (auto error = jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(symbols))))
    fail("defining the runtime's symbols", std::move(error));
  for (std::size_t i = 0; i < objects.size(); ++i) {
    auto buffer = llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(objects[i].data(), objects[i].size()),
                                                       "pullback." + std::to_string(i) + ".o");
    if (auto error = jit->addObjectFile(std::move(buffer))) fail("loading an object", std::move(error));
  }
  auto entry = jit->lookup(kEntryName);
  if (!entry) fail("linking", entry.takeError());
  return {entry->toPtr<runtime::EntryFunction>(), jit};
}

}  // namespace pullback::codegen
