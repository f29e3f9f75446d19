#!/usr/bin/python3
"""Writes the benchmarks' networks for inference as ONNX files:

    onnx_models.py FOLDER NAME...

For each NAME of tests/bench/workloads.cpp: NAME.onnx with input "x" and output "y"; NAME.json, the input's type and
shape; NAME.x and NAME.y, its values and what PyTorch gives for them, as they lie in memory.
"""
import json
import os
import sys
import warnings

import torch

from torch_networks import inference

OPSET = 13  # known to both sides for all operators that the networks need


def write(folder, name):
    network, x = inference(name)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an LSTM's batch is fixed is what we want
        y = network(x)
        torch.onnx.export(network, x, os.path.join(folder, name + ".onnx"), opset_version=OPSET, input_names=["x"],
                          output_names=["y"])
    kind = "int64" if x.dtype == torch.int64 else "float32"
    with open(os.path.join(folder, name + ".json"), "w") as file:
        json.dump({"type": kind, "dims": list(x.shape)}, file)
    x.numpy().tofile(os.path.join(folder, name + ".x"))
    y.numpy().tofile(os.path.join(folder, name + ".y"))


for name in sys.argv[2:]:
    write(sys.argv[1], name)
