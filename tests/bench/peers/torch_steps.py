#!/usr/bin/python3
"""Times the benchmarks' networks in PyTorch, on demand.

Reads lines "WORKLOAD SECONDS" from standard input, where WORKLOAD is a name of tests/bench/workloads.cpp or
"inference NAME", and answers each with the median microseconds of a step, or "none"; and "WORKLOAD memory" with the
bytes that a step needs beyond what it keeps. Arguments: the number of threads, and "channels_last" for the memory
layout of images.
"""
import os
import statistics
import sys
import time

threads = sys.argv[1]
# Debian's OpenBLAS takes its number of threads from the environment, before it is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = threads
import torch  # noqa: E402
from torch import profiler  # noqa: E402

from torch_networks import WORKLOADS, Training, inference  # noqa: E402

torch.set_num_threads(int(threads))
channels_last = "channels_last" in sys.argv[2:]


def inference_steps(name):
    """The network as it is, and frozen: traced, its operations merged, its weights laid out for the CPU."""
    network, x = inference(name, channels_last)
    with torch.no_grad():
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, x)))

    def step_of(module):
        def step():
            with torch.inference_mode():
                module(x)
        return step

    return step_of(network), step_of(frozen)


def median(step, seconds):
    end = time.perf_counter() + seconds / 4
    for _ in range(3):
        step()
    while time.perf_counter() < end:
        step()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter_ns()
        step()
        times.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(times)


def make_step(name):
    if not name.startswith("inference "):
        return Training(name, channels_last).step
    return min(inference_steps(name.removeprefix("inference ")), key=lambda step: median(step, 0.2))


def bytes_of(step):
    """The most memory that tensors take at once in a step, beyond what they took when it began.

    PyTorch's profiler reports what its CPU allocator gives and takes back. So parameters, the optimizer's slots and
    inputs, which are there before, do not count; gradients, activations and temporary tensors do; and what libraries
    below PyTorch allocate for themselves does not, in PyTorch's favour.
    """
    for _ in range(3):
        step()
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    live = most = 0
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(changes, key=lambda event: event.start_us()):
        live += event.nbytes()
        most = max(most, live)
    return most


def memory(name):
    if name.startswith("inference "):
        return min(bytes_of(step) for step in inference_steps(name.removeprefix("inference ")))
    training = Training(name, channels_last)
    for _ in range(2):
        training.step()

    def step():
        training.step()
        training.forget_gradients()  # they are no state: a step begins and ends without

    return bytes_of(step)


steps = {}
for line in sys.stdin:
    name, request = line.rsplit(maxsplit=1)
    if name.removeprefix("inference ") not in WORKLOADS:
        print("none", flush=True)
    elif request == "memory":
        print(memory(name), flush=True)
    else:
        if name not in steps:
            steps[name] = make_step(name)
        print(median(steps[name], float(request)), flush=True)
