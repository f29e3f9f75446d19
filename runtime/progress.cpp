#include "runtime/progress.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace pullback::runtime {

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::size_t kBarWidth = 24;

std::size_t terminal_width(std::FILE* stream) {
  winsize size{};
  return ::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// "[=====>   ] ", narrower or nothing where there is little room.
std::string bar(double part, std::size_t room) {
  constexpr std::size_t frame = 3;
  constexpr std::size_t least = 4;
  if (room < least + frame) return "";
  const std::size_t width = std::min(room - frame, kBarWidth);
  const auto filled = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(width));
  std::string text(width, ' ');
  std::fill_n(text.begin(), filled, '=');
  if (filled < width) text[filled] = '>';
  return "[" + text + "] ";
}

std::string format_rate(double examples_per_second) {
  return fmt::format("{:.{}f} examples/s", examples_per_second, examples_per_second < 100 ? 1 : 0);
}

}  // namespace

std::string format_duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

ProgressReporter::ProgressReporter(Progress kind, std::FILE* stream, std::vector<std::string> metrics, int epochs,
                                   int first_epoch, std::int64_t batches)
    : kind_(kind),
      stream_(stream),
      metrics_(std::move(metrics)),
      epochs_(epochs),
      first_epoch_(first_epoch),
      batches_(batches) {
  if (kind_ == Progress::automatic) kind_ = ::isatty(::fileno(stream)) ? Progress::bar : Progress::lines;
}

ProgressReporter::~ProgressReporter() {
  if (bar_visible_) std::fputs("\n", stream_);  // an error's message shall not follow the bar on its line
}

std::string ProgressReporter::numbers(std::span<const double> values, const std::string& prefix) const {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i)
    text += fmt::format("  {}{} {:.4g}", prefix, i == 0 ? "loss" : metrics_[i - 1], values[i]);
  return text;
}

// Until the last epoch ends, from the time that the batches took until now, validation included.
double ProgressReporter::seconds_left(int epoch, std::int64_t batches_done) const {
  const double done = static_cast<double>((epoch - first_epoch_) * batches_ + batches_done);
  const double all = static_cast<double>((epochs_ - first_epoch_) * batches_);
  const std::chrono::duration<double> passed = Clock::now() - start_;
  return passed.count() / done * (all - done);
}

void ProgressReporter::batch(int epoch, std::int64_t batches_done, std::span<const double> means, std::int64_t examples,
                             double seconds) {
  if (kind_ != Progress::bar) return;
  const auto now = Clock::now();
  if (now - drawn_ < kRedraw) return;
  drawn_ = now;
  const double part = static_cast<double>(batches_done) / static_cast<double>(batches_);
  const std::string head = fmt::format("epoch {}/{} ", epoch + 1, epochs_);
  const std::string tail = fmt::format("{:3.0f} %{}  {}  {} left", 100 * part, numbers(means, ""),
                                       format_rate(static_cast<double>(examples) / seconds),
                                       format_duration(seconds_left(epoch, batches_done)));
  const std::size_t width = terminal_width(stream_) - 1;  // a wrapped line could not be redrawn
  const std::size_t taken = head.size() + tail.size();
  std::string line = head + bar(part, width > taken ? width - taken : 0) + tail;
  line.resize(std::min(line.size(), width));
  fmt::print(stream_, "\r{}\x1b[K", line);
  std::fflush(stream_);
  bar_visible_ = true;
}

void ProgressReporter::epoch(const EpochRecord& record) {
  if (kind_ == Progress::off) return;
  std::vector<double> values{record.loss};
  values.insert(values.end(), record.metrics.begin(), record.metrics.end());
  std::string line = fmt::format("epoch {}/{}{}", record.epoch + 1, epochs_, numbers(values, ""));
  if (record.val_loss) {
    values.assign(1, *record.val_loss);
    values.insert(values.end(), record.val_metrics.begin(), record.val_metrics.end());
    line += numbers(values, "val_");
  }
  line += fmt::format("  {}  {}", format_rate(record.examples_per_second), format_duration(record.seconds));
  fmt::print(stream_, "{}{}\n", kind_ == Progress::bar ? "\r\x1b[K" : "", line);
  std::fflush(stream_);
  bar_visible_ = false;
}

}  // namespace pullback::runtime
