import { type Logger, pino } from "pino";
import { LogOutput } from "./log-output.ts";

/** Longer texts of a field are cut on a terminal; the JSON form has all of them. */
const MOST_FIELD_LENGTH = 120;
const HIDDEN_FIELDS = new Set(["level", "time", "process", "msg", "err", "pid", "hostname"]);
const CONTROLS = /\p{Cc}/gu;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

let output: LogOutput | null = null;

/** Lines of this process's log that were lost. */
export function lostLogLines(): number {
  return output?.lostLines ?? 0;
}

/** Says how the log is written: `text` for people, `json` for programs; `auto` is text where standard error is a terminal. */
export const LOG_FORMATS = ["auto", "json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Child processes write into the same log: they are told by their environment. */
const FORMAT_VARIABLE = "VARISCALE_LOG_FORMAT";

/** Chooses the format of this process's log and of those that it starts; before the first logger is created. */
export function setLogFormat(format: LogFormat, env: NodeJS.ProcessEnv): void {
  env[FORMAT_VARIABLE] = format;
}

/** Processes that nobody told write JSON, as collectors of logs expect it. */
function isText(): boolean {
  const format = process.env[FORMAT_VARIABLE];
  return format === "text" || (format === "auto" && process.stderr.isTTY);
}

/**
 * One JSON object a line on standard error, so that standard output stays the command's own, or a line for people where that was chosen. What serves goes on where its log can't be
 * written, and never waits for who reads it; where it can be written again, so does the log.
 */
export function createLogger(processName: string, level: LogLevel): Logger {
  output ??= new LogOutput(2);
  const lines = output;
  return pino(
    {
      level,
      base: { process: processName },
      messageKey: "msg",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    isText() ? { write: line => lines.write(formatLogLine(line)) } : lines,
  );
}

/** A line of the log for people: the time, what is unusual of the level, the process, the message, and fields that are short. */
export function formatLogLine(json: string): string {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return json;
  }
  const { level, time, process, msg, err } = line;
  const clock = typeof time === "string" ? time.slice(11, 19) : "";
  const mark = level === "info" ? "" : `${String(level).toUpperCase()} `;
  const error = (err as { readonly message?: unknown } | undefined)?.message;
  const fields = Object.entries(line).flatMap(([name, value]) => {
    if (HIDDEN_FIELDS.has(name) || value === null || typeof value === "object") return [];
    return [`${name}=${String(value).slice(0, MOST_FIELD_LENGTH)}`];
  });
  const said = [String(msg ?? ""), ...(error === undefined ? [] : [`(${String(error)})`]), ...fields].join(" ");
  return `${clock} ${mark}${String(process ?? "")}: ${said}`.replace(CONTROLS, " ").concat("\n");
}
