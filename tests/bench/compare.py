#!/usr/bin/python3
"""Times Pullback beside PyTorch, in turn, and prints ratios:

    python3 tests/bench/compare.py [--threads N] [--rounds N] [--seconds S] [--json FILE] [WORKLOAD...]

Each round times every workload in Pullback and in each variant of PyTorch (its default and, where the CPU has them, its
AVX-512 kernels, images channels first and last; with two threads and more also Debian's OpenMP build of OpenBLAS where
it is installed). The peer is the variant with the lowest median. The ratio is the median over rounds of peer / Pullback
within a round, with the smallest and the largest. What would weaken the peer is taken out of its environment.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NAMES = ["tiny_b1", "mlp_b1", "mlp_b128", "mlp_big_b256", "lenet_b64", "resnet_b16", "lstm_b32", "gpt_b8",
         "elementwise"]


class Torch:
    """One variant of PyTorch, a process that waits for work."""

    def __init__(self, threads, layout, environment):
        clean = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        # Memory that is freed stays with the process, or each step would fetch it anew.
        clean |= {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"} | environment
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "peers", "torch_steps.py"), str(threads), layout], env=clean, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def time(self, workload, seconds):
        self.process.stdin.write(f"{workload} {seconds}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        return float(answer) if answer not in ("", "none") else None


def pullback(workload, threads, seconds):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([os.path.join(ROOT, "build", "tests", "bench_training"), "--no-compile-times", "--threads",
                        str(threads), "--seconds", str(seconds), "--json", file.name, workload], check=True,
                       stdout=subprocess.DEVNULL)
        return json.load(file)[0]


def has_avx512():
    try:
        with open("/proc/cpuinfo") as file:
            return "avx512f" in file.read()
    except OSError:
        return False


def variants(threads):
    result = {}
    # PyTorch's AVX-512 kernels are not its default, and end the process where the CPU has none.
    for kernels in [{}] + ([{"ATEN_CPU_CAPABILITY": "avx512"}] if has_avx512() else []):
        for layout in ("", "channels_last"):
            result[" ".join(filter(None, ["avx512" if kernels else "", layout])) or "default"] = (layout, kernels)
    libraries = glob.glob("/usr/lib/*/openblas-openmp") if threads > 1 else []
    for library in libraries:
        result["openmp"] = ("", {"LD_LIBRARY_PATH": library})
    return result


def main():
    parser = argparse.ArgumentParser(description="Times Pullback beside PyTorch.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="timed in each round for each")
    parser.add_argument("--json", help="a file that receives the figures")
    parser.add_argument("workloads", nargs="*", default=NAMES + ["inference " + n for n in NAMES])
    options = parser.parse_args()

    try:
        import torch
    except ImportError:
        sys.exit("compare.py: PyTorch is not installed (Debian: python3-torch)")
    print(f"PyTorch {torch.__version__}, {options.threads} thread(s), {options.rounds} rounds")
    peers = {name: Torch(options.threads, *how) for name, how in variants(options.threads).items()}
    print(f"{'workload':24} {'Pullback us':>12} {'peer us':>10} {'ratio':>7} {'from':>6} {'to':>6} {'% peak':>7}"
          "  variant")
    results = []
    for workload in options.workloads:
        ours, theirs = [], {name: [] for name in peers}
        for _ in range(options.rounds):
            ours.append(pullback(workload, options.threads, options.seconds))
            for name, peer in peers.items():
                time = peer.time(workload, options.seconds)
                if time is not None:
                    theirs[name].append(time)
        known = {name: times for name, times in theirs.items() if len(times) == len(ours)}
        mine = [result["median_us"] for result in ours]
        row = {"name": workload, "threads": options.threads, "pullback_us": statistics.median(mine),
               "percent_of_peak": statistics.median(result["percent_of_peak"] for result in ours)}
        if known:
            best = min(known, key=lambda name: statistics.median(known[name]))
            ratios = [b / a for a, b in zip(mine, known[best])]
            row |= {"peer": best, "peer_us": statistics.median(known[best]), "ratio": statistics.median(ratios),
                    "ratio_from": min(ratios), "ratio_to": max(ratios)}
            print(f"{workload:24} {row['pullback_us']:12.2f} {row['peer_us']:10.1f} {row['ratio']:7.2f} "
                  f"{row['ratio_from']:6.2f} {row['ratio_to']:6.2f} {row['percent_of_peak']:7.1f}  {best}", flush=True)
        else:
            print(f"{workload:24} {row['pullback_us']:12.2f}  (no peer)", flush=True)
        results.append(row)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=2)


main()
