import { bootstrapMean } from "../agent/bootstrap.ts";
import { DEFAULT_LIMITS } from "../agent/limits.ts";
import { tuneInSimulator } from "../cli/agent/tune-in-simulator.ts";
import { measuredPart } from "../cli/simulate/measured-part.ts";
import { seededRandom } from "../load/seeded-random.ts";
import { readPipeline } from "../runtime/read-pipeline.ts";
import { type Figure, figure } from "./figure.ts";

const PIPELINES = ["id-card"];
const WHOLE = { training: 8, unseen: 16, length: 600 };
const SHORT = { training: 2, unseen: 2, length: 120 };

/**
 * A search over forecast quantile and weights is judged on loads that it has not seen: the figure is its gain over the defaults, in percent of
 * their utility by the pipeline's own objective. Where the training loads show no gain beyond chance the defaults stay, and the gain is nought.
 */
export async function agentGain(): Promise<Figure> {
  const isShort = process.argv.includes("--short");
  const size = isShort ? SHORT : WHOLE;
  const limits = { ...DEFAULT_LIMITS, leastQuantile: 0.5 };
  const gains: number[] = [];
  const texts: string[] = [];
  for (const name of PIPELINES) {
    const pipeline = measuredPart(readPipeline(`pipelines/${name}`), name).pipeline;
    const tuned = await tuneInSimulator(pipeline, {
      ...size,
      limits,
      rps: null,
      jobs: null,
      onProgress: () => undefined,
    });
    const percent = 100 / Math.abs(tuned.ofDefault.utility);
    gains.push(...tuned.gains.map(gain => (tuned.isTaken ? percent * gain : 0)));
    const { low, high, mean } = tuned.unseen;
    const found = tuned.best
      ? `quantile ${tuned.best.forecastQuantile}, core × ${round((tuned.best.weights?.cost ?? 0) / pipeline.objective.weights.cost)}, switch × ${round((tuned.best.weights?.switch ?? 0) / pipeline.objective.weights.switch)}`
      : "nothing";
    texts.push(
      `${name} at ${round(tuned.rps)} rps: ${found}, ${tuned.isTaken ? "taken" : "not taken"} (on training loads ${round(percent * tuned.trained.mean)} %, from ${round(percent * tuned.trained.low)}); on unseen loads ${round(percent * mean)} % (${round(percent * low)} to ${round(percent * high)}), SLO missed by ${round(100 * tuned.ofBest.violations)} % of requests against ${round(100 * tuned.ofDefault.violations)} %`,
    );
  }
  const { mean, low, high } = bootstrapMean(gains, seededRandom(1));
  return figure("agent.gain", round(mean), {
    against: { low: round(low), high: round(high), loads: gains.length },
    note: `successive halving over 24 settings on ${size.training} generated loads of ${size.length} s, scored on ${size.unseen} others of each pipeline with the same seeds, 95 % by bootstrap; ${texts.join("; ")}`,
    isWhole: !isShort,
  });
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
