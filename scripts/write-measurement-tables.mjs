// Writes what was measured of a pipeline into its README.md: npm run build && node scripts/write-measurement-tables.mjs pipelines/id-card
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dominatedVariants, measuredVariants } from "../dist/domain/dominated-variants.js";
import { failureText } from "../dist/explanation/estimate-failures.js";
import { errorTable, percent, table } from "./report-format.mjs";

const folder = process.argv[2] ?? "pipelines/id-card";
const readme = join(folder, "README.md");
const { stages, accuracy, fanOut, overhead, machine, date } = JSON.parse(
  readFileSync(join(folder, "measurements.json"), "utf8"),
);

const variants = Object.entries(stages).flatMap(([stage, profiles]) => {
  const dominated = dominatedVariants(measuredVariants(stage, profiles, accuracy));
  return Object.entries(profiles).map(([variant, profile]) => [
    stage,
    nameText(variant, dominated.find(({ name }) => name === variant)?.by),
    percent(accuracy.stages[stage][variant].accuracy),
    profile.points.map(point => `${point.batch}: ${point.latencyMs.toFixed(2)}`).join(", "),
    profile.loadMs.toFixed(0),
    profile.memoryMiB.toFixed(0),
  ]);
});
const combinations = accuracy.combinations.map(combination => [
  Object.values(combination.variants)
    .map(variant => `\`${variant}\``)
    .join(" → "),
  percent(combination.accuracy),
  combination.interval.map(percent).join(" to "),
  percent(combination.partAccuracy),
  combination.items,
]);
const rows = Object.entries(fanOut ?? {}).map(([stage, { upstream, rowsByVariant, rowsPerRequest }]) =>
  rowsByVariant === undefined
    ? `Rows of ${stage} for one request: ${rowsPerRequest}.`
    : `Rows of ${stage} for one row of ${upstream}: ${Object.entries(rowsByVariant)
        .map(([variant, mean]) => `${mean.toFixed(1)} with \`${variant}\``)
        .join(", ")}.`,
);
const text = [
  `Measured on ${machine.cores} × ${machine.cpu}, one thread a session, Node ${machine.node}, onnxruntime ${machine.onnxruntime}, ${date.slice(0, 10)}.`,
  table(["stage", "variant", "accuracy on right inputs", "service ms by batch", "load ms", "memory MiB"], variants),
  table(["variants", "items right", "95 % interval", "parts right", "items"], combinations),
  ...errors(accuracy),
  ...rows,
  `The gateway's own work for one request: ${overhead.latencyMs.toFixed(1)} ms of latency, ${overhead.cpuMs.toFixed(1)} ms of CPU time.`,
].join("\n\n");

write("measurements", text);
/** Nothing where the file is of before stages were judged by what they got. */
function errors(measured) {
  if (!measured.received) return [];
  return [
    "How errors of a stage hang together with those of the stage before, on the inputs that they really got (κ, ρ and r: [accuracy.md](../../docs/report/accuracy.md#stages-on-the-inputs-that-they-get)):",
    errorTable(measured),
  ];
}

const driftFile = join(folder, "drift.json");
if (existsSync(driftFile)) {
  const measured = JSON.parse(readFileSync(driftFile, "utf8"));
  write("drift", driftText(measured));
  write("assertions", assertionsText(measured));
}

/** A variant, and one that is at most as slow at every batch and at least as accurate. */
function nameText(variant, better) {
  return better === undefined ? `\`${variant}\`` : `\`${variant}\`, dominated by \`${better}\``;
}

/** What `variscale drift` measured: a line for every combination, a column for every drift. */
function driftText({ date: measured, items, drifts, errors }) {
  const names = Object.keys(drifts);
  const lines = drifts.none.accuracy.combinations.map(({ variants: chosen }, index) => [
    Object.values(chosen)
      .map(variant => `\`${variant}\``)
      .join(" → "),
    ...names.map(name => percent(drifts[name].accuracy.combinations[index].accuracy)),
  ]);
  const most = Math.max(...Object.values(drifts).flatMap(drift => drift.accuracy.combinations.map(halfInterval)));
  return [
    `${items} items of each, ${measured.slice(0, 10)}; 95 % intervals reach ${(100 * most).toFixed(1)} points each way at most.`,
    table(["variants", ...names], lines),
    "How far estimates of these shares are off, mean over all combinations:",
    table(
      ["drift", "as measured without it", "estimate without labels", "of that too high by", "ATC", "with 100 labels"],
      Object.entries(errors).map(([name, error]) => [
        name,
        percent(error.static),
        percent(error.estimate),
        percent(error.bias),
        error.threshold ? percent(error.threshold.error) : "–",
        error.labelled === null ? "–" : percent(error.labelled),
      ]),
    ),
    ...worstText(errors, drifts.none.accuracy.combinations.length),
    ...labelsText(errors),
  ].join("\n\n");
}

