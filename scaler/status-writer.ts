import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { PipelineStatus } from "../domain/pipeline-status.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import type { Clock } from "./clock.ts";
import { significantPart } from "./object-status.ts";
import type { WatchedObject } from "./pipeline-watch.ts";

/** A write that is under way at the end is waited for so long. */
const CLOSE_WITHIN_MS = 2000;
const LOOK_EVERY_MS = 1000;
/** What people act on is written this soon after the last write; what merely goes on, this often. */
const CHANGED_AFTER_MS = 2000;
const REFRESHED_AFTER_MS = 30_000;
/** After a write that failed. */
const AGAIN_AFTER_MS = 15_000;
/** Writes of one look; with more objects each is written less often. */
const MOST_AT_ONCE = 10;

export interface StatusWriterOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly objects: () => readonly WatchedObject[];
  readonly statusOf: (object: WatchedObject) => PipelineStatus;
  /** Only one of several scalers writes. */
  readonly isLeading: () => boolean;
  /** Told after every write: null, or why it failed. */
  readonly onWrite: (key: PipelineKey, problem: string | null) => void;
}

interface Written {
  readonly status: PipelineStatus | null;
  readonly atMs: number;
}

/** Keeps the statuses of InferencePipelines up to date, by server-side apply: what others wrote there stays. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /** By uid. */
  readonly #written = new Map<string, Written>();
  readonly #stop: () => void;
  #writing: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#stop = options.clock.every(LOOK_EVERY_MS, () => {
      this.#writing ??= this.#writeDue().finally(() => {
        this.#writing = null;
      });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    // What comes after it at the end, the state and the Lease, must not wait for an API server that does not answer.
    await Promise.race([this.#writing, sleep(CLOSE_WITHIN_MS, undefined, { ref: false })]);
  }

  async #writeDue(): Promise<void> {
    const { objects, statusOf, isLeading, clock } = this.#options;
    const all = objects().filter(({ admitted }) => admitted !== null);
    // Another one has written meanwhile, or objects are gone.
    const uids = new Set(isLeading() ? all.map(({ object }) => object.uid) : []);
    for (const uid of this.#written.keys()) if (!uids.has(uid)) this.#written.delete(uid);
    if (uids.size === 0) return;
    const nowMs = clock.nowMs();
    const due = all
      .map(watched => ({ watched, status: statusOf(watched), before: this.#written.get(watched.object.uid) }))
      .filter(({ status, before }) => !before || isDue(status, before, nowMs))
      .sort((a, b) => (a.before?.atMs ?? 0) - (b.before?.atMs ?? 0));
    for (const { watched, status } of due.slice(0, MOST_AT_ONCE)) {
      if (this.#isClosed || !isLeading()) return;
      await this.#write(watched, status);
    }
  }

  async #write({ object }: WatchedObject, status: PipelineStatus): Promise<void> {
    const { client, clock, onWrite } = this.#options;
    const { namespace, name, uid } = object;
    const key = { namespace, name };
    try {
      // With its uid: one of the name that was made meanwhile is another.
      await client.applyStatus(RESOURCES.inferencePipelines, namespace, name, {
        apiVersion: "variscale.dev/v1alpha1",
        kind: "InferencePipeline",
        metadata: { namespace, name, uid },
        status,
      });
      this.#written.set(uid, { status, atMs: clock.nowMs() });
      onWrite(key, null);
    } catch (thrown) {
      const error = VariscaleError.from(thrown);
      this.#written.set(uid, { status: null, atMs: clock.nowMs() });
      // It is gone, or is being replaced: the watch tells of it.
      const isGone = error.code === "not_found" || error.code === "aborted";
      onWrite(key, isGone ? null : `${formatKey(key)}: its status can't be written: ${error.message}`);
    }
  }
}

function isDue(status: PipelineStatus, before: Written, nowMs: number): boolean {
  const sinceMs = Math.abs(nowMs - before.atMs);
  if (before.status === null) return sinceMs >= AGAIN_AFTER_MS;
  if (sinceMs < CHANGED_AFTER_MS) return false;
  if (!isDeepStrictEqual(significantPart(status), significantPart(before.status))) return true;
  return sinceMs >= REFRESHED_AFTER_MS && !isDeepStrictEqual(status, before.status);
}
