import type { Server } from "node:net";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";

/** A port that takes no connections may say so thousands of times a second. */
const LOG_EVERY_MS = 60_000;

export interface ListenOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** The option or member of the configuration by which users choose another port, where there is one. */
  readonly portOption?: string;
  readonly logger: Logger;
  /** Shorter in tests. */
  readonly logEveryMs?: number;
}

/**
 * Lets a server listen: HTTP, TLS or plain TCP. What goes wrong with its port later, as no descriptor being left for a connection, is logged: the
 * server goes on.
 *
 * @throws failed_precondition for a port that is taken.
 */
export function listen(server: Server, options: ListenOptions): Promise<void> {
  const { host, port, portOption } = options;
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      const other = portOption === undefined ? "choose another one" : `choose another one by ${portOption}`;
      const message = `cannot listen on ${host}:${port}: ${error.message}. Free the port, or ${other}.`;
      reject(new VariscaleError("failed_precondition", message, { cause: error }));
    };
    server.once("error", refuse);
    server.listen(port, host, () => {
      server.off("error", refuse);
      logErrors(server, options);
      resolve();
    });
  });
}

/** Logs the first error at once, and then at most one line a minute, with the number of those that came since the line before. */
function logErrors(server: Server, { host, port, logger, logEveryMs = LOG_EVERY_MS }: ListenOptions): void {
  let newest: Error | null = null;
  let count = 0;
  let isQuiet = false;
  const log = (): void => {
    isQuiet = newest !== null;
    if (newest === null) return;
    logger.error({ err: newest, host, port, count }, "a port can't take connections");
    newest = null;
    count = 0;
    setTimeout(log, logEveryMs).unref();
  };
  server.on("error", error => {
    newest = error;
    count += 1;
    if (!isQuiet) log();
  });
}
