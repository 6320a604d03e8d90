import { createHash } from "node:crypto";
import { rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Pipeline } from "../domain/pipeline.ts";
import type { SwitchTimes } from "../domain/profile-schema.ts";
import { readState, writeState } from "../runtime/state-file.ts";
import type { ItemResult } from "./item-result.ts";
import type { Machine } from "./machine.ts";
import type { Overhead } from "./measure-overhead.ts";
import type { VariantVisit } from "./visit-variant.ts";

/** Raised when Content changes. */
const LAYOUT = 11;

interface Content {
  /** Of machine and pipeline: what another one measured is of no use. */
  readonly key: string;
  /** By stage/variant, where they are not the stage's by cores, and by how long each batch size is run. */
  readonly visits: Record<string, readonly VariantVisit[]>;
  /** When the last visit ended, by the same. */
  readonly visitedMs: Record<string, number>;
  /** By stage/variant; null: there is nothing to switch from. */
  readonly switches: Record<string, SwitchTimes | null>;
  /** By `itemKey`. */
  items: Record<string, ItemResult>;
  overhead: Overhead | null;
}

/** What an unfinished run has measured, so that the next one goes on from there. */
export class ProfileCache {
  readonly #file: string | null;
  readonly #content: Content;
  readonly #nowMs: () => number;

  private constructor(file: string | null, content: Content, nowMs: () => number) {
    this.#file = file;
    this.#content = content;
    this.#nowMs = nowMs;
  }

  /**
   * @param file null: nothing is kept. What another machine or other models gave is not used, nor is a damaged file.
   * @throws failed_precondition when the file is there but can't be read.
   */
  static open(file: string | null, pipeline: Pipeline, machine: Machine, nowMs: () => number): ProfileCache {
    const key = keyOf(pipeline, machine);
    const found = file === null ? null : readState(file);
    const content = found?.kind === "ok" ? (found.payload as Content) : null;
    if (content?.key === key) return new ProfileCache(file, content, nowMs);
    return new ProfileCache(file, { key, visits: {}, visitedMs: {}, switches: {}, items: {}, overhead: null }, nowMs);
  }

  /** @param target `stage/variant`, the cores where they are not the stage's, and how long each batch size is run. */
  visits(target: string): readonly VariantVisit[] {
    return this.#content.visits[target] ?? [];
  }

  /** @param key of `itemKey`. */
  item(key: string): ItemResult | undefined {
    return Object.hasOwn(this.#content.items, key) ? this.#content.items[key] : undefined;
  }

  get overhead(): Overhead | null {
    return this.#content.overhead;
  }

  addVisit(target: string, visit: VariantVisit): Promise<void> {
    this.#content.visits[target] = [...this.visits(target), visit];
    this.#content.visitedMs[target] = this.#nowMs();
    return this.save();
  }

  /** Until the last visit is `gapMs` ago: from 0 to that, also where the clock was set. */
  msUntil(target: string, gapMs: number): number {
    const agoMs = this.#nowMs() - (this.#content.visitedMs[target] ?? Number.NEGATIVE_INFINITY);
    return Math.min(gapMs, Math.max(0, gapMs - agoMs));
  }

  /** Undefined: not measured. @param variant `stage/variant`. */
  switchTimes(variant: string): SwitchTimes | null | undefined {
    return this.#content.switches[variant];
  }

  addSwitchTimes(variant: string, times: SwitchTimes | null): Promise<void> {
    this.#content.switches[variant] = times;
    return this.save();
  }

  forgetVisits(target: string): Promise<void> {
    delete this.#content.visits[target];
    return this.save();
  }

  /** Not saved at once: items are many. */
  addItem(key: string, result: ItemResult): void {
    this.#content.items[key] = result;
  }

  forgetItems(): Promise<void> {
    this.#content.items = {};
    return this.save();
  }

  addOverhead(overhead: Overhead): Promise<void> {
    this.#content.overhead = overhead;
    return this.save();
  }

  async save(): Promise<void> {
    if (this.#file !== null) await writeState(this.#file, this.#content, this.#nowMs());
  }

  /** Also its folder, where nothing else is in it. */
  delete(): void {
    if (this.#file === null) return;
    rmSync(this.#file, { force: true });
    try {
      rmdirSync(dirname(this.#file));
    } catch {
      // It was never made, or another run keeps its own there.
    }
  }
}

/** All of a pipeline that what is kept depends on: `defaultVariant`, `memoryMiB` and `golden` are for its Switches. */
function keyOf(pipeline: Pipeline, machine: Machine): string {
  const stages = pipeline.stages.map(({ name, cores, contract, dependsOn, variants, ...stage }) => ({
    ...{ name, cores, contract, dependsOn },
    ...{ defaultVariant: stage.defaultVariant, memoryMiB: stage.memoryMiB, golden: stage.golden },
    ...(stage.accuracy && { output: stage.accuracy.output, confidence: stage.accuracy.confidence }),
    variants: variants.map(variant => [variant.name, variant.sha256 ?? [variant.url, variant.model]]),
  }));
  return createHash("sha256")
    .update(JSON.stringify({ layout: LAYOUT, machine, stages }))
    .digest("hex");
}
