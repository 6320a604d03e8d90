import type { Server } from "node:net";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** The option or member of the configuration by which users choose another port, where there is one. */
  readonly portOption?: string;
  readonly logger: Logger;
}

/**
 * Lets a server listen: HTTP, TLS or plain TCP. What goes wrong with its port later, as no descriptor being left for a connection, is logged: the
 * server goes on.
 *
 * @throws failed_precondition for a port that is taken.
 */
export function listen(server: Server, options: ListenOptions): Promise<void> {
  const { host, port, portOption, logger } = options;
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      const other = portOption === undefined ? "choose another one" : `choose another one by ${portOption}`;
      const message = `cannot listen on ${host}:${port}: ${error.message}. Free the port, or ${other}.`;
      reject(new VariscaleError("failed_precondition", message, { cause: error }));
    };
    server.once("error", refuse);
    server.listen(port, host, () => {
      server.off("error", refuse);
      server.on("error", error => logger.error({ err: error, host, port }, "a port can't take a connection"));
      resolve();
    });
  });
}
