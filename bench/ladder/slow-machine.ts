/** The part `slow`: requests that are late or dropped where every batch takes longer than was measured, from the start of a run on. */

import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import { runAll } from "../../cli/simulate/run-all.ts";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { SLOWER } from "../../simulator/faults.ts";
import { ownCase } from "../experiments/e2-own-pipelines.ts";
import { WARM_UP_SECONDS } from "../experiments/ipa-loads.ts";
import { fittedLoad, ownPipeline } from "../experiments/own-pipelines.ts";
import { type Figure, figure } from "../figure.ts";
import { rounded } from "../samples.ts";
import { say } from "./player.ts";
import { cutBusiest, PAST_SECONDS, PRODUCT, SEED } from "./simulated.ts";

const KINDS = ["steady", "web", "mmpp"] as const;
/** Requests that are late before the plan has followed do not count. */
const FIRST_SECONDS = 60;

export interface SlowMachineOptions {
  readonly pipelines: readonly string[];
  /** One pipeline alone. */
  readonly isShort: boolean;
}

/** The share of late or dropped requests after the first minute, in percent, worst over our pipelines and loads; beside it the share as measured. */
export async function measureSlowMachine({ pipelines, isShort }: SlowMachineOptions): Promise<Figure[]> {
  const cells: Record<string, { readonly slow: number; readonly asMeasured: number }> = {};
  for (const name of isShort ? pipelines.slice(0, 1) : pipelines) {
    const cases: SimulationCase[] = [];
    for (const kind of KINDS) {
      const generated = {
        name: kind,
        ...cutBusiest(generateLoad(LOAD_KINDS[kind], PAST_SECONDS, SEED)),
        past: NO_PAST,
      };
      const given = ownCase(ownPipeline(name), await fittedLoad(ownPipeline(name), generated, SEED), PRODUCT, SEED);
      const seconds = given.load.ratesRps.length - WARM_UP_SECONDS;
      cases.push(given, { ...given, faults: [{ kind: "slowMachine", fromSecond: 0, seconds }] });
    }
    const shares: number[] = [];
    await runAll(cases, null, () => undefined, {
      onResult: (at, { timeline }) => {
        const counted = timeline.filter(({ fromSecond }) => fromSecond >= FIRST_SECONDS);
        const offered = counted.reduce((sum, { offeredRps }) => sum + offeredRps, 0);
        const missed = counted.reduce((sum, { offeredRps, violations }) => sum + offeredRps * (violations ?? 0), 0);
        shares[at] = rounded((100 * missed) / offered);
      },
    });
    for (const [at, kind] of KINDS.entries()) {
      const [asMeasured = Number.NaN, slow = Number.NaN] = shares.slice(2 * at);
      cells[`${name}/${kind}`] = { slow, asMeasured };
      say(`${name}/${kind}: ${slow} % late or dropped, ${asMeasured} % where all is as measured`);
    }
  }
  const worst = Math.max(...Object.values(cells).map(({ slow }) => slow));
  return [
    figure("ladder.slow.missedPercent", worst, {
      against: Object.fromEntries(
        Object.entries(cells).map(([name, { asMeasured }]) => [`${name} as measured`, asMeasured]),
      ),
      note: `requests that were late, dropped or lost after the first minute, where every batch takes ${SLOWER} times as long as measured: worst of ${Object.keys(cells).length} cells of 20 minutes (${Object.entries(
        cells,
      )
        .map(([name, { slow }]) => `${name} ${slow}`)
        .join(", ")})`,
    }),
  ];
}
