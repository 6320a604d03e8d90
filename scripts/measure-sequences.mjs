// Measures what assertions over requests that follow each other find on the evaluation's sequences, and writes a table into the pipeline's
// README.md: node scripts/measure-sequences.mjs pipelines/video 100
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dist, percent, table } from "./report-format.mjs";

const [
  { defaultModelFolder },
  { prepare },
  { loadCode },
  { SequenceMemory },
  { BROKEN },
  { caughtByAssertions },
  { combinationsOf },
  { ModelBench },
  { pipelineFileAt, readPipeline },
] = await Promise.all(
  [
    "cli/folders.js",
    "cli/prepare-models.js",
    "gateway/load-code.js",
    "gateway/sequence-memory.js",
    "gateway/signals.js",
    "profiler/caught-by-assertions.js",
    "profiler/item-result.js",
    "profiler/model-bench.js",
    "runtime/read-pipeline.js",
  ].map(dist),
);

const [folder = "pipelines/video", count = "100"] = process.argv.slice(2);
const file = pipelineFileAt(folder);
const pipeline = readPipeline(folder);
const modelFolder = defaultModelFolder(process.env, pipeline);
await prepare(pipeline, file, modelFolder, () => undefined);
const code = await loadCode(pipeline, file);
const models = await ModelBench.open(pipeline, modelFolder);
const combinations = combinationsOf(pipeline);

/** A result for each sequence, with all of its answers that have one before them: what answers of one sequence have in common is not counted twice. */
const results = [];
let length = 0;
for await (const items of code.evaluation.sequences(Number(count))) {
  const memory = new SequenceMemory(code);
  const answers = [];
  length = items.length;
  for (const [number, item] of items.entries()) {
    const memo = new Map();
    for (const combination of combinations) {
      const context = await code.decode(item.body, item.contentType);
      for (const [s, { name }] of pipeline.stages.entries()) {
        const rows = await code.stages[name].rows(context);
        await code.stages[name].collect(context, await models.infer(name, combination[s], rows, memo));
      }
      const broken = memory.broken({ id: combination.join(), number }, context);
      if (broken === null) continue;
      const { correct } = code.evaluation.score(JSON.parse(JSON.stringify(await code.respond(context))), item.label);
      const signals = memory.names.map(name => [`${BROKEN}${name}`, broken.includes(name) ? 1 : 0]);
      answers.push({ correct, signals: Object.fromEntries(signals) });
    }
  }
  results.push({ combinations: answers });
}
await models.close();

const answers = results.flatMap(result => result.combinations);
const wrong = answers.filter(({ correct }) => !correct).length / answers.length;
const lines = caughtByAssertions(results).map(({ assertion, ofWrong, ofRight, wrongOfBroken }) => [
  assertion === null ? "any of them" : `\`${assertion}\``,
  ...[ofWrong, ofRight, wrongOfBroken].map(shareText),
]);
const text = [
  `${results.length} sequences of ${length}: ${answers.length} answers that have one before them, of all combinations together. Wrong are ${percent(wrong)}. In brackets the 95 % interval over draws of other sequences.`,
  table(
    ["assertion", "wrong answers that break it", "right answers that do", "wrong among those that break it"],
    lines,
  ),
].join("\n\n");
const readme = join(folder, "README.md");
const marks = /(<!-- sequences: .*? -->\n)[\s\S]*?(<!-- end of sequences -->)/;
const before = readFileSync(readme, "utf8");
if (!marks.test(before)) throw new Error(`${readme} has no marks for sequences`);
writeFileSync(
  readme,
  before.replace(marks, (_all, start, end) => `${start}\n${text}\n\n${end}`),
);

function shareText({ share, interval }) {
  if (share === null) return "–";
  return `${percent(share)} (${interval.map(end => (100 * end).toFixed(1)).join(" to ")})`;
}
