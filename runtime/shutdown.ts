import type { Logger } from "pino";

export interface ShutdownStep {
  readonly name: string;
  /** It is left behind after this long. */
  readonly timeoutMs: number;
  readonly run: () => Promise<unknown> | undefined;
}

/** Whoever signals a process group, as `timeout` and `npx` do, often reaches a process twice at once. */
const SAME_SIGNAL_MS = 500;

/**
 * Calls `first` at the first SIGTERM or SIGINT. A later one ends the process at once, with 1; one within half a second is taken
 * for the same.
 */
export function onEndSignal(first: (signal: NodeJS.Signals) => void): void {
  let firstMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstMs === null) {
      firstMs = performance.now();
      first(signal);
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
}

/**
 * Runs the steps in order on SIGTERM or SIGINT and ends the process: 0 when all went well, 1 otherwise. A later signal ends it
 * at once. Returns a function that starts the same shutdown from code.
 */
export function shutdownOnSignal(steps: readonly ShutdownStep[], logger: Logger): (reason: string) => void {
  let started = false;
  const shutdown = (reason: string): void => {
    if (started) return;
    started = true;
    logger.info({ reason }, "shutting down");
    runSteps(steps, logger).then(
      failed => process.exit(failed ? 1 : 0),
      () => process.exit(1),
    );
  };
  onEndSignal(shutdown);
  return shutdown;
}

/** True when a step failed or took too long; the later ones run all the same. */
export async function runSteps(steps: readonly ShutdownStep[], logger: Logger): Promise<boolean> {
  let failed = false;
  for (const step of steps) {
    try {
      await withTimeout(step);
    } catch (error) {
      failed = true;
      logger.warn({ err: error, step: step.name }, "shutdown step failed");
    }
  }
  return failed;
}

async function withTimeout(step: ShutdownStep): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${step.timeoutMs} ms`)), step.timeoutMs);
  });
  try {
    await Promise.race([step.run(), late]);
  } finally {
    clearTimeout(timer);
  }
}
