import { number, percent } from "../explanation/number-text.ts";
import { type Point, peaksThatCame } from "./history.ts";
import type { ExplainedDecision, LiveView, PipelineColumn } from "./live-view.ts";
import type { Look } from "./looks.ts";

/** One for each point; null: not known. */
type Values = readonly (number | null)[];

export interface Line {
  readonly name: string;
  readonly look: Look;
  readonly values: Values;
  /** Holds until the next point, instead of leading to it. */
  readonly isStepped?: boolean;
}

/** What a chart of time shows. */
export interface Drawing {
  readonly title: string;
  /** Pixels, without the names of its lines. */
  readonly height: number;
  readonly lines: readonly Line[];
  readonly band?: { readonly name: string; readonly low: Values; readonly high: Values };
  /** What has no time, such as the SLO. */
  readonly level?: { readonly name: string; readonly value: number };
  /** True: the axis starts at 0. */
  readonly fromZero: boolean;
  readonly format: (value: number) => string;
}

/** Load with the band of its forecasts, and the rate that was planned for. */
export function loadDrawing(points: readonly Point[]): Drawing {
  return {
    title: "requests per second",
    height: 190,
    band: {
      name: "forecast of the highest second ahead, median to 99 %",
      low: column(points, "peakP50Rps"),
      high: column(points, "peakP99Rps"),
    },
    lines: [
      { name: "load", look: "one", values: column(points, "loadRps") },
      { name: "highest second that came", look: "two", values: peaksThatCame(points) },
      { name: "planned for", look: "three", values: column(points, "planRps"), isStepped: true },
    ],
    fromZero: true,
    format: number,
  };
}

export function accuracyDrawing(points: readonly Point[]): Drawing {
  const estimated = column(points, "estimatedAccuracy");
  const served = column(points, "servedAccuracy");
  const isServedKnown = served.some(share => share !== null);
  const isEstimated = estimated.some(share => share !== null);
  return {
    title: "accuracy planned and served, and share of requests that were answered in time",
    height: 105,
    lines: [
      { name: "planned", look: "one", values: column(points, "accuracy"), isStepped: true },
      { name: "right and in time", look: "three", values: column(points, "effectiveAccuracy"), isStepped: true },
      ...(isServedKnown ? [{ name: "of what is served", look: "five", values: served, isStepped: true } as const] : []),
      ...(isEstimated ? [{ name: "of late, as answers show", look: "four", values: estimated } as const] : []),
      { name: "measured: in time", look: "two", values: column(points, "inTime") },
    ],
    fromZero: false,
    format: percent,
  };
}

/** @param explained the newest decision that was explained; null: none was yet. */
export function coresDrawing(points: readonly Point[], explained: ExplainedDecision | null): Drawing {
  const heaviest = explained?.analysis.heaviest;
  return {
    title: "cores of the plan",
    height: 105,
    lines: [{ name: "plan", look: "one", values: column(points, "cores"), isStepped: true }],
    ...(heaviest?.feasible && { level: { name: "with the heaviest variants, now", value: heaviest.cores } }),
    fromZero: true,
    format: number,
  };
}

export function latencyDrawing(points: readonly Point[], { slo }: LiveView): Drawing {
  return {
    title: `milliseconds; the plan is for ${percent(slo.quantile)} of requests`,
    height: 105,
    lines: [
      { name: "99 % measured in a minute", look: "one", values: column(points, "p99Ms") },
      { name: "predicted", look: "three", values: column(points, "latencyMs"), isStepped: true },
    ],
    level: { name: "SLO", value: slo.latencyMs },
    fromZero: true,
    format: number,
  };
}

function column(points: readonly Point[], name: PipelineColumn): Values {
  return points.map(point => point.values[name]);
}