/** Where means say too little; nothing where the file is of before that was judged. */
function worstText(errors, combinations) {
  const judged = Object.entries(errors).filter(([, { worst }]) => worst);
  if (judged.length === 0) return [];
  const byDrift = of =>
    Object.fromEntries(judged.map(([name, error]) => [name, { ...of(error), before: error.static, combinations }]));
  const worst = one =>
    one
      ? `${Object.values(one.worst.variants)
          .map(variant => `\`${variant}\``)
          .join(" → ")} ${percent(one.worst.error)}`
      : "–";
  const hasThresholds = judged.every(([, { threshold }]) => threshold);
  return [
    "The combination that each estimate is furthest off:",
    table(
      ["drift", "estimate without labels", "ATC"],
      judged.map(([name, error]) => [name, worst(error), worst(error.threshold)]),
    ),
    failureText(
      "The estimate without labels",
      byDrift(error => ({ error: error.estimate, failing: error.failing })),
    ),
    ...(hasThresholds
      ? [
          failureText(
            "ATC",
            byDrift(error => error.threshold),
          ),
        ]
      : []),
  ];
}

/** How few labels do; nothing where the file is of before that was judged, or has too few items. */
function labelsText(errors) {
  const lines = Object.entries(errors).flatMap(([name, { labels = [] }]) =>
    labels.map(one => [
      name,
      one.labels,
      ...[one.alone, one.corrected, one.product, one.markov].map(error => (error === null ? "–" : percent(error))),
    ]),
  );
  if (lines.length === 0) return [];
  return [
    "The same with few labelled items, mean over draws of them:",
    table(["drift", "labels", "labels alone", "estimate with them", "product", "Markov"], lines),
  ];
}

/** What assertions find of the answers of all combinations: for each assertion a line for every set of items that breaks it. */
function assertionsText({ date: measured, items, drifts }) {
  const sets = Object.entries(drifts);
  if (!drifts.none.assertions) throw new Error(`${driftFile} has no assertions: write it anew by variscale drift`);
  const names = sets[0][1].assertions.map(({ assertion }) => assertion);
  const found = names.map(name =>
    sets.map(([set, { assertions }]) => ({ set, ...assertions.find(({ assertion }) => assertion === name) })),
  );
  const isBroken = ({ wrongOfBroken }) => wrongOfBroken.answers > 0;
  const never = names.filter((_, index) => !found[index].some(isBroken));
  const lines = found.flatMap(all =>
    all
      .filter(isBroken)
      .map(({ assertion, set, ofWrong, ofRight, wrongOfBroken }) => [
        assertion === null ? "any of them" : `\`${assertion}\``,
        set,
        ...[ofWrong, ofRight, wrongOfBroken].map(shareText),
      ]),
  );
  const wrong = sets.map(([set, { assertions }]) => {
    const { ofWrong, ofRight } = assertions[0];
    return `${percent(ofWrong.answers / (ofWrong.answers + ofRight.answers))} of \`${set}\``;
  });
  return [
    `${items} items of each set, ${measured.slice(0, 10)}: answers of all combinations together. Wrong are ${wrong.join(", ")}. In brackets the 95 % interval over draws of other items.`,
    table(
      ["assertion", "items", "wrong answers that break it", "right answers that do", "wrong among those that break it"],
      lines,
    ),
    ...(never.length === 0 ? [] : [`Never broken here: ${never.map(name => `\`${name}\``).join(", ")}.`]),
  ].join("\n\n");
}

function shareText({ share, interval }) {
  if (share === null) return "–";
  const [low, high] = interval.map(end => (100 * end).toFixed(1));
  return `${percent(share)} (${low} to ${high})`;
}

function halfInterval({ interval: [low, high] }) {
  return (high - low) / 2;
}

/** Between the marks of this name. */
function write(name, content) {
  const marks = new RegExp(`(<!-- ${name}: .*? -->\\n)[\\s\\S]*?(<!-- end of ${name} -->)`);
  const before = readFileSync(readme, "utf8");
  if (!marks.test(before)) throw new Error(`${readme} has no marks for ${name}`);
  writeFileSync(
    readme,
    before.replace(marks, (_all, start, end) => `${start}\n${content}\n\n${end}`),
  );
}
