import { createHash } from "node:crypto";
import type { Clock } from "./clock.ts";
import type { CallLog } from "./grpc-call.ts";

/** The same refusal of the same ScaledObject is told again after so long; KEDA asks every few seconds. */
const TOLD_EVERY_MS = 10 * 60_000;
/** Refusals that are remembered; while there are so many fresh ones, further ones are not told. */
const MOST_REMEMBERED = 10_000;
/** A namespace may have so many of them, so that it does not silence others. */
const MOST_OF_NAMESPACE = 500;

/** Why calls for a ScaledObject are refused: one word for machines, a sentence for its owner. */
export interface Refusal {
  readonly reason: "InvalidTriggerMetadata" | "UnknownPipeline" | "UnknownStage";
  readonly message: string;
}

/** A ScaledObject, by where it is. */
export interface ScaledObjectName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Told why the calls of a ScaledObject are refused, at most once in ten minutes for each ScaledObject and message: KEDA itself shows
 * nothing of it but "got empty metric spec". It must not wait; what it throws is logged.
 */
export type OnRefused = (scaledObject: ScaledObjectName, refusal: Refusal) => void;

export interface RefusalsOptions {
  readonly clock: Clock;
  readonly logger: CallLog;
  readonly onRefused: OnRefused;
}

/** Tells refusals, but not every time that KEDA asks again. */
export class Refusals {
  readonly #options: RefusalsOptions;
  /** When each was told last, the oldest first, by a hash of what it says. */
  readonly #told = new Map<string, { readonly namespace: string; readonly atMs: number }>();
  readonly #countByNamespace = new Map<string, number>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  tell(scaledObject: ScaledObjectName, refusal: Refusal): void {
    const { clock, logger, onRefused } = this.#options;
    const { namespace, name } = scaledObject;
    const key = hashRefusal(scaledObject, refusal);
    const nowMs = clock.nowMs();
    this.#forget(nowMs);
    const count = this.#countByNamespace.get(namespace) ?? 0;
    if (this.#told.has(key) || this.#told.size >= MOST_REMEMBERED || count >= MOST_OF_NAMESPACE) return;
    this.#told.set(key, { namespace, atMs: nowMs });
    this.#countByNamespace.set(namespace, count + 1);
    logger.warn({ namespace, scaledObject: name, reason: refusal.reason }, `ScaledObject refused: ${refusal.message}`);
    try {
      onRefused(scaledObject, refusal);
    } catch (error) {
      logger.error({ err: error, namespace, scaledObject: name }, "could not tell that a ScaledObject is refused");
    }
  }

  #forget(nowMs: number): void {
    for (const [key, { namespace, atMs }] of this.#told) {
      // A clock that was set back makes all of them fresh again, at most for as long as it went back.
      if (nowMs - atMs < TOLD_EVERY_MS) return;
      this.#told.delete(key);
      const left = (this.#countByNamespace.get(namespace) ?? 0) - 1;
      if (left > 0) this.#countByNamespace.set(namespace, left);
      else this.#countByNamespace.delete(namespace);
    }
  }
}

function hashRefusal({ namespace, name }: ScaledObjectName, { message }: Refusal): string {
  return createHash("sha256")
    .update(JSON.stringify([namespace, name, message]))
    .digest("base64");
}
