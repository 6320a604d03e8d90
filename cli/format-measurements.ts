import { dominatedVariants, measuredVariants } from "../domain/dominated-variants.ts";
import type { MeasurementsInput } from "../domain/profile-schema.ts";
import { stageErrorTable } from "../explanation/accuracy-tables.ts";
import { percent } from "../explanation/number-text.ts";
import { noisyPoint } from "../profiler/noise-text.ts";
import { formatTable } from "./format-table.ts";

/**
 * What `variscale profile` measured, as tables: variants, combinations of them, and how errors of stages hang together. A variant that
 * another one dominates says so.
 */
export function formatMeasurements(measurements: MeasurementsInput): string {
  const variants = Object.entries(measurements.stages).flatMap(([stage, profiles]) => {
    const dominated = dominatedVariants(measuredVariants(profiles, measurements.accuracy?.stages?.[stage]));
    return Object.entries(profiles).map(([variant, profile]) => {
      const accuracy = measurements.accuracy?.stages?.[stage]?.[variant]?.accuracy ?? Number.NaN;
      const times = profile.points.map(point => `${point.batch}: ${point.latencyMs.toFixed(1)}`).join("  ");
      return [
        stage,
        variant,
        percent(accuracy),
        (profile.loadMs ?? 0).toFixed(0),
        profile.memoryMiB?.toFixed(0) ?? "–",
        times,
        byText(dominated.find(({ name }) => name === variant)?.by),
      ];
    });
  });
  const combinations = (measurements.accuracy?.combinations ?? []).map(combination => [
    Object.values(combination.variants).join(" → "),
    percent(combination.accuracy),
    combination.interval ? `${percent(combination.interval[0])} to ${percent(combination.interval[1])}` : "",
    percent(combination.partAccuracy ?? Number.NaN),
    String(combination.items ?? ""),
  ]);
  const tables = [
    formatTable(
      ["stage", "variant", "accuracy", "load ms", "memory MiB", "service ms by batch", ""],
      variants,
      [0, 1, 5, 6],
    ),
  ];
  if (combinations.length > 0)
    tables.push(formatTable(["variants", "accuracy", "95 % interval", "of parts", "items"], combinations, [0]));
  if (measurements.accuracy?.received?.some(({ before }) => before)) {
    const { header, lines } = stageErrorTable(measurements.accuracy);
    tables.push(formatTable(header, lines, [0]));
  }
  const noise = (measurements.noise ?? []).map(noisyPoint);
  if (noise.length > 0) tables.push(`too noisy, written all the same: ${noise.join(", ")}`);
  return tables.join("\n\n");
}

function byText(better: string | undefined): string {
  return better === undefined ? "" : `dominated by ${better}`;
}
