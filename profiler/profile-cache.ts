import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Pipeline } from "../domain/pipeline.ts";
import type { ItemResult } from "./item-result.ts";
import type { Machine } from "./machine.ts";
import type { Overhead } from "./measure-overhead.ts";
import type { VariantMeasurement } from "./measure-variant.ts";
import { writeWhole } from "./write-whole.ts";

const SCHEMA_VERSION = 1;

interface Content {
  readonly schemaVersion: number;
  /** Of machine and pipeline: what another one measured is of no use. */
  readonly key: string;
  /** By stage/variant. */
  readonly variants: Record<string, VariantMeasurement>;
  readonly items: Record<string, ItemResult>;
  overhead: Overhead | null;
}

/** What an unfinished run has measured, so that the next one goes on from there. */
export class ProfileCache {
  readonly #file: string | null;
  readonly #content: Content;

  private constructor(file: string | null, content: Content) {
    this.#file = file;
    this.#content = content;
  }

  /** @param file null: nothing is kept. A file of another machine, of other models or one that can't be read is not used. */
  static open(file: string | null, pipeline: Pipeline, machine: Machine): ProfileCache {
    const key = keyOf(pipeline, machine);
    const found = file === null ? null : read(file);
    if (found?.schemaVersion === SCHEMA_VERSION && found.key === key) return new ProfileCache(file, found);
    return new ProfileCache(file, { schemaVersion: SCHEMA_VERSION, key, variants: {}, items: {}, overhead: null });
  }

  variant(stage: string, variant: string): VariantMeasurement | undefined {
    return this.#content.variants[`${stage}/${variant}`];
  }

  item(id: string): ItemResult | undefined {
    return Object.hasOwn(this.#content.items, id) ? this.#content.items[id] : undefined;
  }

  get overhead(): Overhead | null {
    return this.#content.overhead;
  }

  addVariant(stage: string, variant: string, measurement: VariantMeasurement): void {
    this.#content.variants[`${stage}/${variant}`] = measurement;
    this.save();
  }

  /** Not saved at once: items are many. */
  addItem(result: ItemResult): void {
    this.#content.items[result.id] = result;
  }

  addOverhead(overhead: Overhead): void {
    this.#content.overhead = overhead;
    this.save();
  }

  save(): void {
    if (this.#file === null) return;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeWhole(this.#file, JSON.stringify(this.#content));
  }

  delete(): void {
    if (this.#file !== null) rmSync(this.#file, { force: true });
  }
}

function keyOf(pipeline: Pipeline, machine: Machine): string {
  const stages = pipeline.stages.map(({ name, cores, contract, variants }) => ({
    ...{ name, cores, contract },
    variants: variants.map(variant => [variant.name, variant.sha256]),
  }));
  return createHash("sha256").update(JSON.stringify({ machine, stages })).digest("hex");
}

/** Null: there is none that is whole. */
function read(file: string): Content | null {
  try {
    const content = JSON.parse(readFileSync(file, "utf8")) as Content;
    return typeof content.variants === "object" && typeof content.items === "object" ? content : null;
  } catch {
    return null;
  }
}
