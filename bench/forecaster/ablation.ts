import { contestantsOf } from "../../cli/backtest/contestants.ts";
import { runBacktest } from "../../cli/backtest/run-backtest.ts";
import { generateLoad, type LoadSpec } from "../../load/generate-load.ts";
import { LOAD_KINDS, mixedLoad } from "../../load/load-kinds.ts";
import { ALL_EXPERTS, EXPERTS } from "../../predictor/experts.ts";
import { scoresOf } from "../../predictor/scores.ts";
import { HORIZONS_SECONDS } from "../../predictor/target-forecaster.ts";

const DAY = 86_400;
/** Three to learn seasons from, one to test. */
const DAYS = 4;
const MIXED_SEEDS = [1, 2, 3];
const STRIDE_SECONDS = 10;

/** What one change of the experts does to the loss of the 0.95 quantile. */
export interface Ablation {
  readonly change: string;
  /** Geometric mean over the loads of the loss over that of the production set, by horizon. */
  readonly ratios: readonly number[];
}

/**
 * Leaves each expert out of the hedge, and adds each of those that are for comparison, on generated loads of every kind. The network is
 * not among them: it was trained on such loads.
 */
export async function ablations(onLoad: (name: string) => void): Promise<readonly Ablation[]> {
  const production = EXPERTS.map(({ name }) => name);
  const others = ALL_EXPERTS.map(({ name }) => name).filter(name => !production.includes(name));
  const changes = [
    ...production.map(name => ({ change: `without \`${name}\``, names: production.filter(other => other !== name) })),
    ...others.map(name => ({ change: `with \`${name}\``, names: [...production, name] })),
  ];
  const loads: readonly (readonly [name: string, spec: LoadSpec, seed: number])[] = [
    ...Object.entries(LOAD_KINDS).map(([name, spec]) => [name, spec, 1] as const),
    ...MIXED_SEEDS.map(seed => [`mixed ${seed}`, mixedLoad(seed), seed] as const),
  ];
  const logs = changes.map(() => HORIZONS_SECONDS.map(() => 0));
  for (const [name, spec, seed] of loads) {
    onLoad(name);
    const trace = generateLoad(spec, DAYS * DAY, seed);
    const testFromSecond = (DAYS - 1) * DAY;
    const contestants = await contestantsOf({
      names: [production.join("+"), ...changes.map(({ names }) => names.join("+"))],
      horizonsSeconds: HORIZONS_SECONDS,
      trace,
      testFromSecond,
      onTraining: () => undefined,
    });
    const span = { testFromSecond, testToSecond: DAYS * DAY, strideSeconds: STRIDE_SECONDS };
    const { results } = runBacktest({ trace, contestants, ...span }, () => undefined);
    const lossOf = (names: readonly string[], horizonSeconds: number): number => {
      const found = results.find(one => one.name === names.join("+") && one.horizonSeconds === horizonSeconds);
      return (found && scoresOf(found.outcomes)?.pinball95) ?? Number.NaN;
    };
    for (const [c, { names }] of changes.entries())
      for (const [h, horizonSeconds] of HORIZONS_SECONDS.entries()) {
        const row = logs[c];
        if (row) row[h] = (row[h] ?? 0) + Math.log(lossOf(names, horizonSeconds) / lossOf(production, horizonSeconds));
      }
  }
  return changes.map(({ change }, c) => ({ change, ratios: (logs[c] ?? []).map(sum => Math.exp(sum / loads.length)) }));
}
