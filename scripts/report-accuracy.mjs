// The tables of docs/report/accuracy.md.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dist, errorTable, percent, predictionTable, root, table } from "./report-format.mjs";

const [correlation, vote, { readPipeline }, { heldOutMae }] = await Promise.all([
  dist("optimizer/error-correlation.js"),
  dist("optimizer/vote.js"),
  dist("runtime/read-pipeline.js"),
  dist("bench/pipelines-accuracy.js"),
]);

/** What was measured of the pipelines that come with the package, and how their stages' errors hang together. */
const OWN = ["id-card", "video", "audio", "question-answering"];
const pipelineTables = Object.fromEntries(
  OWN.flatMap(name => {
    const folder = join(root, "pipelines", name);
    const { accuracy } = JSON.parse(readFileSync(join(folder, "measurements.json"), "utf8"));
    return [
      [name, () => predictionTable(readPipeline(folder), accuracy.received ?? null)],
      [`${name} errors`, () => errorTable(accuracy)],
    ];
  }),
);

/** Each measured combination predicted from all others. */
function heldOut() {
  return table(
    ["pipeline", "product", "this", "combinations", "items"],
    OWN.map(name => {
      const pipeline = readPipeline(join(root, "pipelines", name));
      const { combinations } = pipeline.accuracy;
      const items = JSON.parse(readFileSync(join(root, "pipelines", name, "measurements.json"), "utf8")).accuracy
        .combinations[0].items;
      const errors = [heldOutMae(pipeline, "product"), heldOutMae(pipeline)];
      return [name, ...errors.map(error => error.toFixed(2)), combinations.length, items];
    }),
  );
}

function commonCause() {
  const cases = [
    [0.9, 0.8],
    [0.95, 0.9, 0.85],
    [0.9, 0.9, 0.9, 0.9],
  ];
  const levels = [0, 0.2, 0.4, 0.6, 0.8, 1];
  return table(
    ["stages", ...levels.map(level => `ρ = ${level}`), "Fréchet's bounds"],
    cases.map(all => [
      all.join(", "),
      ...levels.map(level => percent(correlation.commonCauseAccuracy(all, level))),
      correlation.frechetBounds(all).map(percent).join(" to "),
    ]),
  );
}

function votes() {
  const levels = [0, 0.1, 0.3, 0.5, 0.8, 1];
  const lines = [3, 5, 9].flatMap(voters =>
    [0.7, 0.8].map(one => [
      `${voters} × ${one}`,
      ...levels.map(level => percent(vote.majorityAccuracy(voters, one, level))),
    ]),
  );
  return table(["voters", ...levels.map(level => `ρ = ${level}`)], lines);
}

/** Voters of different accuracies, with weights. */
function weightedVotes() {
  const levels = [0, 0.1, 0.3, 0.5, 0.8, 1];
  const lines = [
    [0.8, 0.8, 0.8],
    [0.9, 0.8, 0.7],
    [0.85, 0.8, 0.8, 0.8, 0.75],
    [0.95, 0.7, 0.7],
  ].map(voters => {
    const mean = voters.reduce((sum, accuracy) => sum + accuracy, 0) / voters.length;
    const at = level => vote.voteAccuracy(voters, correlation.latentCorrelation(level, mean));
    return [voters.join(", "), ...levels.map(level => percent(at(level)))];
  });
  const latent = levels.map(level => correlation.latentCorrelation(level, 0.8).toFixed(2));
  return table(
    ["voters", ...levels.map(level => `ρ = ${level}`)],
    [...lines, ["latent correlation, at 0.8", ...latent]],
  );
}

export const accuracyTables = {
  ...pipelineTables,
  "held out": heldOut,
  "common cause": commonCause,
  votes,
  "weighted votes": weightedVotes,
};
