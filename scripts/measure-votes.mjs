// Measures how often votes of three variants are right on right inputs, where a stage gives one tensor of class probabilities. Writes a
// table into the pipeline's README.md and prints `votes` of its file: node scripts/measure-votes.mjs pipelines/audio keyword 1500
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dist, percent, table } from "./report-format.mjs";

const [
  { defaultModelFolder },
  { prepare },
  { loadCode },
  { idealContext },
  { ModelBench },
  { pipelineFileAt, readPipeline },
  vote,
] = await Promise.all(
  [
    "cli/folders.js",
    "cli/prepare-models.js",
    "gateway/load-code.js",
    "profiler/measure-item.js",
    "profiler/model-bench.js",
    "runtime/read-pipeline.js",
    "optimizer/vote.js",
  ].map(dist),
);

const [folder = "pipelines/audio", stageName = "keyword", items = "1500"] = process.argv.slice(2);
const file = pipelineFileAt(folder);
const pipeline = readPipeline(folder);
const stage = pipeline.stages.find(({ name }) => name === stageName);
if (!stage) throw new Error(`${folder} has no stage ${stageName}`);
const modelFolder = defaultModelFolder(process.env, pipeline);
await prepare(pipeline, file, modelFolder, () => undefined);
const code = await loadCode(pipeline, file);
const models = await ModelBench.open(pipeline, modelFolder);

const variants = stage.variants.map(({ name, accuracy }) => ({ name, weight: Math.log(accuracy / (1 - accuracy)) }));
const sets = [...variants.map(variant => [variant]), ...triplesOf(variants)];
const right = sets.map(() => 0);
let count = 0;
for await (const item of code.evaluation.items(Number(items))) {
  const outputs = new Map();
  for (const { name } of variants) {
    const context = await idealContext({ code, evaluation: code.evaluation }, item, stageName);
    outputs.set(name, await models.infer(stageName, name, await code.stages[stageName].rows(context), new Map()));
  }
  for (const [index, set] of sets.entries()) {
    const context = await idealContext({ code, evaluation: code.evaluation }, item, stageName);
    const rows = await code.stages[stageName].rows(context);
    await code.stages[stageName].collect(
      context,
      rows.map((_, row) => joined(set, row, outputs)),
    );
    if (code.evaluation.stageCorrect(context, item.label, stageName)) right[index] += 1;
  }
  count += 1;
}
await models.close();

const accuracies = new Map(sets.map((set, index) => [set.map(({ name }) => name).join(" "), right[index] / count]));
const votes = triplesOf(variants).map(set => {
  const own = set.map(({ name }) => accuracies.get(name));
  return { names: set.map(({ name }) => name), own, accuracy: accuracies.get(set.map(({ name }) => name).join(" ")) };
});
const levels = Array.from({ length: 20 }, (_, i) => i / 20);
const misfit = level =>
  votes.reduce((sum, { own, accuracy }) => sum + (vote.voteAccuracy(own, level) - accuracy) ** 2, 0);
const correlation = levels.reduce((best, level) => (misfit(level) < misfit(best) ? level : best));
const lines = votes.map(({ names, own, accuracy }) => [
  names.map(name => `\`${name}\``).join(", "),
  own.map(percent).join(", "),
  percent(accuracy),
  percent(vote.voteAccuracy(own, 0)),
  percent(vote.voteAccuracy(own, correlation)),
]);
const text = [
  `${count} items, on right inputs; the correlation of errors that fits best is ${correlation}.`,
  table(["voters", "right by themselves", "vote right", "were errors independent", `at ${correlation}`], lines),
].join("\n\n");
const readme = join(folder, "README.md");
const marks = /(<!-- votes: .*? -->\n)[\s\S]*?(<!-- end of votes -->)/;
const before = readFileSync(readme, "utf8");
if (!marks.test(before)) throw new Error(`${readme} has no marks for votes`);
writeFileSync(
  readme,
  before.replace(marks, (_all, start, end) => `${start}\n${text}\n\n${end}`),
);
console.log(`votes:\n  correlation: ${correlation}\n  measured:`);
for (const { names, accuracy } of votes)
  console.log(`    - { variants: [${names.join(", ")}], accuracy: ${accuracy.toFixed(4)} }`);

/** Every variant's class of a row, weighed as the planner does: where this is largest the vote is. */
function joined(set, row, outputs) {
  const [name] = Object.keys(outputs.get(set[0].name)[row]);
  const votesOf = set.map(variant => ({ ...variant, tensor: outputs.get(variant.name)[row][name] }));
  const total = new Float32Array(votesOf[0].tensor.data.length);
  for (const { tensor, weight } of votesOf)
    total[tensor.data.indexOf(Math.max(...tensor.data))] += Math.max(weight, 1e-6);
  return { [name]: { ...votesOf[0].tensor, data: total } };
}

function triplesOf(all) {
  return all.flatMap((a, i) => all.slice(i + 1).flatMap((b, j) => all.slice(i + j + 2).map(c => [a, b, c])));
}
