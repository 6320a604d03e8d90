import { createHash } from "node:crypto";
import type { Pipeline } from "../domain/pipeline.ts";
import type { Row } from "../gateway/stage.ts";
import { bytesOf } from "../runtime/tensor-data.ts";
import type { ModelSession } from "./model-session.ts";
import { sourceOf } from "./model-source.ts";
import { openSession } from "./open-session.ts";

/** Rows of one run: heavy models, which take most of the time, take longest for a row in large batches. */
const BATCH = 1;

/** Outputs of one item's rows, so that what several combinations of variants share is inferred once. */
export type Memo = Map<string, Row>;

/** Sessions of all variants of a pipeline in this process, for accuracy. */
export class ModelBench {
  readonly #sessions: ReadonlyMap<string, ModelSession>;

  private constructor(sessions: ReadonlyMap<string, ModelSession>) {
    this.#sessions = sessions;
  }

  /** @throws failed_precondition when a model can't be loaded. */
  static async open(pipeline: Pipeline, modelFolder: string): Promise<ModelBench> {
    const sessions = new Map<string, ModelSession>();
    const bench = new ModelBench(sessions);
    try {
      for (const stage of pipeline.stages)
        for (const variant of stage.variants)
          sessions.set(`${stage.name}/${variant.name}`, await openSession(sourceOf(stage, variant, modelFolder)));
    } catch (error) {
      await bench.close();
      throw error;
    }
    return bench;
  }

  /** One output per row. */
  async infer(stage: string, variant: string, rows: readonly Row[], memo: Memo): Promise<readonly Row[]> {
    const key = `${stage}/${variant}`;
    const session = this.#sessions.get(key);
    if (!session) throw new Error(`there is no session of ${key}`);
    const keys = rows.map(row => `${key} ${digest(row)}`);
    const missing = rows.filter((_, i) => !memo.has(keys[i] ?? ""));
    const missingKeys = keys.filter(one => !memo.has(one));
    const outputs = await session.infer(missing, BATCH);
    for (const [i, output] of outputs.entries()) memo.set(missingKeys[i] ?? "", output);
    return keys.map(one => memo.get(one) ?? {});
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.close();
  }
}

function digest(row: Row): string {
  const hash = createHash("sha1");
  for (const [name, tensor] of Object.entries(row)) hash.update(`${name} ${tensor.shape}`).update(bytesOf(tensor.data));
  return hash.digest("base64");
}
