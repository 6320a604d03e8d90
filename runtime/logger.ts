import { type Logger, pino } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Of lines that wait for room on a full disk; further ones are lost. */
const MOST_WAITING_BYTES = 1024 * 1024;

/**
 * One JSON object a line on standard error, so that standard output stays the command's own. What serves goes on where its log can't be
 * written; where it can be again, so does the log.
 */
export function createLogger(processName: string, level: LogLevel): Logger {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: MOST_WAITING_BYTES });
  destination.on("error", () => undefined);
  return pino(
    {
      level,
      base: { process: processName },
      messageKey: "msg",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  );
}
