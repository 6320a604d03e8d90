import { NO_PAST } from "../../cli/simulate/past.ts";
import { generateLoad } from "../../load/generate-load.ts";
import { mixedLoad } from "../../load/load-kinds.ts";
import { scaleLoad } from "../../load/scale-load.ts";
import { generatedPipeline } from "../scaler-pipelines.ts";
import { CLUSTER, type ExperimentCase } from "./e1-cells.ts";
import { WARM_UP_SECONDS } from "./ipa-loads.ts";
import { type ExperimentRow, mean, percent, table } from "./report-parts.ts";

const PIPELINES = 1000;
const SHORT_PIPELINES = 20;
const SECONDS = 3600;
/** Of the generated loads, which go up to 1,000 rps and more. */
const LOAD_SHARE = 1 / 20;

/** An hour of a thousand pipelines, each with a load of its own. */
export function e6Cases(seed: number, isShort: boolean): readonly ExperimentCase[] {
  const count = isShort ? SHORT_PIPELINES : PIPELINES;
  return Array.from({ length: count }, (_, i) => {
    const loadSeed = seed * PIPELINES + i;
    const whole = generateLoad(mixedLoad(loadSeed), WARM_UP_SECONDS + SECONDS, loadSeed);
    return {
      cell: { pipeline: `pipeline-${i}`, load: "mixed", sloFactor: 1, contender: "default", seed },
      given: {
        policy: "default",
        pipeline: generatedPipeline(i),
        load: scaleLoad(whole, LOAD_SHARE, loadSeed),
        ...NO_PAST,
        forecast: "variscale",
        warmUpSeconds: WARM_UP_SECONDS,
        cluster: CLUSTER,
        maxCores: null,
        timeoutMs: null,
        windowSeconds: 60,
        killEveryMs: null,
        seed,
      },
    };
  });
}

export function e6Report(rows: readonly ExperimentRow[]): string {
  const sum = (of: (row: ExperimentRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const offered = sum(row => row.offered);
  const within = (share: number): number => rows.filter(({ violations }) => violations <= share).length;
  const ticks = rows.map(({ tickMs }) => tickMs).sort((a, b) => a - b);
  const tickAt = (share: number): string => (ticks[Math.floor(share * (ticks.length - 1))] ?? 0).toFixed(2);
  return [
    "## E6: scale",
    "",
    `${rows.length} pipelines of three stages with four variants each for an hour, all with \`default\` and the network that comes with variscale; loads: as generated for its training, other seeds, from 0.02 to some hundred rps. Nothing was known of a load before.`,
    "",
    table(
      ["what", "value"],
      [
        ["requests", offered.toLocaleString("en")],
        ["right and in time", percent(sum(row => row.effectiveAccuracy * row.offered) / Math.max(1, offered))],
        ["violations, of all requests", percent(sum(row => row.violations * row.offered) / Math.max(1, offered), 2)],
        ["pipelines with at most 1 % violations", `${within(0.01)} of ${rows.length}`],
        ["pipelines with at most 5 % violations", `${within(0.05)} of ${rows.length}`],
        ["cores, mean of all together", sum(row => row.cores).toFixed(0)],
        ["switches a pipeline", mean(rows.map(({ switches }) => switches)).toFixed(0)],
        ["decisions a pipeline", mean(rows.map(({ decisions }) => decisions)).toFixed(0)],
        ["median tick, middle pipeline / slowest of 100", `${tickAt(0.5)} / ${tickAt(0.99)} ms`],
      ],
    ),
  ].join("\n");
}
