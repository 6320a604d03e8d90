import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import type { PipelineChange, PipelineSet } from "./pipeline-set.ts";

export const ORIGIN_KINDS = ["file", "configmap", "object"] as const;

/** Where a pipeline is described: one file, one ConfigMap, one InferencePipeline. */
export interface PipelineOrigin {
  readonly kind: (typeof ORIGIN_KINDS)[number];
  /** For people, and no two have the same: `file /etc/cards.yaml`. */
  readonly name: string;
}

/** What an origin says now: a pipeline, or why it says none. */
export type PipelineDescription =
  | { readonly pipeline: Pipeline; readonly problem?: undefined }
  | { readonly problem: string; readonly pipeline?: undefined };

/** What became of what an origin said. */
export interface Admitted {
  readonly origin: PipelineOrigin;
  /** The pipeline that the scaler controls for it, by what it said now or before; null: none. */
  readonly key: PipelineKey | null;
  /** Why what it said now was not taken; null: it was. */
  readonly problem: string | null;
  readonly change: PipelineChange | "refused";
}

export interface PipelineAdmissionOptions {
  readonly pipelines: Pick<PipelineSet, "put" | "remove">;
  readonly logger: Logger;
  /** Told of every description that was taken or refused, before whoever offered it. */
  readonly onDecided: (admitted: Admitted) => void;
  /** Descriptions that are refused now, by kind of their origins. */
  readonly onRefusedNow: (kind: PipelineOrigin["kind"], count: number) => void;
}

interface Offered {
  readonly origin: PipelineOrigin;
  readonly onDecided: (admitted: Admitted) => void;
  /** Null: nothing that it said was taken yet. */
  key: PipelineKey | null;
  problem: string | null;
  /** What is to be taken when the pipeline of its name, which another origin describes, goes. */
  waiting: Pipeline | null;
}

/**
 * Decides what of the descriptions of pipelines is taken. What is wrong is refused and said, and the last good one of its origin stays.
 * A pipeline belongs to the origin that described it first; another takes over when that one withdraws it.
 */
export class PipelineAdmission {
  readonly #options: PipelineAdmissionOptions;
  readonly #offers = new Map<string, Offered>();
  /** Name of the origin of each pipeline. */
  readonly #owners = new Map<string, string>();
  #deciding: Promise<void> = Promise.resolve();

  constructor(options: PipelineAdmissionOptions) {
    this.#options = options;
  }

  /** False: of some origin nothing was taken yet, so that a pipeline which there is may be missing. */
  get isComplete(): boolean {
    return [...this.#offers.values()].every(({ key, waiting }) => key !== null || waiting !== null);
  }

  /** The scaler has started with what this origin says. */
  began(origin: PipelineOrigin, { key }: Pipeline, onDecided: (admitted: Admitted) => void = () => undefined): void {
    this.#offers.set(origin.name, { origin, onDecided, key, problem: null, waiting: null });
    this.#owners.set(formatKey(key), origin.name);
  }

  /** Resolves when it is decided; a decision that comes later, because another origin withdraws, is told as well. */
  offer(
    origin: PipelineOrigin,
    description: PipelineDescription,
    onDecided: (admitted: Admitted) => void = () => undefined,
  ): Promise<void> {
    return this.#queue(async () => {
      const before = this.#offers.get(origin.name);
      const offered: Offered = { origin, onDecided, key: before?.key ?? null, problem: null, waiting: null };
      this.#offers.set(origin.name, offered);
      await this.#decide(offered, description);
    });
  }

  /** The origin is gone, and its pipeline with it. */
  withdraw(origin: PipelineOrigin): Promise<void> {
    return this.#queue(async () => {
      const offered = this.#offers.get(origin.name);
      this.#offers.delete(origin.name);
      if (offered?.key) await this.#release(offered.key);
      this.#countRefused(origin.kind);
    });
  }

  /** What is under way is over. */
  async close(): Promise<void> {
    await this.#deciding;
  }

  async #decide(offered: Offered, description: PipelineDescription): Promise<void> {
    const { logger, onDecided } = this.#options;
    const { origin } = offered;
    let change: Admitted["change"] = "refused";
    try {
      if (description.pipeline) change = await this.#take(offered, description.pipeline);
      else offered.problem = description.problem;
    } catch (thrown) {
      offered.problem = VariscaleError.from(thrown).message;
    }
    const { key, problem } = offered;
    const fields = { origin: origin.name, ...(key && { namespace: key.namespace, pipeline: key.name }) };
    if (problem !== null)
      logger.warn(fields, `pipeline refused${key === null ? "" : ", the last good one stays"}: ${problem}`);
    else if (change !== "unchanged") logger.info(fields, `pipeline ${change}`);
    const admitted: Admitted = { origin, key, problem, change };
    this.#countRefused(origin.kind);
    onDecided(admitted);
    offered.onDecided(admitted);
  }

  async #take(offered: Offered, pipeline: Pipeline): Promise<Admitted["change"]> {
    const name = formatKey(pipeline.key);
    const owner = this.#owners.get(name);
    if (owner !== undefined && owner !== offered.origin.name) {
      offered.waiting = pipeline;
      offered.problem = `pipeline ${name} is described by ${owner} already: rename one of the two, or remove one`;
      return "refused";
    }
    const change = await this.#options.pipelines.put(pipeline);
    const { key } = offered;
    this.#owners.set(name, offered.origin.name);
    offered.key = pipeline.key;
    // It was renamed.
    if (key !== null && formatKey(key) !== name) await this.#release(key);
    return change;
  }

  /** The pipeline goes; who waited for its name takes over. */
  async #release(key: PipelineKey): Promise<void> {
    const name = formatKey(key);
    this.#owners.delete(name);
    await this.#options.pipelines.remove(key);
    this.#options.logger.info({ namespace: key.namespace, pipeline: key.name }, "pipeline removed");
    for (const other of this.#offers.values()) {
      const { waiting } = other;
      if (!waiting || formatKey(waiting.key) !== name) continue;
      other.waiting = null;
      other.problem = null;
      await this.#decide(other, { pipeline: waiting });
      return;
    }
  }

  #countRefused(kind: PipelineOrigin["kind"]): void {
    const refused = [...this.#offers.values()].filter(
      ({ origin, problem }) => origin.kind === kind && problem !== null,
    );
    this.#options.onRefusedNow(kind, refused.length);
  }

  #queue(decide: () => Promise<void>): Promise<void> {
    const result = this.#deciding.then(decide);
    this.#deciding = result.catch(() => undefined);
    return result;
  }
}
