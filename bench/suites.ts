/** The suites of `npm run bench` with their parts, and what `--help` says of them. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";
import { askedParts } from "./asked-parts.ts";
import { type Figure, figure } from "./figure.ts";

export interface SuiteOptions {
  /** Parts that `--only` asks for; null: all. */
  readonly only: readonly string[] | null;
  /** A file of simulations or runs that are not done again; null keeps none. */
  readonly rows: string | null;
  /** A folder with recorded loads; null: the usual places. */
  readonly traces: string | null;
  readonly isShort: boolean;
  /** Real processes serve each load once alone. */
  readonly isOneSeed: boolean;
}

/** Minutes are rough, for 2 cores. */
interface Part {
  readonly minutes: number;
  readonly about: string;
}

interface Suite {
  readonly about: string;
  /** A suite without parts has its own name here. */
  readonly parts: Readonly<Record<string, Part>>;
  /** It is loaded only when it runs. */
  readonly measure: (options: SuiteOptions) => Promise<readonly Figure[]>;
}

export const SUITES: Readonly<Record<string, Suite>> = {
  kubernetes: {
    about:
      "a real Kubernetes and KEDA with pods that run; needs root, Go and apt, and builds for 20 min the first time",
    parts: {
      step: { minutes: 6, about: "a step of the load: what is missed, how soon replicas follow" },
      failover: { minutes: 3, about: "the scaler that leads is killed" },
      faults: { minutes: 15, about: "requests that are lost while everything is killed in turn" },
      plain: { minutes: 6, about: "the same step under plain KEDA with the best fixed variants; runs step, too" },
      many: { minutes: 25, about: "KEDA asks one scaler for 500 ScaledObjects" },
    },
    measure: async ({ only }) => (await import("./kubernetes.bench.ts")).kubernetesSuite(only),
  },
  optimizer: {
    about: "how fast plans are found, and how good they are",
    parts: { optimizer: { minutes: 10, about: "all of it" } },
    measure: async options => measureWhole(options, (await import("./optimizer.bench.ts")).optimizerSuite),
  },
  mix: {
    about: "how well it is foreseen which variants serve, and how well plans use it",
    parts: { mix: { minutes: 4, about: "all of it" } },
    measure: options =>
      measureWhole(options, async () => [
        ...(await import("./mix/mix-figures.ts")).measureMixes(options.isShort),
        ...(await import("./mix/search-figures.ts")).measureSearch(options.isShort),
        ...(await import("./mix/search-times.ts")).measureSearchTimes(options.isShort),
      ]),
  },
  forecaster: {
    about: "how good forecasts are, and what they cost; takes --traces",
    parts: {
      accuracy: { minutes: 30, about: "against IPA's LSTM and other experts" },
      training: { minutes: 5, about: "one network on 100,000 windows" },
      fleet: { minutes: 5, about: "a thousand forecasters in one process" },
    },
    measure: async ({ only }) => (await import("./forecaster.bench.ts")).forecasterSuite(only),
  },
  house: {
    about: "figures of the source",
    parts: { house: { minutes: 1, about: "all of it" } },
    measure: options => measureWhole(options, async () => countHouse()),
  },
  ladder: {
    about: "what the choice of a variant for each batch is worth; takes --rows and --traces",
    parts: {
      rules: { minutes: 4, about: "other rules on one replica, simulated" },
      choice: { minutes: 1, about: "the time of one choice" },
      simulated: {
        minutes: 30,
        about:
          "late or dropped requests and cores under loads that change a lot, against a clairvoyant's and fixed variants",
      },
      slow: {
        minutes: 4,
        about: "late or dropped requests where everything takes 1.5 times as long as measured, simulated",
      },
      mixes: { minutes: 20, about: "accuracy of answers that several variants served, on labelled items" },
      real: {
        minutes: 560,
        about:
          "against the best fixed variants on real processes: one night; with --one-seed 70 min, with --short 15 min",
      },
    },
    measure: async options => (await import("./ladder/ladder.bench.ts")).ladderSuite(options),
  },
  page: {
    about: "what people see and read, and what drives it for them",
    parts: {
      clone: { minutes: 4, about: "from a clone to a painted page" },
      page: { minutes: 3, about: "size, first paint, axe-core, frames" },
      agent: { minutes: 10, about: "what the agent gains, and whether it keeps its limits" },
      docs: { minutes: 15, about: "every command in the documents" },
    },
    measure: async ({ only }) => (await import("./page.bench.ts")).pageSuite(only),
  },
  pipelines: {
    about: "the pipelines that come with the package",
    parts: {
      profiles: { minutes: 60, about: "each profiled twice" },
      accuracy: { minutes: 60, about: "how well accuracy is predicted where it was not measured, and under drifts" },
    },
    measure: async ({ only }) => (await import("./pipelines.bench.ts")).pipelinesSuite(only),
  },
  scaler: {
    about: "memory and time of a scaler with 100 pipelines",
    parts: {
      tick: { minutes: 1, about: "the time of one tick that plans" },
      memory: { minutes: 6, about: "resident memory after five minutes" },
      keda: { minutes: 14, about: "how KEDA's calls are answered" },
    },
    measure: async ({ only }) => (await import("./scaler.bench.ts")).scalerSuite(only),
  },
  security: {
    about: "attacks on our processes",
    parts: {
      memory: { minutes: 35, about: "what attacks take beyond the budget" },
      blocked: { minutes: 3, about: "how long one input keeps a process from answering" },
    },
    measure: async ({ only }) => (await import("./security/security.bench.ts")).securitySuite(only),
  },
  simulator: {
    about: "policies of the literature, and how fast the simulator is; takes --rows",
    parts: {
      e1: { minutes: 60, about: "IPA's pipelines and loads" },
      engine: { minutes: 5, about: "requests a second, beside SimPy" },
    },
    measure: async ({ only, rows }) => (await import("./simulator.bench.ts")).simulatorSuite(only, rows),
  },
  switcher: {
    about: "what a switcher costs beside its models, and what switches, crashes and load cost its users",
    parts: {
      throughput: { minutes: 10, about: "against onnxruntime by itself" },
      latency: { minutes: 8, about: "what a request takes longer than its model" },
      mlserver: { minutes: 5, about: "beside MLServer; needs Python" },
      switches: { minutes: 8, about: "requests while variants change" },
      worst: { minutes: 8, about: "the longest gap while variants change" },
      memory: { minutes: 35, about: "over 5,500 switches" },
      admin: { minutes: 3, about: "the admin endpoint under load" },
      soak: { minutes: 10, about: "far more load than can be served" },
    },
    measure: async ({ only }) => (await import("./switcher.bench.ts")).switcherSuite(only),
  },
};

