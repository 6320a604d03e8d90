import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";

/** One measured number against the bar that it must meet. */
export interface Figure {
  readonly name: string;
  /** Null: it could not be measured; `note` says why. */
  readonly value: number | null;
  readonly unit: string;
  readonly bar: number;
  readonly direction: "atMost" | "atLeast";
  readonly holds: boolean;
  /** It is false where what was measured ended or failed on the way, or was too little to count. */
  readonly isWhole?: boolean;
  /** The peer or limit that was measured in the same run. */
  readonly against?: Readonly<Record<string, number>>;
  readonly note?: string;
}

interface Bar {
  readonly bar: number;
  readonly direction: Figure["direction"];
  readonly unit: string;
}

const bars = JSON.parse(readFileSync(join(packageFolder, "bench", "bars.json"), "utf8")) as Record<string, Bar>;

/** Holds a measured value against its bar in bars.json; throws where there is none of that name. */
export function figure(
  name: string,
  value: number | null,
  more: { readonly against?: Figure["against"]; readonly note?: string; readonly isWhole?: boolean } = {},
): Figure {
  const found = bars[name];
  if (!found) throw new Error(`bench/bars.json has no bar for ${name}`);
  const { bar, direction, unit } = found;
  const { isWhole = true, against, note } = more;
  const meets = value !== null && (direction === "atMost" ? value <= bar : value >= bar);
  return {
    name,
    value,
    unit,
    bar,
    direction,
    holds: meets && isWhole,
    ...(isWhole ? {} : { isWhole }),
    ...(against === undefined ? {} : { against }),
    ...(note === undefined ? {} : { note }),
  };
}

/**
 * Whether a run succeeds with this figure. Where bars are only reported, as on a shared machine, whose times and memory say little, it still has to be
 * measured to its end.
 */
export function passes({ value, holds, isWhole = true }: Figure, onlyReportsBars: boolean): boolean {
  return onlyReportsBars ? value !== null && isWhole : holds;
}
