import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { SwitcherVariant } from "./config.ts";

/** Of a session of which nothing is known: its thread, and the file twice. */
const THREAD_MIB = 16;
const FILE_FACTOR = 2;
const MIB = 1024 * 1024;

/** What a session of each variant needs. */
export class SessionMemory {
  readonly #modelFolder: string;
  readonly #measuredMiB = new Map<string, number>();

  constructor(modelFolder: string) {
    this.#modelFolder = modelFolder;
  }

  /** A load of it was seen to take this much; `atLeast`: or more, as it found memory of another one. */
  measured(variant: string, memoryMiB: number, atLeast: boolean): void {
    const knownMiB = atLeast ? (this.#measuredMiB.get(variant) ?? 0) : 0;
    this.#measuredMiB.set(variant, Math.max(knownMiB, memoryMiB));
  }

  /** What the Profile says, else what was measured here, else a guess from the file's size. */
  async neededMiB(variant: SwitcherVariant): Promise<number> {
    const known = variant.memoryMiB ?? this.#measuredMiB.get(variant.name);
    if (known !== undefined && known !== null) return known;
    // What another server holds, or nobody, is no memory of this process.
    if (variant.driver !== "onnx") return 0;
    const fileBytes = await stat(join(this.#modelFolder, variant.model)).then(
      file => file.size,
      () => 0,
    );
    return THREAD_MIB + (FILE_FACTOR * fileBytes) / MIB;
  }
}
