// The tables of docs/report/optimisation.md.
import { card, dist, percent, points, table } from "./report-format.mjs";

const [optimizer, evaluating, policies, ipa, runs, published, cocktail, instances, domain, labels, scopes, searches] =
  await Promise.all([
    dist("optimizer/optimize.js"),
    dist("optimizer/evaluate.js"),
    dist("optimizer/policies.js"),
    dist("bench/ipa-pipelines.js"),
    dist("bench/ipa-runs.js"),
    dist("bench/ipa-published.js"),
    dist("bench/cocktail-models.js"),
    dist("bench/optimizer-instances.js"),
    dist("domain/plan.js"),
    dist("optimizer/label-scope.js"),
    dist("optimizer/scope.js"),
    dist("optimizer/label-search.js"),
  ]);
const [
  { stageLatency },
  { pathQuantileMs },
  { randomStage, simulateStage },
  { mixtureOf, randomSplit, SPLITS, simulateSplit },
  { seededRandom },
] = await Promise.all([
  dist("optimizer/latency.js"),
  dist("optimizer/stage-mixture.js"),
  dist("test/optimizer/stage-simulation.js"),
  dist("test/optimizer/parts-simulation.js"),
  dist("load/seeded-random.js"),
]);

const shown = plan => `${(100 * plan.accuracy).toFixed(1)} / ${plan.cores.toFixed(0)}`;

const pair = ([accuracy, cores]) => `${accuracy.toFixed(1)} / ${cores.toFixed(1)}`;

/** Why a cell of the table is not as published, by pipeline: accuracy of IPA, cores. */
const CAUSES = {
  video: { accuracy: "A", cores: "B" },
  "audio-qa": { accuracy: "C", cores: "D" },
  "audio-sent": { accuracy: "C", cores: "D" },
  "sum-qa": { accuracy: "C", cores: "E" },
  nlp: { accuracy: "E", cores: "E" },
};

/** IPA's pipelines over its four loads: accuracy (×100) / cores as computed here, beside the published means, and what is not reproduced. */
function ipaTable() {
  const columns = [
    ["FA2-low", "fa2Low", { policy: "fa2Low" }],
    ["IPA", "ipa", { policy: "ipa" }],
    ["IPA, α fitted", "ipa", null],
    ["FA2-high, the paper's choice", "fa2High", { policy: "fa2High", paperHigh: true }],
  ];
  const lines = ipa.IPA_PIPELINES.flatMap(given => {
    const alpha = runs.nearestAlpha(given);
    return published.IPA_LOADS.map(load => {
      const missed = [];
      const cells = columns.map(([name, key, options]) => {
        const ours = runs.ipaRun(given, load, options ?? { policy: "ipa", alpha });
        const theirs = published.IPA_PUBLISHED[given.name][load][key];
        const same = runs.isReproduced(ours, theirs);
        // Cores say nothing where other variants are served.
        if (!same.accuracy) missed.push(`${name}: ${CAUSES[given.name].accuracy}`);
        else if (!same.cores) missed.push(`cores of ${name}: ${CAUSES[given.name].cores}`);
        return `${pair(ours)} (${pair(theirs)})`;
      });
      return [`${given.name}, ${load}`, ...cells, missed.join("; ") || "—"];
    });
  });
  return table(["pipeline, load", ...columns.map(([name]) => `${name} (published)`), "not reproduced: why"], lines);
}

/** What α and β are worth: IPA's preference sweeps on the bursty load. */
function alphaTable() {
  const alphas = [0.125, 1, 10, 100, 1000];
  const betas = [0, 0.1, 1, 10];
  const lines = ipa.IPA_PIPELINES.map(given => {
    const at = options => pair(runs.ipaRun(given, "bursty", { policy: "ipa", ...options }));
    return [
      `${given.name} (${given.alpha}, ${given.beta})`,
      ...alphas.map(alpha => at({ alpha })),
      ...betas.map(beta => at({ beta })),
      Number(runs.nearestAlpha(given).toPrecision(2)),
    ];
  });
  return table(["pipeline (α, β)", ...alphas.map(a => `α ${a}`), ...betas.map(b => `β ${b}`), "α fitted"], lines);
}

