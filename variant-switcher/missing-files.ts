import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { SwitcherConfig } from "./config.ts";

const LOOK_MS = 10_000;

export interface MissingFilesOptions {
  readonly config: Pick<SwitcherConfig, "modelFolder" | "variants">;
  /** Is told of a variant whose file has come. */
  readonly onFound: (variant: string) => void;
  readonly logger: Logger;
  /** How often it looks. Default 10 s. */
  readonly lookMs?: number;
}

/**
 * Which variants have no model file in the model folder. It looks again and again, as files come, and go, while the switcher runs: of packages
 * that are installed onto its volume. Only files of `onnx`: whoever serves a variant elsewhere has its files.
 */
export class MissingFiles {
  readonly #options: MissingFilesOptions;
  readonly #timer: NodeJS.Timeout;
  #variants: readonly string[] = [];
  #looking: Promise<void> | null = null;

  constructor(options: MissingFilesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookMs ?? LOOK_MS);
  }

  /** When it looked last. */
  get variants(): readonly string[] {
    return this.#variants;
  }

  /** Looks at once, or waits for the look that is on its way. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { config, logger, onFound } = this.#options;
    const before = this.#variants;
    const now: string[] = [];
    // One after the other: on a volume that does not answer each takes a thread of those that all of the process's file accesses share.
    for (const { name, driver, model } of config.variants) {
      if (driver !== "onnx") continue;
      if ((await isMissing(config.modelFolder, model)) ?? before.includes(name)) now.push(name);
    }
    this.#variants = now;
    if (now.join() !== before.join()) logger.info({ variants: now }, "variants without a model file");
    for (const name of before) if (!now.includes(name)) onFound(name);
  }
}

/** Null: that can't be told, as of a volume that does not answer. */
async function isMissing(folder: string, model: string): Promise<boolean | null> {
  try {
    return !(await stat(join(folder, model))).isFile();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    return code === "ENOENT" || code === "ENOTDIR" ? true : null;
  }
}