const OPTIONS = `options:
  --only PART,…      some parts alone
  --short            too little to count, enough to see that it works
  --one-seed         \`ladder --only real\` with one seed and the best fixed variants by simulation: too little to count
  --report-bars      bars that are missed are reported and fail nothing: for machines that others use, too
  --output json      the report as JSON
  --write            puts the report into docs/benchmarks.md
  --traces FOLDER    recorded loads (else VARISCALE_TRACES, or ../shared/traces)
  --rows FILE        keeps runs of \`ladder --only real\` and simulations of \`simulator --only e1\`: those of the same code are not done again

Exit codes: 0 all figures hold; 1 one does not, was not measured, or not to its end; 2 something failed.`;

/** @param name of a suite; null: all of them are listed. */
export function formatHelp(name: string | null): string {
  const listed = Object.entries(SUITES).filter(([other]) => name === null || other === name);
  const lines = listed.flatMap(([suite, { about, parts }]) => [
    `${suite}: ${about}`,
    ...Object.entries(parts).map(
      ([part, one]) => `  ${part.padEnd(12)} ${formatMinutes(one.minutes).padEnd(8)} ${one.about}`,
    ),
  ]);
  const head = `usage: npm run bench -- ${name ?? "SUITE"} [options]\n\nSuites measure figures and hold them against bench/bars.json. Times are rough, for 2 cores that do nothing else.`;
  return [head, lines.join("\n"), OPTIONS].join("\n\n");
}

function formatMinutes(minutes: number): string {
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function measureWhole({ only }: SuiteOptions, measure: () => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  askedParts(only, []);
  return measure();
}

/** The figures of `npm run house` that have bars. */
function countHouse(): Figure[] {
  const program = join(packageFolder, "scripts/house/main.mjs");
  const printed = execFileSync(process.execPath, [program, "--output", "json"], { encoding: "utf8" });
  const counted = JSON.parse(printed) as {
    readonly privateNames: number;
    readonly productionPackages: number;
    readonly linesOutsideTests: number;
    readonly linesByFolder: Readonly<Record<string, number>>;
  };
  const { control = 0, gateway = 0, "variant-switcher": switcher = 0 } = counted.linesByFolder;
  return [
    figure("house.privateNames", counted.privateNames, {
      note: "places outside tests that reach into private parts of Node or a package, without those that the allow list gives a reason for",
    }),
    figure("house.productionPackages", counted.productionPackages, {
      against: { linesOutsideTests: counted.linesOutsideTests },
      note: "distinct packages of the lock file without development dependencies, on all platforms together",
    }),
    figure("house.servingLines", control + gateway + switcher, {
      against: { control, gateway, switcher },
      note: "lines of control, gateway and variant-switcher; the bar is what they had before replicas served by a ladder, less one",
    }),
  ];
}
