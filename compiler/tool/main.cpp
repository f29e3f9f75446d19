// The command-line tool: reads textual IR, checks, differentiates, optimizes and runs it.
// Exit codes: 0 done, 1 a mistake in the input, 2 a wrong command line, 3 a bug in Pullback.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <pullback/error.h>

#include "compiler/tool/commands.h"

namespace {

using namespace pullback::tool;

void add_source(CLI::App& command, Source& source) {
  command.add_option("file", source.file, "text IR; - is standard input")->required();
}

void add_function(CLI::App& command, Source& source) {
  command.add_option("--function,-f", source.function, "the function, when the file has several");
}

void add_printing(CLI::App& command, Source& source) {
  command.add_flag("--locations,!--no-locations", source.locations, "print source lines (default)");
}

// One argument, so that a file may follow.
void add_list(CLI::App& command, const char* option, std::vector<std::string>& list, const char* description) {
  command.add_option(option, list, description)->delimiter(',')->allow_extra_args(false);
}

void add_bindings(CLI::App& command, std::vector<std::string>& bindings) {
  add_list(command, "--bind", bindings, "sizes of symbols: batch=128,time=16");
}

struct Options {
  Source source;
  GradOptions grad;
  OptOptions opt;
  RunOptions run;
  bool list = false;
  bool markdown = false;
};

void add_check(CLI::App& app, Options& options) {
  CLI::App* command = app.add_subcommand("check", "parse and verify text IR");
  add_source(*command, options.source);
  command->callback([&] { check(options.source); });
}

void add_grad(CLI::App& app, Options& options) {
  CLI::App* command = app.add_subcommand("grad", "differentiate a function and print its gradient");
  add_source(*command, options.source);
  add_function(*command, options.source);
  add_printing(*command, options.source);
  command->add_option("--loss", options.grad.loss, "the result to differentiate (default: loss, or the only one)");
  add_list(*command, "--wrt", options.grad.wrt, "arguments: a,b,c (default: floating states, else inputs)");
  command->callback([&] { grad(options.source, options.grad); });
}

void add_opt(CLI::App& app, Options& options) {
  CLI::App* command = app.add_subcommand("opt", "run the optimizing passes and print the result");
  CLI::Option* file = command->add_option("file", options.source.file, "text IR; - is standard input");
  add_function(*command, options.source);
  add_printing(*command, options.source);
  add_bindings(*command, options.opt.bindings);
  add_list(*command, "--passes", options.opt.passes, "passes: a,b,c (default: the pipeline)");
  command->add_flag("--list", options.list, "list the pipeline with its reasons instead");
  command->callback([&options, file] {
    if (options.list) return list_passes();
    if (!file->count()) throw CLI::RequiredError("file");
    opt(options.source, options.opt);
  });
}

void add_run(CLI::App& app, Options& options) {
  CLI::App* command = app.add_subcommand("run", "compile a function, execute it once and print its results");
  RunOptions& run_options = options.run;
  add_source(*command, options.source);
  add_function(*command, options.source);
  add_bindings(*command, run_options.bindings);
  command
      ->add_option("--input", run_options.inputs,
                   "an argument: NAME=FILE.csv, NAME=random, NAME=zeros or NAME=1.5 (default: random)")
      ->allow_extra_args(false);
  command->add_option("--seed", run_options.seed, "of random arguments (default 0)")->check(CLI::NonNegativeNumber);
  command->add_flag("--evaluate", run_options.evaluate, "with the reference evaluator instead of compiled code");
  command->add_option("--dump", run_options.dump, "stages to print: tensor, opt, schedule, kernel, llvm, asm, or all");
  command->add_option("--target", run_options.target, "host, v2, v3 or v4 (default host)");
  command->add_option("--threads", run_options.threads, "(default: one for each core)")->check(CLI::Range(1, 1024));
  command->add_option("--limit", run_options.limit, "elements printed of each result; -1: all (default 16)")
      ->check(CLI::Range(std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()));
  command->callback([&] { run(options.source, options.run); });
}

void add_ops(CLI::App& app, Options& options) {
  CLI::App* command = app.add_subcommand("ops", "list the ops");
  command->add_flag("--markdown", options.markdown, "with their documentation, as docs/ir.md has it");
  command->callback([&] { list_ops(options.markdown); });
}

// CLI11 would say only that a command is needed.
void require_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  if (std::find(known.begin(), known.end(), argv[1]) == known.end())
    throw CLI::ExtrasError("pullback", {fmt::format("{} (the commands are {})", argv[1], fmt::join(known, ", "))});
}

// What is still in the buffer may not fit on the disk.
void require_written() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    throw pullback::Error(fmt::format("standard output cannot be written: {}", std::strerror(errno)));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"pullback: checks, differentiates, optimizes and runs textual tensor IR", "pullback"};
  app.require_subcommand(1);
  Options options;
  add_check(app, options);
  add_grad(app, options);
  add_opt(app, options);
  add_run(app, options);
  add_ops(app, options);
  try {
    require_command(app, argc, argv);
    app.parse(argc, argv);
    require_written();
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "pullback: error: out of memory: the sizes are too large for this machine\n");
    return 1;
  } catch (const std::system_error& error) {  // of fmt::print
    fmt::print(stderr, "pullback: error: {}\n", error.what());
    return 1;
  } catch (const pullback::Error& error) {
    fmt::print(stderr, "pullback: error: {}\n", error.what());
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "pullback: internal error, please report it: {}\n", error.what());
    return 3;
  }
}
