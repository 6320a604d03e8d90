import { type Logger, pino } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Destination = ReturnType<typeof pino.destination>;

/** Of lines that can't be written yet, as on a full disk or where nobody reads them; further ones are lost. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** Between attempts to write what waits. */
const RETRY_MS = 100;
/** How long a process that ends goes on trying, and how often. */
const LAST_WITHIN_MS = 2000;
const LAST_RETRY_MS = 10;

let destination: Destination | null = null;
let lost = 0;

/** Lines of this process's log that were lost. */
export function lostLogLines(): number {
  return lost;
}

/**
 * One JSON object a line on standard error, so that standard output stays the command's own. What serves goes on where its log can't be
 * written, and never waits for who reads it; where it can be written again, so does the log.
 */
export function createLogger(processName: string, level: LogLevel): Logger {
  destination ??= standardError();
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

/** Written at once, so that nothing is missing of a process that is killed; but for what a pipe has no room for. */
function standardError(): Destination {
  // Once it was looked at, Node writes to a pipe without waiting for its reader.
  process.stderr.on("error", () => undefined);
  const opened = pino.destination({ fd: 2, sync: true, maxLength: MOST_WAITING_BYTES, retryEAGAIN: () => false });
  // pino's own listener ends the log for ever once its reader is gone; another one may come.
  opened.removeAllListeners("error");
  let problem = "";
  let isRetrying = false;
  const writeWaiting = (): void => {
    isRetrying = false;
    problem = "";
    opened.write("");
  };
  opened.on("error", (error: NodeJS.ErrnoException) => {
    problem = error.code ?? "";
    if (!isRetrying) setTimeout(writeWaiting, RETRY_MS).unref();
    isRetrying = true;
  });
  opened.on("drop", () => {
    lost += 1;
  });
  process.on("exit", () => {
    const endMs = performance.now() + LAST_WITHIN_MS;
    for (writeWaiting(); problem === "EAGAIN" && performance.now() < endMs; writeWaiting()) pause();
  });
  return opened;
}

/** A process that exits has no timers any more. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_RETRY_MS);
}
