import { InvalidArgumentError, Option } from "commander";
import type { TimeLimit } from "../optimizer/effort.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../runtime/logger.ts";

/** A port; 0 is any that is free. */
export function parsePort(text: string): number {
  return parseNumber(text, 0, 65_535, true);
}

export function parseNumber(text: string, min: number, max: number, whole = false): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw new InvalidArgumentError(`must be a ${whole ? "whole " : ""}number from ${min} to ${max}.`);
  }
  return value;
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

export function logLevelOption(level: (typeof LOG_LEVELS)[number]): Option {
  return new Option("--log-level <level>", "of the log on standard error").choices(LOG_LEVELS).default(level);
}

export function logFormatOption(): Option {
  return new Option("--log-format <format>", "`auto`: lines for people where standard error is a terminal, else JSON")
    .choices(LOG_FORMATS)
    .default("auto");
}

export function setOption(): Option {
  return new Option(
    "--set <path=value>",
    "replace a field of the pipeline file, as in spec.slo.latencyMs=800; may be repeated",
  )
    .argParser(collect)
    .default([]);
}

export function speedFactorOption(): Option {
  return new Option("--speed-factor <factor>", "this machine's service time over the profiled one").argParser(text =>
    parseNumber(text, 0.01, 100),
  );
}

export function measuringJobsOption(): Option {
  return new Option(
    "--jobs <n>",
    "processes that measure accuracy, each with all models in memory (default: one for each core)",
  ).argParser(text => parseNumber(text, 1, 256, true));
}

/** An hour. */
const MOST_MS = 3_600_000;

export function timeLimitOption(what: string): Option {
  return new Option("--time-limit <ms>", what).argParser(text => parseNumber(text, 1, MOST_MS));
}

export function timeLimitOf(ms: number | undefined): TimeLimit | null {
  return ms === undefined ? null : { ms, clock: () => performance.now() };
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90s`, `15m`, `36h`, `14d`, `2w` in seconds; NaN: it is none of these. */
export function durationSeconds(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  return Number(number ?? Number.NaN) * (UNIT_SECONDS[unit] ?? Number.NaN);
}

export function parseDuration(text: string): number {
  const seconds = durationSeconds(text);
  if (!(seconds >= 1)) throw new InvalidArgumentError("must be a time as 90s, 15m, 36h or 14d.");
  return Math.round(seconds);
}

/** Several with commas. */
export function parseHorizons(text: string): readonly number[] {
  const horizons = text.split(",").map(part => parseNumber(part, 1, 3600, true));
  return [...new Set(horizons)];
}

export function parseNames(text: string): readonly string[] {
  return text.split(",").map(part => part.trim());
}

/** Of commands that serve until they are ended. */
export function readyOption(): Option {
  return new Option(
    "--output <format>",
    "of where it is reached, once it is ready: `json` is one line on standard output, `text` a line of the log",
  )
    .choices(["text", "json"])
    .default("text");
}
