import { runAll } from "../../cli/simulate/run-all.ts";
import type { ExperimentCase } from "./e1-cells.ts";
import type { KeptRows } from "./kept-rows.ts";
import type { ExperimentRow } from "./report-parts.ts";

/** Runs cases on all cores, but for those that are kept, and says how far it is; what is done is kept at once. In the order of the cases. */
export async function rowsOf(
  name: string,
  cases: readonly ExperimentCase[],
  note: string,
  kept: KeptRows,
): Promise<readonly ExperimentRow[]> {
  const rows = cases.map(({ cell, given }) => {
    const row = kept.of(given);
    return row && { ...row, ...cell };
  });
  const open = cases.flatMap((one, i) => (rows[i] ? [] : [{ ...one, i }]));
  const known = open.length < cases.length ? `, ${cases.length - open.length} of them kept from before` : "";
  process.stderr.write(`${name}: ${cases.length} simulations${known}; ${note}\n`);
  let said = 0;
  await runAll(
    open.map(({ given }) => given),
    null,
    share => {
      if (share < said + 0.05) return;
      said = Math.floor(20 * share) / 20;
      process.stderr.write(`${name}: ${Math.round(100 * said)} %\n`);
    },
    {
      onResult: (at, { summary, tickP50Ms, timeline }) => {
        const { cell, given, i } = open[at] as (typeof open)[number];
        const row = { ...cell, ...summary, tickMs: tickP50Ms, timeline };
        rows[i] = row;
        kept.keep(given, row);
      },
    },
  );
  return rows as readonly ExperimentRow[];
}
