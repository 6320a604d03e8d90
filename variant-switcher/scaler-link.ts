import type { Registry } from "prom-client";
import { VariscaleError } from "../domain/errors.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import type { Follow, FollowOptions } from "./follow.ts";

/** How long until certificates that can't be used are looked at again. */
const RETRY_MS = 5000;

export interface ScalerLinkOptions extends Omit<FollowOptions, "tls"> {
  readonly registry: Registry;
  /** Default 5,000. */
  readonly retryMs?: number;
}

/**
 * The way to the scaler: plaintext, or with the certificates in `tlsFolder`. While these can't be used there is no scaler, and the
 * switcher serves all the same. gRPC is loaded here first, so a switcher without a scaler does without.
 */
export class ScalerLink {
  readonly #options: ScalerLinkOptions;
  #tls: TlsFolder | null = null;
  #follow: Follow | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ScalerLinkOptions) {
    this.#options = options;
    this.#open();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#follow?.close();
    this.#tls?.close();
  }

  #open(): void {
    this.#start().catch((error: unknown) => {
      const { logger, retryMs = RETRY_MS } = this.#options;
      logger.error(
        { code: VariscaleError.from(error).code },
        `no way to the scaler: ${VariscaleError.from(error).message}`,
      );
      if (!this.#closed) this.#timer = setTimeout(() => this.#open(), retryMs);
    });
  }

  async #start(): Promise<void> {
    const { config, logger, registry } = this.#options;
    if (config.tlsFolder !== null) {
      const { TlsFolder } = await import("../runtime/tls-folder.ts");
      const { addTlsMetrics } = await import("../runtime/tls-metrics.ts");
      this.#tls = await TlsFolder.open({ folder: config.tlsFolder, logger });
      addTlsMetrics(registry, this.#tls);
    }
    const { Follow } = await import("./follow.ts");
    if (this.#closed) this.#tls?.close();
    else this.#follow = new Follow({ ...this.#options, tls: this.#tls });
  }
}
