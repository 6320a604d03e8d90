// node train.mjs FOLDER: trains two models of tickets and writes them as ONNX; some ten seconds on one core. Yours come from elsewhere, from
// PyTorch by torch.onnx.export for example; all that counts is that they take and give the same tensors.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeModel } from "../../dist/models/onnx.js";
import { counts, WORDS } from "./counts.mjs";
import { seeded, TEAMS, tickets } from "./tickets.mjs";

const [folder = "models"] = process.argv.slice(2);
const examples = tickets(6000, 1).map(({ text, team }) => ({ x: counts(text), y: TEAMS.indexOf(team) }));
mkdirSync(folder, { recursive: true });
for (const [name, sizes] of [
  ["linear", [WORDS, TEAMS.length]],
  ["network", [WORDS, 256, TEAMS.length]],
]) {
  const layers = trained(sizes, examples, 8);
  writeFileSync(join(folder, `${name}.onnx`), encodeModel(onnxOf(layers)));
  console.log(`${folder}/${name}.onnx`);
}

/** Layers of weights and biases, by stochastic gradient descent on the cross entropy. */
function trained(sizes, rows, epochs) {
  const random = seeded(7);
  const layers = sizes.slice(1).map((to, i) => {
    const from = sizes[i];
    const scale = Math.sqrt(6 / (from + to));
    const w = Float32Array.from({ length: from * to }, () => scale * (2 * random() - 1));
    return { from, to, w, b: new Float32Array(to) };
  });
  for (let step = 0; step < epochs * rows.length; step++) descend(layers, rows[step % rows.length], 0.05);
  return layers;
}

function descend(layers, { x, y }, rate) {
  const values = [x];
  for (const [i, { from, to, w, b }] of layers.entries()) {
    const out = Float32Array.from(b);
    for (let f = 0; f < from; f++) {
      const given = values[i][f];
      if (given !== 0) for (let t = 0; t < to; t++) out[t] += given * w[f * to + t];
    }
    values.push(i < layers.length - 1 ? out.map(one => Math.max(one, 0)) : out);
  }
  const last = values.at(-1);
  const top = Math.max(...last);
  const powers = last.map(one => Math.exp(one - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  let error = powers.map((one, t) => one / sum - (t === y ? 1 : 0));
  for (let i = layers.length - 1; i >= 0; i--) {
    const { from, to, w, b } = layers[i];
    const before = new Float32Array(from);
    for (let f = 0; f < from; f++) {
      const given = values[i][f];
      if (given === 0) continue;
      for (let t = 0; t < to; t++) {
        before[f] += error[t] * w[f * to + t];
        w[f * to + t] -= rate * error[t] * given;
      }
    }
    for (let t = 0; t < to; t++) b[t] -= rate * error[t];
    error = before;
  }
}

/** counts [rows, WORDS] to scores [rows, TEAMS]: products and sums, with what is below 0 cut off in between. */
function onnxOf(layers) {
  const float = (name, dims, values) => ({ name, dims, dataType: 1, rawData: new Uint8Array(values.buffer) });
  const info = (name, size) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "rows" }, { dimValue: size }] } } },
  });
  const node = [];
  const initializer = [];
  let value = "counts";
  for (const [i, { from, to, w, b }] of layers.entries()) {
    const isLast = i === layers.length - 1;
    initializer.push(float(`w${i}`, [from, to], w), float(`b${i}`, [to], b));
    node.push({ opType: "MatMul", input: [value, `w${i}`], output: [`product${i}`] });
    node.push({ opType: "Add", input: [`product${i}`, `b${i}`], output: [isLast ? "scores" : `sum${i}`] });
    if (!isLast) node.push({ opType: "Relu", input: [`sum${i}`], output: [`cut${i}`] });
    value = `cut${i}`;
  }
  return {
    irVersion: 8,
    opsetImport: [{ version: 13 }],
    graph: {
      name: "tickets",
      node,
      initializer,
      input: [info("counts", WORDS)],
      output: [info("scores", TEAMS.length)],
    },
  };
}
