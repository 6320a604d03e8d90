import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../../../runtime/version.ts";
import { programOf } from "./real-prometheus.ts";

/** The rule file of the chart. */
export const RULES = join(packageFolder, "charts/variscale/files/alerts.yaml");

/** Series by selector, one value a minute in the notation of promtool: `0+60x30`. */
export type Series = Readonly<Record<string, string>>;

export interface Promtool {
  readonly passed: boolean;
  readonly output: string;
}

export function promtool(...args: readonly string[]): Promtool {
  const { status, stdout, stderr, error } = spawnSync(programOf("promtool"), args, { encoding: "utf8" });
  if (error) throw error;
  return { passed: status === 0, output: stdout + stderr };
}

/**
 * Whether exactly these alerts fire after so many minutes of the series, by promtool's unit tests of rules.
 *
 * @param firing label sets in the notation of PromQL, without `alertstate`.
 */
export function firingAfter(minutes: number, series: Series, firing: readonly string[]): Promtool {
  const folder = mkdtempSync(join(tmpdir(), "variscale-rules-"));
  try {
    const file = join(folder, "test.yaml");
    const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
    const expected = firing.map(labels => ({ labels: `ALERTS{alertstate="firing", ${labels}}`, value: 1 }));
    const check = { expr: 'ALERTS{alertstate="firing"}', eval_time: `${minutes}m`, exp_samples: expected };
    const test = { interval: "1m", input_series: input, promql_expr_test: [check] };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "1m", tests: [test] }));
    return promtool("test", "rules", file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