/** What an honest SLA changes, with all batch sizes. */
function slaTable() {
  const lines = ipa.IPA_PIPELINES.map(given => {
    const plans = [1, 0.2, 0.1].map(slaShare =>
      optimizer.optimize(
        instances.problemWith(ipa.ipaPipeline(given, { policy: "ipa", slaShare, batchingCap: 64 }), 12),
      ),
    );
    return [
      given.name,
      ...plans.map(plan => (plan.feasible ? `${shown(plan)}, held back by ${plan.binding}` : "infeasible")),
    ];
  });
  return table(["pipeline at 12 rps", "25 × (published)", "5 ×", "2.5 ×"], lines);
}

/** What the papers' latency promises, under the queueing model: the id-card pipeline. */
function queueTable() {
  const at = (policy, rate) =>
    instances.problemWith(
      { ...card, objective: { ...card.objective, policy, utilisation: card.objective.utilisation } },
      rate,
    );
  const lines = [2, 5, 10, 20, 40].map(rate => {
    const ours = optimizer.optimize(at("default", rate));
    const theirs = optimizer.optimize(at("ipa", rate));
    const relaxed = { ...card, objective: { ...card.objective, policy: "default", utilisation: 0.95 } };
    const real = evaluating.evaluate(instances.problemWith(relaxed, rate), domain.configurationOf(theirs));
    return [
      rate,
      `${ours.cores.toFixed(0)} cores, ${ours.latencyMs.toFixed(0)} ms, ${percent(ours.effectiveAccuracy)}`,
      `${theirs.cores.toFixed(0)} cores, ${theirs.latencyMs.toFixed(0)} ms, ${percent(theirs.effectiveAccuracy)}`,
      `${real.latencyMs.toFixed(0)} ms, ${percent(real.effectiveAccuracy)}${real.shedRps > 0 ? `, ${real.shedRps.toFixed(1)} rps shed` : ""}`,
    ];
  });
  return table(["rps", "`default`", "`ipa` as it sees itself", "`ipa` under the queueing model"], lines);
}

/** Effective accuracy of Model-Switching at fixed replicas, against every single variant. */
function switchingTable() {
  const stage = {
    ...card.stages[0],
    dependsOn: [],
    upstream: null,
    replicas: { min: 2, max: 2 },
    fanOut: { default: 1, byUpstreamVariant: {} },
  };
  const objective = { ...card.objective, policy: "modelSwitching", utilisation: 0.95 };
  const pipeline = { ...card, objective, stages: [stage], slo: { latencyMs: 250, quantile: 0.95 } };
  const names = stage.variants.filter(({ profile }) => profile !== null).map(({ name }) => name);
  const lines = [1, 10, 20, 25, 35, 60, 100, 130, 180].map(rate => {
    const problem = instances.problemWith(pipeline, rate);
    const plan = optimizer.optimize(problem);
    const alone = names.map(name =>
      optimizer.optimize({ ...problem, pins: [{ stage: stage.name, variant: name, batch: null, replicas: null }] }),
    );
    return [
      rate,
      `${plan.stages[0].parts[0].variant}: ${percent(plan.effectiveAccuracy)}`,
      ...alone.map(({ effectiveAccuracy }) => percent(effectiveAccuracy)),
    ];
  });
  return table(["rps", "switching", ...names], lines);
}

/** Cocktail's models at 50 requests a second, for the accuracy of the best single one. */
function cocktailTable() {
  const pipeline = cocktail.cocktailPipeline(cocktail.BEST_SINGLE);
  const lines = [null, 0, 0.1, 0.2, 0.3, 0.35, 0.4].map(correlation => {
    const combine = correlation === null ? {} : { classify: { kind: "vote", correlation } };
    const plan = optimizer.optimize({ ...instances.problemWith(pipeline, 50), combine });
    return [
      correlation === null ? "no votes" : correlation,
      plan.stages[0].parts.map(({ variant }) => variant).join(", "),
      percent(plan.accuracy),
      plan.cores.toFixed(1),
      `${plan.latencyMs.toFixed(0)} ms`,
    ];
  });
  return table(["correlation of errors", "served by", "accuracy", "cores", "latency"], lines);
}

