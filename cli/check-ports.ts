import { once } from "node:events";
import { createServer } from "node:net";
import { VariscaleError } from "../domain/errors.ts";

/** One port that a command is about to listen on, and the option that chooses it. */
export interface WantedPort {
  readonly option: string;
  readonly host: string;
  /** 0 is any that is free, so that there is nothing to check. */
  readonly port: number;
}

/**
 * Finds out before anything is started whether the ports can be had, so that the message can name the option that chooses another one.
 *
 * @throws VariscaleError failed_precondition for the first one that can't.
 */
export async function checkPorts(wanted: readonly WantedPort[]): Promise<void> {
  for (const { option, host, port } of wanted) {
    if (port === 0) continue;
    const server = createServer();
    try {
      const listening = once(server, "listening");
      server.listen(port, host);
      await listening;
    } catch (error) {
      const message = VariscaleError.from(error).message;
      throw new VariscaleError(
        "failed_precondition",
        `cannot listen on ${host}:${port}: ${message}. Free the port, or choose another one by ${option}; ${option} 0 takes any that is free.`,
        { cause: error },
      );
    }
    server.close();
    await once(server, "close");
  }
}
