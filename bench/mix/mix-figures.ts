import { seededRandom } from "../../load/seeded-random.ts";
import { type Figure, figure } from "../figure.ts";
import { predictMix } from "./predict-mix.ts";
import { createRandomStage, type RandomStage } from "./random-stage.ts";
import { simulateStage } from "./simulated-stage.ts";

const [STAGES, SHORT_STAGES] = [400, 20];
const CALLS = 20_000;
const SEED = 1;

export interface ComparedMix {
  readonly stage: RandomStage;
  /** Predicted accuracy less the simulated one, in points. */
  readonly errorPoints: number;
  readonly predictedMs: number;
}

/** Predicts the mixes of random stages, and simulates them. */
export function compareMixes(stages: number, seed: number): readonly ComparedMix[] {
  const random = seededRandom(seed);
  return Array.from({ length: stages }, (_, i) => {
    const stage = createRandomStage(random);
    const startMs = performance.now();
    const predicted = predictMix(stage);
    const predictedMs = performance.now() - startMs;
    const simulated = simulateStage(stage, CALLS, seed + i);
    const read = (shares: readonly number[]): number =>
      shares.reduce((sum, share, place) => sum + share * (stage.accuracies[place] as number), 0);
    return { stage, errorPoints: 100 * (read(predicted.shares) - read(simulated.shares)), predictedMs };
  });
}

/** How well the model of the mix foresees what serves, against simulations by the switchers' own rule. */
export function measureMixes(isShort: boolean): Figure[] {
  const compared = compareMixes(isShort ? SHORT_STAGES : STAGES, SEED);
  const note = `${compared.length} random stages of 1 to 10 replicas and 2 to 4 rungs, up to 0.93 of what the floor carries, ${CALLS} calls each`;
  const errors = compared.map(({ errorPoints }) => Math.abs(errorPoints));
  const round = (value: number): number => Number(value.toPrecision(3));
  return [
    figure("mix.accuracyError95", round(readQuantile(errors, 0.95)), {
      against: {
        median: round(readQuantile(errors, 0.5)),
        worst: round(Math.max(...errors)),
        predictMs: round(
          readQuantile(
            compared.map(({ predictedMs }) => predictedMs),
            0.5,
          ),
        ),
        mean: round(compared.reduce((sum, { errorPoints }) => sum + errorPoints, 0) / compared.length),
      },
      isWhole: !isShort,
      note: `95 % of the stages are predicted so well, in \`predictMs\` at the median; ${note}`,
    }),
  ];
}

function readQuantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
