#!/usr/bin/python3
"""Times Pullback beside its peers, in turn, and prints ratios:

    python3 tests/bench/compare.py [--threads N] [--rounds N] [--seconds S] [--onnxruntime FOLDER] [--all] [--json FILE]
                                   [WORKLOAD...]
    python3 tests/bench/compare.py --memory [--threads N] [WORKLOAD...]

Each round times every workload in pairs, Pullback and right after it a peer: PyTorch (its default and, where the CPU
has them, its AVX-512 kernels, images channels first and last, for inference the network as it is or frozen, whichever
is faster; with two threads and more also Debian's OpenMP build of OpenBLAS), PyTorch from C++ for small networks where
build/tests/libtorch_steps has been built, and for inference ONNX Runtime, where npm has installed it into FOLDER. What
is missing is said and left out. The peer of a row is the one with the lowest median; --all prints them all. The ratio
is the median over rounds of peer / Pullback within a pair, with the smallest and the largest. What would weaken a peer
is taken out of its environment.

--memory compares instead the memory that a step needs beyond what it keeps (parameters, the optimizer's slots, inputs):
Pullback's arena, scratch and outputs beside the most that PyTorch's tensors take at once; torch_steps.py says how that
is counted.
"""
import argparse
import glob
import importlib.util
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