/** Predicted against simulated p99 of random stages. */
function latencyTable() {
  const errorsOf = batches => {
    const random = seededRandom(2026);
    const groups = 100_000;
    return Array.from({ length: 250 }, (_, i) => {
      const { serviceMs, scv, ...stage } = randomStage(random, batches);
      const simulated = simulateStage({ ...stage, serviceMs, scv }, groups, i + 1);
      const latency = stageLatency({ ...stage, service: { meanMs: serviceMs, scv: () => scv } });
      const predicted = pathQuantileMs([{ rows: stage.groupRows, parts: [{ share: 1, latency }] }], 0.99);
      const isOnCliff = latency.waitShare >= 0.003 && latency.waitShare <= 0.03;
      return { error: predicted / simulated[Math.floor(0.99 * groups)] - 1, isOnCliff };
    });
  };
  const large = errorsOf([16]);
  const lines = [
    ["1–8", errorsOf([1, 2, 4, 8])],
    ["16", large],
    ["16, of them 0.3 to 3 % wait", large.filter(({ isOnCliff }) => isOnCliff)],
    ["16, the others", large.filter(({ isOnCliff }) => !isOnCliff)],
  ];
  return table(
    ["batch", ...ERROR_COLUMNS],
    lines.map(([name, all]) => [name, ...errorCells(all.map(({ error }) => error))]),
  );
}

const ERROR_COLUMNS = ["stages", "within 20 %", "median error", "95 % are within", "worst", "mean (sign)"];

function errorCells(errors) {
  const sizes = errors.map(Math.abs).sort((a, b) => a - b);
  const at = share => percent(sizes[Math.floor(share * (sizes.length - 1))]);
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  const near = percent(sizes.filter(size => size <= 0.2).length / sizes.length);
  return [errors.length, near, at(0.5), at(0.95), at(1), `${points(mean)} %`];
}

/** The same for stages with several parts, and for balancing at random. */
function partsTable() {
  const requests = 50_000;
  const lines = SPLITS.map(kind => {
    const random = seededRandom(2026);
    const errors = Array.from({ length: 150 }, (_, i) => {
      const stage = randomSplit(kind, random);
      const simulated = simulateSplit(stage, requests, i + 1);
      const errorAt = quantile =>
        pathQuantileMs([mixtureOf(stage)], quantile) / simulated[Math.floor(quantile * requests)] - 1;
      return { p99: errorAt(0.99), p50: errorAt(0.5) };
    });
    const medians = errors.filter(({ p50 }) => Math.abs(p50) <= 0.2).length / errors.length;
    return [PARTS[kind], ...errorCells(errors.map(({ p99 }) => p99)), percent(medians)];
  });
  return table(["rows", ...ERROR_COLUMNS, "medians within 20 %"], lines);
}

const PARTS = {
  random: "one variant, `random` balancing",
  split: "split over two variants",
  "split at random": "split, and `random` balancing",
  vote: "three or five variants vote",
};

/** Labels of the exact search, by size. */
function labelTable() {
  const sizes = [
    [3, 6, 7],
    [5, 8, 7],
    [10, 10, 7],
    [20, 10, 7],
  ];
  const lines = sizes.map(([stages, variants, batches]) => {
    const found = Array.from({ length: 100 }, (_, seed) => {
      const problem = instances.randomInstance({ stages, variants, batches }, seed);
      return searches.searchLabels(labels.labelScopeOf(scopes.scopeOf(problem), "hard").problem);
    });
    const counts = found.map(({ labels: count }) => count).sort((a, b) => a - b);
    return [
      `${stages} × ${variants} × ${batches}`,
      `10^${(stages * Math.log10(variants * batches)).toFixed(0)}`,
      counts[50],
      counts.at(-1),
      found.filter(({ isProven }) => isProven).length,
    ];
  });
  return table(["stages × variants × batches", "choices", "labels, median", "labels, most", "proven of 100"], lines);
}

function policyTable() {
  const word = value => (value === null ? "the file's" : String(value));
  const lines = Object.entries(policies.POLICIES).map(([name, policy]) => [
    `\`${name}\``,
    policy.latency,
    policy.slo,
    word(policy.accuracy),
    Object.keys(policy.weights).length === 0
      ? "the file's"
      : Object.entries(policy.weights)
          .map(([weight, value]) => `${weight} ${value}`)
          .join(", "),
    word(policy.utilisation),
    policy.variants,
    policy.batches,
    policy.replicas,
    policy.ensembles ? "yes" : "no",
  ]);
  return table(
    ["policy", "latency", "SLO", "accuracy", "weights", "utilisation", "variants", "batches", "replicas", "votes"],
    lines,
  );
}

export const optimisationTables = {
  policies: policyTable,
  ipa: ipaTable,
  alpha: alphaTable,
  sla: slaTable,
  queue: queueTable,
  switching: switchingTable,
  cocktail: cocktailTable,
  latency: latencyTable,
  parts: partsTable,
  labels: labelTable,
};
