import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Environment variables with the paths that held-worker.ts looks at. */
export const LOADS = "VARISCALE_TEST_LOADS";
export const HOLD = "VARISCALE_TEST_HOLD";

/** Counts and holds the loads of held-worker.ts. */
export class HeldLoads {
  readonly #loads: string;
  readonly #hold: string;

  constructor(folder: string) {
    this.#loads = join(folder, "loads");
    this.#hold = join(folder, "hold");
    process.env[LOADS] = this.#loads;
    process.env[HOLD] = this.#hold;
    writeFileSync(this.#loads, "");
  }

  /** How many were begun. */
  get count(): number {
    return this.options.length;
  }

  /** The options that onnxruntime got for each that was begun. */
  get options(): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.#loads, "utf8").split("\n").slice(0, -1);
    return lines.map(line => JSON.parse(line) as Record<string, unknown>);
  }

  /** Lets no load end. */
  holdAll(): void {
    writeFileSync(this.#hold, "");
  }

  /** Lets all loads end but this one, from 1 on. */
  holdOnly(number: number): void {
    writeFileSync(this.#hold, String(number));
  }

  letGo(): void {
    rmSync(this.#hold, { force: true });
  }

  close(): void {
    this.letGo();
    delete process.env[LOADS];
    delete process.env[HOLD];
  }
}