class Peer:
    """A process that waits for work."""

    def __init__(self, command, environment=None):
        clean = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        # Memory that is freed stays with the process, or each step would fetch it anew.
        clean |= {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"} | (environment or {})
        self.process = subprocess.Popen(command, env=clean, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def ask(self, workload, request):
        """A number, or nothing where the peer has no such workload or has ended."""
        try:
            self.process.stdin.write(f"{workload} {request}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            return None
        return float(answer) if answer not in ("", "none") else None


def script(name):
    return os.path.join(HERE, "peers", name)


def torch(threads, layout="", environment=None):
    return Peer([sys.executable, script("torch_steps.py"), str(threads), layout], environment)


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


def torch_peers(threads):
    peers = {}
    # PyTorch's AVX-512 kernels are not its default, and end the process where the CPU has none.
    for kernels in [{}] + ([{"ATEN_CPU_CAPABILITY": "avx512"}] if has_avx512() else []):
        for layout in ("", "channels_last"):
            name = " ".join(filter(None, ["PyTorch", "avx512" if kernels else "", layout]))
            peers[name] = torch(threads, layout, kernels)
    libraries = glob.glob("/usr/lib/*/openblas-openmp") if threads > 1 else []
    for library in libraries:
        peers["PyTorch openmp"] = torch(threads, environment={"LD_LIBRARY_PATH": library})
    return peers


def libtorch_peers(threads):
    program = os.path.join(ROOT, "build", "tests", "libtorch_steps")
    if not os.path.exists(program):
        print("left out: PyTorch from C++ (Debian: libtorch-dev, and cmake --build --preset release "
              "--target libtorch_steps)")
        return {}
    return {"PyTorch from C++": Peer([program, str(threads)], {"OMP_NUM_THREADS": str(threads),
                                                               "OPENBLAS_NUM_THREADS": str(threads)})}


def onnxruntime_peers(threads, folder, workloads, models):
    """Exports the models, which takes seconds, where there is somebody to run them."""
    names = [w.removeprefix("inference ") for w in workloads if w.startswith("inference ")]
    if not names:
        return {}
    modules = os.path.join(folder or "", "node_modules")
    if not folder or not os.path.isdir(os.path.join(modules, "onnxruntime-node")):
        print("left out: ONNX Runtime (npm install --ignore-scripts --prefix FOLDER onnxruntime-node, and "
              "--onnxruntime FOLDER)")
        return {}
    done = subprocess.run([sys.executable, script("onnx_models.py"), models, *names], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"left out: ONNX Runtime ({done.stderr.strip().splitlines()[-1]})")
        return {}
    return {"ONNX Runtime": Peer(["node", script("onnxruntime_steps.js"), str(threads), models],
                                 {"NODE_PATH": modules})}


def time_one(workload, peers, options):
    def ours():
        return pullback(workload, options.threads, options.seconds)

    pairs = {name: [] for name, peer in peers.items() if peer.ask(workload, 0) is not None}
    for _ in range(options.rounds):
        for name, pair in pairs.items():
            pair.append((ours(), peers[name].ask(workload, options.seconds)))
    mine = [time for pair in pairs.values() for time, _ in pair] or [ours()]
    row = {"name": workload, "threads": options.threads,
           "pullback_us": statistics.median(time["median_us"] for time in mine),
           "percent_of_peak": statistics.median(time["percent_of_peak"] for time in mine), "peers": {}}
    for name, pair in pairs.items():
        if any(theirs is None for _, theirs in pair):
            print(f"left out: {name} has ended")
            continue
        ratios = [theirs / time["median_us"] for time, theirs in pair]
        row["peers"][name] = {"us": statistics.median(theirs for _, theirs in pair),
                              "ratio": statistics.median(ratios), "ratio_from": min(ratios), "ratio_to": max(ratios)}
    return row


def print_times(row, every):
    print(f"{row['name']:24} {row['pullback_us']:12.2f}", end="")
    peers = sorted(row["peers"].items(), key=lambda item: item[1]["us"])
    if not peers:
        print("  (no peer)", flush=True)
    for i, (name, peer) in enumerate(peers if every else peers[:1]):
        print(" " * 37 if i else "", f"{peer['us']:10.1f} {peer['ratio']:7.2f} {peer['ratio_from']:6.2f} "
              f"{peer['ratio_to']:6.2f} {row['percent_of_peak']:7.1f}  {name}", flush=True)


def compare_times(options):
    with tempfile.TemporaryDirectory() as models:
        peers = torch_peers(options.threads) | libtorch_peers(options.threads)
        peers |= onnxruntime_peers(options.threads, options.onnxruntime, options.workloads, models)
        print(f"{'workload':24} {'Pullback us':>12} {'peer us':>11} {'ratio':>7} {'from':>6} {'to':>6} {'% peak':>7}  "
              "peer")
        rows = []
        for workload in options.workloads:
            rows.append(time_one(workload, peers, options))
            print_times(rows[-1], options.all)
        return rows


def compare_memory(options):
    print(f"{'workload':24} {'Pullback MiB':>12} {'PyTorch MiB':>12} {'share':>7}")
    peer, rows = torch(options.threads), []
    for workload in options.workloads:
        cost = pullback(workload, options.threads, 0.01)
        ours = cost["peak_bytes"] + cost["scratch_bytes"] + cost["output_bytes"]
        theirs = peer.ask(workload, "memory")
        row = {"name": workload, "threads": options.threads, "pullback_bytes": ours, "peer_bytes": theirs}
        share = f"{100 * ours / theirs:5.1f} %" if theirs else "(no peer)"
        print(f"{workload:24} {ours / 2**20:12.3f} {(theirs or 0) / 2**20:12.3f} {share}", flush=True)
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description="Times Pullback beside its peers.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="timed in each round for each")
    parser.add_argument("--onnxruntime", metavar="FOLDER", help="where npm has installed onnxruntime-node")
    parser.add_argument("--memory", action="store_true", help="compare the memory of a step instead")
    parser.add_argument("--all", action="store_true", help="print each peer, not only the fastest")
    parser.add_argument("--json", help="a file that receives the figures")
    parser.add_argument("workloads", nargs="*")
    options = parser.parse_args()
    if not options.workloads:
        options.workloads = NAMES + ([] if options.memory else ["inference " + name for name in NAMES])
    if importlib.util.find_spec("torch") is None:
        sys.exit("compare.py: PyTorch is not installed (Debian: python3-torch)")
    print(f"{options.threads} thread(s)" + ("" if options.memory else f", {options.rounds} rounds"))
    rows = compare_memory(options) if options.memory else compare_times(options)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=2)


main()
