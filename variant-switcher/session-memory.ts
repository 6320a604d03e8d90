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

  /** A load has ended, before which the process had so much. */
  async measureLoad(
    variant: SwitcherVariant,
    { beforeMiB, fileMiB, isInSpare }: { beforeMiB: number; fileMiB: number; isInSpare: boolean },
  ): Promise<void> {
    // While it loaded there was the file beside what the runtime made of it.
    const loadMiB = Math.max(process.memoryUsage.rss() / MIB - beforeMiB, fileMiB) + fileMiB;
    if (isInSpare) await this.measuredInSpare(variant, loadMiB);
    else if (variant.driver === "onnx") this.measured(variant.name, loadMiB);
  }

  /** A load of it was seen to take this much at most. */
  measured(variant: string, memoryMiB: number): void {
    this.#measuredMiB.set(variant, memoryMiB);
  }

  /** A load was seen to take this much beside memory that was there from another session: it may take more, so what is known stands. */
  async measuredInSpare(variant: SwitcherVariant, memoryMiB: number): Promise<void> {
    if (this.#measuredMiB.has(variant.name)) return;
    const guessedMiB = await this.neededMiB(variant);
    this.measured(variant.name, Math.max(memoryMiB, guessedMiB));
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
