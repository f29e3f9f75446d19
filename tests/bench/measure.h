// What the kernels' benchmarks share: samples of several calls, the machine's peak beside them, medians of pairs.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace pullback::bench {

/// Seconds of one call of `work`, from `repeat` calls.
double seconds_per_call(const std::function<void()>& work, int repeat);

/// How many calls of `work` fill `seconds`, at least one.
int repeats_for(const std::function<void()>& work, double seconds);

/// Floating operations a second of one core that does nothing but fused multiply-adds of f32 in registers, over some
/// ten microseconds; 0 where the processor has no FMA.
double peak_flops();

/// The median, and bounds that hold it with 95 % confidence whatever the distribution (order statistics). Fewer than
/// six samples are too few for that: their bounds are the smallest and the largest.
struct Median {
  double value = 0, low = 0, high = 0;
};
Median median_of(std::vector<double> samples);

/// A library that does the same work: a call does it once.
struct Peer {
  std::string name;
  std::function<void()> call;
};

/// Whichever of the two calls takes less time, measured here.
Peer faster_of(Peer a, Peer b);

/// One piece of work timed beside its peers, in pairs: a machine that others use changes its speed from second to
/// second, and what follows at once sees nearly the same speed.
class Comparison {
 public:
  Comparison(std::function<void()> ours, std::vector<Peer> peers, int threads);

  /// A sample of the peak and, for each peer, one of `ours` and one of the peer; which of the two goes first
  /// alternates. Returns the seconds of a call of `ours`.
  double round();

  struct Result {
    std::string peer;
    Median seconds;
    Median ratio;  ///< the peer's time over ours within a pair: above 1 ours is faster
  };
  /// One for each peer, in their order.
  std::vector<Result> results() const;
  /// The peer with the lowest ratio; throws std::out_of_range without peers.
  Result best() const;
  Median seconds() const { return median_of(ours_.seconds); }
  /// Of the FMA peak in the same round; 0 where that is unknown.
  double percent_of_peak(double flop) const;

 private:
  struct Side {
    std::function<void()> call;
    int calls = 1, settle = 0;  ///< of a sample; before a sample
    std::vector<double> seconds;
  };
  struct Against {
    std::string name;
    Side side;
    std::vector<double> ratios;
  };
  Side side_of(std::function<void()> call) const;
  double sample(Side& side) const;

  int threads_;
  Side ours_;
  std::vector<Against> peers_;
  std::vector<double> shares_;  ///< of the peak's time in ours, for one FLOP
};

}  // namespace pullback::bench
