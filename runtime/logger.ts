import { type Logger, pino } from "pino";
import { LogOutput } from "./log-output.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

let output: LogOutput | null = null;

/** Lines of this process's log that were lost. */
export function lostLogLines(): number {
  return output?.lostLines ?? 0;
}

/**
 * One JSON object a line on standard error, so that standard output stays the command's own. What serves goes on where its log can't be
 * written, and never waits for who reads it; where it can be written again, so does the log.
 */
export function createLogger(processName: string, level: LogLevel): Logger {
  output ??= new LogOutput(2);
  return pino(
    {
      level,
      base: { process: processName },
      messageKey: "msg",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    output,
  );
}
