import { createRung, type Rung, rowsMs } from "../../domain/serving/ladder.ts";
import type { ServedStage } from "./predict-mix.ts";

const BATCHES = [1, 2, 4, 8, 16];
const ROWS = [1, 1, 1, 2, 3];
const REPLICAS = [1, 1, 2, 3, 5, 10];

export interface RandomStage extends ServedStage {
  /** The accuracy of each rung. */
  readonly accuracies: readonly number[];
  /** Calls over what the floor carries. */
  readonly load: number;
}

/** A stage of two to four rungs, each 1.3 to 3 times as long as the next one, from hardly any load to 0.93 of what the floor carries. */
export function createRandomStage(random: () => number): RandomStage {
  const choose = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const count = 2 + Math.floor(random() * 3);
  const maxBatch = choose(BATCHES);
  const rungs: Rung[] = [];
  let [batchMs, rowMs] = [1 + 3 * random(), 0.1 + 2 * random()];
  for (let place = count - 1; place >= 0; place -= 1) {
    const points = BATCHES.map(batch => ({ batch, latencyMs: batchMs + rowMs * batch }));
    rungs.unshift(createRung(`rung-${place}`, { points }, maxBatch));
    const longer = 1.3 + 1.7 * random();
    batchMs *= longer;
    rowMs *= longer;
  }
  const rowsPerCall = Math.min(maxBatch, choose(ROWS));
  const replicas = choose(REPLICAS);
  const softMs = rowsMs(rungs[0] as Rung, rowsPerCall) * (1.05 + 4 * random());
  const floorMs = rowsMs(rungs.at(-1) as Rung, maxBatch);
  const load = 0.03 + 0.9 * random();
  return {
    rungs,
    rowsPerCall,
    replicas,
    softMs,
    hardMs: 1.33 * softMs,
    callsPerMs: (load * replicas * maxBatch) / floorMs / rowsPerCall,
    accuracies: rungs.map((_rung, place) => 0.9 - (0.25 * place) / count),
    load,
  };
}
