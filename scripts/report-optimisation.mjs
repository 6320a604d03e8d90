// The tables of docs/report/optimisation.md.
import { card, dist, percent, points, table } from "./report-format.mjs";

const [optimizer, evaluating, policies, ipa, instances, domain, labels, scopes, searches] = await Promise.all([
  dist("optimizer/optimize.js"),
  dist("optimizer/evaluate.js"),
  dist("optimizer/policies.js"),
  dist("bench/ipa-pipelines.js"),
  dist("bench/optimizer-instances.js"),
  dist("domain/plan.js"),
  dist("optimizer/label-scope.js"),
  dist("optimizer/scope.js"),
  dist("optimizer/label-search.js"),
]);
const [{ stageLatency }, { pathQuantileMs }, { randomStage, simulateStage }, { seededRandom }] = await Promise.all([
  dist("optimizer/latency.js"),
  dist("optimizer/stage-mixture.js"),
  dist("test/optimizer/stage-simulation.js"),
  dist("load/seeded-random.js"),
]);

const shown = plan => `${(100 * plan.accuracy).toFixed(1)} / ${plan.cores.toFixed(0)}`;

/** IPA's pipelines: accuracy (×100) / cores as computed here, beside the published means. */
function ipaTable() {
  const published = {
    video: {
      5: ["32.0 / 4.1", "35.5 / 4.1", "44.0 / 8.0"],
      12: ["32.0 / 5.6", "34.1 / 5.6", "44.0 / 11.9"],
      29: ["32.0 / 10.1", "32.0 / 10.1", "44.0 / 20.8"],
    },
    "audio-qa": {
      5: ["45.4 / 8.1", "48.8 / 9.1", "53.9 / 17.4"],
      12: ["45.4 / 17.3", "52.0 / 21.8", "53.9 / 33.6"],
      29: ["45.4 / 34.1", "48.8 / 33.6", "53.9 / 94.9"],
    },
    "audio-sent": {
      5: ["46.8 / 8.0", "59.2 / 15.9", "59.2 / 18.9"],
      12: ["46.8 / 15.2", "57.6 / 22.3", "59.2 / 32.3"],
      29: ["46.8 / 30.6", "53.6 / 30.5", "59.2 / 94.2"],
    },
    "sum-qa": {
      5: ["24.9 / 5.2", "30.3 / 18.1", "30.7 / 34.1"],
      12: ["24.9 / 10.1", "29.0 / 17.6", "30.7 / 59"],
      29: ["24.9 / 19.1", "26.8 / 19.0", "30.7 / 119"],
    },
    nlp: {
      5: ["10.7 / 26", "12.7 / 97.3", "12.7 / 116"],
      12: ["10.7 / 50.6", "12.0 / 156.6", "12.7 / 238"],
      29: ["10.7 / 105", "10.7 / 126.5", "12.7 / 506"],
    },
  };
  const lines = ipa.IPA_PIPELINES.flatMap(given =>
    [5, 12, 29].map(rate => {
      const plan = (policy, more = {}) =>
        optimizer.optimize({
          ...instances.problemWith(ipa.ipaPipeline(given, { policy }), rate * given.margin),
          ...more,
        });
      const pins = given.stages.map((stage, s) => ({
        stage,
        variant: given.paperHigh[s],
        batch: null,
        replicas: null,
      }));
      const [low, middle, high] = published[given.name][rate];
      return [
        given.name,
        rate,
        `${shown(plan("fa2Low"))} (${low})`,
        `${shown(plan("ipa"))} (${middle})`,
        `${shown(plan("fa2High", { pins }))} (${high})`,
        shown(plan("fa2High")),
      ];
    }),
  );
  return table(
    [
      "pipeline",
      "rps",
      "FA2-low (published)",
      "IPA (published)",
      "FA2-high, the paper's choice (published)",
      "FA2-high, the heaviest",
    ],
    lines,
  );
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
  const names = stage.variants.map(({ name }) => name);
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

/** Predicted against simulated p99 of random stages. */
function latencyTable() {
  const lines = [
    ["1–8", [1, 2, 4, 8]],
    ["16", [16]],
  ].map(([name, batches]) => {
    const random = seededRandom(2026);
    const groups = 100_000;
    const errors = Array.from({ length: 250 }, (_, i) => {
      const { serviceMs, scv, ...stage } = randomStage(random, batches);
      const simulated = simulateStage({ ...stage, serviceMs, scv }, groups, i + 1);
      const latency = stageLatency({ ...stage, service: { meanMs: serviceMs, scv: () => scv } });
      const predicted = pathQuantileMs([{ rows: stage.groupRows, parts: [{ share: 1, latency }] }], 0.99);
      return predicted / simulated[Math.floor(0.99 * groups)] - 1;
    });
    const sizes = errors.map(Math.abs).sort((a, b) => a - b);
    const at = share => percent(sizes[Math.floor(share * (sizes.length - 1))]);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const near = percent(sizes.filter(size => size <= 0.2).length / sizes.length);
    return [name, errors.length, near, at(0.5), at(0.95), at(1), `${points(mean)} %`];
  });
  return table(["batch", "stages", "within 20 %", "median error", "95 % are within", "worst", "mean (sign)"], lines);
}

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
  ]);
  return table(
    ["policy", "latency", "SLO", "accuracy", "weights", "utilisation", "variants", "batches", "replicas"],
    lines,
  );
}

export const optimisationTables = {
  policies: policyTable,
  ipa: ipaTable,
  sla: slaTable,
  queue: queueTable,
  switching: switchingTable,
  latency: latencyTable,
  labels: labelTable,
};
