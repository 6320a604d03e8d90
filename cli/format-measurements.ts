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
    const dominated = dominatedVariants(measuredVariants(stage, profiles, measurements.accuracy));
    return Object.entries(profiles).map(([variant, { loadMs, memoryMiB, points, switch: switched }]) => {
      const accuracy = measurements.accuracy?.stages?.[stage]?.[variant]?.accuracy ?? Number.NaN;
      return [
        stage,
        variant,
        percent(accuracy),
        (loadMs ?? 0).toFixed(0),
        switched?.coldMs.toFixed(0) ?? "–",
        switched?.residentMs?.toFixed(1) ?? "–",
        memoryMiB?.toFixed(0) ?? "–",
        byBatch(points, ({ latencyMs }) => latencyMs.toFixed(latencyMs < 1 ? 3 : 1)),
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
      ["stage", "variant", "accuracy", "load ms", "switch ms", "resident", "memory MiB", "service ms by batch", ""],
      variants,
      [0, 1, 7, 8],
    ),
    formatTable(
      ["stage", "variant", "cores", "line", "off by", "rows/s by batch"],
      linesOf(measurements),
      [0, 1, 3, 5],
    ),
  ];
  const rows = Object.entries(measurements.fanOut ?? {}).map(rowsText);
  if (rows.length > 0) tables.push(rows.join("\n"));
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

/** How many rows a stage has. */
function rowsText([stage, fanOut]: readonly [string, FanOut]): string {
  if ("rowsPerRequest" in fanOut) return `rows of ${stage} for each request: ${fanOut.rowsPerRequest}`;
  const means = Object.entries(fanOut.rowsByVariant).map(([variant, rows]) => `${rows} after ${variant}`);
  return `rows of ${stage} for each row of ${fanOut.upstream}: ${means.join(", ")}`;
}

type FanOut = NonNullable<MeasurementsInput["fanOut"]>[string];

function byText(better: string | undefined): string {
  return better === undefined ? "" : `dominated by ${better}`;
}

/** Of each variant, on each number of cores: service time as a line, how far that is off at worst, and throughput. */
function linesOf({ stages }: MeasurementsInput): string[][] {
  return Object.entries(stages).flatMap(([stage, profiles]) =>
    Object.entries(profiles).flatMap(([variant, profile]) =>
      [profile, ...(profile.otherCores ?? [])].map(({ cores, points, fit }) => [
        stage,
        variant,
        String(cores),
        fit
          ? `${fit.fixedMs.toFixed(2)} ms ${fit.rowMs < 0 ? "−" : "+"} ${Math.abs(fit.rowMs).toFixed(3)} ms × rows`
          : "–",
        percent(fit?.largestResidual ?? Number.NaN),
        byBatch(points, ({ batch, latencyMs }) => String(Number(((1000 * batch) / latencyMs).toPrecision(3)))),
      ]),
    ),
  );
}

type Points = MeasurementsInput["stages"][string][string]["points"];

function byBatch(points: Points, textOf: (point: Points[number]) => string): string {
  return points.map(point => `${point.batch}: ${textOf(point)}`).join("  ");
}
