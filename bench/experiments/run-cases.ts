import { runAll } from "../../cli/simulate/run-all.ts";
import type { ExperimentCase } from "./e1-cells.ts";
import type { ExperimentRow } from "./report-parts.ts";

/** Runs cases on all cores, and says how far it is. */
export async function rowsOf(
  name: string,
  cases: readonly ExperimentCase[],
  note: string,
): Promise<readonly ExperimentRow[]> {
  process.stderr.write(`${name}: ${cases.length} simulations; ${note}\n`);
  let said = 0;
  const results = await runAll(
    cases.map(({ given }) => given),
    null,
    share => {
      if (share < said + 0.05) return;
      said = Math.floor(20 * share) / 20;
      process.stderr.write(`${name}: ${Math.round(100 * said)} %\n`);
    },
  );
  return results.map(({ summary, tickP50Ms, timeline }, i) => ({
    ...(cases[i] as ExperimentCase).cell,
    ...summary,
    tickMs: tickP50Ms,
    timeline,
  }));
}
