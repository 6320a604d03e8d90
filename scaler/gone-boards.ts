import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import type { Clock } from "./clock.ts";
import type { BoardObject } from "./shared-board.ts";

/** A pipeline that is replaced, or left out by mistake, comes back before. */
export const KEPT_MS = 10 * 60_000;

export interface GoneBoardsOptions {
  readonly client: Pick<KubernetesClient, "delete">;
  readonly namespace: string;
  readonly keptMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those that there are. */
  readonly objects: () => readonly BoardObject[];
  /** Pipelines that there are, `namespace/name`. */
  readonly served: () => ReadonlySet<string>;
}

/** The leader's: deletes what is shared of pipelines that have been gone for a while. */
export class GoneBoards {
  readonly #options: GoneBoardsOptions;
  /** By pipeline. */
  readonly #goneSinceMs = new Map<string, number>();

  constructor(options: GoneBoardsOptions) {
    this.#options = options;
  }

  /** @param mayDelete false: this process does not lead, or does not know all pipelines. */
  look(mayDelete: boolean): void {
    const { objects, served, keptMs, clock } = this.#options;
    const known = served();
    const gone = mayDelete ? objects().filter(({ pipeline }) => !known.has(pipeline)) : [];
    const names = new Set(gone.map(({ pipeline }) => pipeline));
    for (const pipeline of this.#goneSinceMs.keys()) if (!names.has(pipeline)) this.#goneSinceMs.delete(pipeline);
    const nowMs = clock.nowMs();
    for (const object of gone) {
      const sinceMs = this.#goneSinceMs.get(object.pipeline);
      if (sinceMs !== undefined && Math.abs(nowMs - sinceMs) < keptMs) continue;
      // Also when it was tried now: it is tried again after as long.
      this.#goneSinceMs.set(object.pipeline, nowMs);
      if (sinceMs !== undefined) void this.#delete(object);
    }
  }

  /** Its version is named: one that was written meanwhile stays. */
  async #delete({ name, pipeline, resourceVersion }: BoardObject): Promise<void> {
    const { client, namespace, logger } = this.#options;
    const fields = { pipeline, configMap: `${namespace}/${name}` };
    try {
      await client.delete(RESOURCES.configMaps, namespace, name, resourceVersion);
      logger.info(fields, "deleted the board of a pipeline that is gone");
    } catch (thrown) {
      const { code, message } = VariscaleError.from(thrown);
      if (code === "not_found" || code === "aborted") return;
      logger.warn(fields, `the board of a pipeline that is gone stays: ${message}`);
    }
  }
}
