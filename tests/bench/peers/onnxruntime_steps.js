// Times ONNX Runtime (the CPU kernels of the npm package onnxruntime-node) on what onnx_models.py wrote, on demand:
//   NODE_PATH=.../node_modules node onnxruntime_steps.js THREADS FOLDER
// Reads lines "inference NAME SECONDS" from standard input and answers each with the median microseconds of a run, or
// "none" where FOLDER has no such model. A result that differs from PyTorch's ends it.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const ort = require("onnxruntime-node");

const [threads, folder] = [Number(process.argv[2]), process.argv[3]];

function checkEqual(ours, expected, name) {
  let largest = 0, difference = ours.length === expected.length ? 0 : Infinity;
  for (let i = 0; i < expected.length; ++i) {
    largest = Math.max(largest, Math.abs(expected[i]));
    difference = Math.max(difference, Math.abs(expected[i] - ours[i]));
  }
  if (!(difference <= 1e-3 * largest + 1e-5)) throw new Error(`${name}: ONNX Runtime differs from PyTorch`);
}

function read(file, type) {
  const bytes = fs.readFileSync(file);
  const memory = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return type === "int64" ? new BigInt64Array(memory) : new Float32Array(memory);
}

async function load(name) {
  const model = path.join(folder, name);
  if (!fs.existsSync(model + ".onnx")) return null;
  const {type, dims} = JSON.parse(fs.readFileSync(model + ".json"));
  const session = await ort.InferenceSession.create(model + ".onnx", {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  const feeds = {x: new ort.Tensor(type, read(model + ".x", type), dims)};
  checkEqual((await session.run(feeds)).y.data, read(model + ".y", "float32"), name);
  return () => session.run(feeds);
}

async function median(step, seconds) {
  const now = () => Number(process.hrtime.bigint()) / 1e3;
  const warm = now() + seconds / 4 * 1e6;
  for (let i = 0; i < 3 || now() < warm; ++i) await step();
  const times = [], end = now() + seconds * 1e6;
  while (times.length < 3 || now() < end) {
    const start = now();
    await step();
    times.push(now() - start);
  }
  times.sort((a, b) => a - b);
  const middle = times.length >> 1;
  return times.length % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
}

async function main() {
  const steps = new Map();
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [, name, seconds] = line.match(/^(.*) (\S+)$/);
    if (!steps.has(name)) steps.set(name, name.startsWith("inference ") ? await load(name.slice(10)) : null);
    const step = steps.get(name);
    console.log(step ? await median(step, Number(seconds)) : "none");
  }
}

main().catch(error => {
  console.error(String(error));
  process.exit(1);
});
