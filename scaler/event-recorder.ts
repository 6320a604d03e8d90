import { createHash } from "node:crypto";
import { VariscaleError } from "../domain/errors.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import type { ScaledObjectName } from "./refusals.ts";

/** Events that wait to be written at most; further ones are left out and counted. */
const MOST_WAITING = 100;
/** Events that are remembered, so that a repetition counts up the one that is there. */
const MOST_REMEMBERED = 2000;
/** Events that are told once and were written. */
const MOST_ONCE = 10_000;
/** A repetition is written this often at most. */
const REPEAT_EVERY_MS = 5 * 60_000;
/** Writes in a burst, and the time in which one more is allowed. */
const BURST = 25;
const REFILL_MS = 2000;
/** After a write that was refused nothing is written into its namespace for this long. */
const REFUSED_PAUSE_MS = 60_000;
/** Namespaces that are paused at once; beyond, the oldest pauses end early. */
const MOST_PAUSED = 1000;
/** The API server takes no longer note. */
const MOST_NOTE_BYTES = 1000;

export interface ScaledObjectEvent {
  readonly scaledObject: ScaledObjectName;
  readonly type: "Normal" | "Warning";
  /** CamelCase. */
  readonly reason: string;
  readonly note: string;
  /** What makes it the same as one before, beside its reason; missing: its note. */
  readonly key?: string;
  /** What is written is not told again by this process. */
  readonly isOnce?: boolean;
}

export interface EventRecorderOptions {
  readonly client: KubernetesClient;
  /** Name of this process among its like: the pod's. */
  readonly instance: string;
  readonly nowMs: () => number;
  /** Told after every write into a namespace: null, or why it failed. */
  readonly onWrite: (namespace: string, problem: string | null) => void;
}

interface Recorded {
  /** The newest. The API server keeps the note of the first as long as it keeps that. */
  event: ScaledObjectEvent;
  /** Null: nothing was written yet. */
  name: string | null;
  /** Times it was told. */
  count: number;
  /** Times that the API server knows of; 0: it is not there. */
  written: number;
  writtenAtMs: number;
  isWaiting: boolean;
}

/**
 * Writes Events of ScaledObjects. Telling one never waits: they are written one after the other, at a bounded rate, and the same one
 * again counts up the series of the first, also where another process wrote that. What can't be written is lost, and said through
 * `onWrite`.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** By what makes events the same, the least recent first. */
  readonly #recorded = new Map<string, Recorded>();
  readonly #once = new Set<string>();
  readonly #waiting: Recorded[] = [];
  #isWriting = false;
  #isClosed = false;
  #tokens = BURST;
  #refilledAtMs: number;
  /** By namespace: rights are given in each by itself. */
  readonly #pausedUntilMs = new Map<string, number>();
  #lost = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#refilledAtMs = options.nowMs();
  }

  /** Events that were left out because too many were told at once. */
  get lost(): number {
    return this.#lost;
  }

  tell(event: ScaledObjectEvent): void {
    const key = keyOf(event);
    if (this.#once.has(key)) return;
    const fresh = { event, name: null, count: 0, written: 0, writtenAtMs: 0, isWaiting: false };
    const recorded: Recorded = this.#recorded.get(key) ?? fresh;
    this.#recorded.delete(key);
    this.#recorded.set(key, recorded);
    recorded.event = event;
    for (const oldest of this.#recorded.keys()) {
      if (this.#recorded.size <= MOST_REMEMBERED) break;
      this.#recorded.delete(oldest);
    }
    recorded.count += 1;
    const isDue = recorded.written === 0 || this.#options.nowMs() - recorded.writtenAtMs >= REPEAT_EVERY_MS;
    if (!isDue || recorded.isWaiting) return;
    if (this.#waiting.length >= MOST_WAITING || !this.#takeToken(event.scaledObject.namespace)) {
      this.#lost += 1;
      return;
    }
    recorded.isWaiting = true;
    this.#waiting.push(recorded);
    void this.#writeAll();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  #takeToken(namespace: string): boolean {
    const nowMs = this.#options.nowMs();
    if (nowMs < (this.#pausedUntilMs.get(namespace) ?? 0)) return false;
    const refill = Math.max(0, Math.floor((nowMs - this.#refilledAtMs) / REFILL_MS));
    this.#tokens = Math.min(BURST, this.#tokens + refill);
    this.#refilledAtMs += refill * REFILL_MS;
    if (nowMs < this.#refilledAtMs) this.#refilledAtMs = nowMs;
    if (this.#tokens === 0) return false;
    this.#tokens -= 1;
    return true;
  }

  async #writeAll(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const { namespace } = next.event.scaledObject;
      let problem: string | null = null;
      try {
        await this.#write(next);
        if (next.event.isOnce) this.#setOnce(keyOf(next.event));
      } catch (thrown) {
        const { code, message } = VariscaleError.from(thrown);
        problem = message;
        // An Event that is refused for what it says tells nothing of the next one.
        if (code !== "invalid_argument") this.#pause(namespace);
        this.#lost += 1;
      }
      next.isWaiting = false;
      if (!this.#isClosed) this.#options.onWrite(namespace, problem);
    }
    this.#isWriting = false;
  }

  #setOnce(key: string): void {
    this.#recorded.delete(key);
    this.#once.add(key);
    for (const oldest of this.#once) {
      if (this.#once.size <= MOST_ONCE) break;
      this.#once.delete(oldest);
    }
  }

  /** What waits for the namespace is lost. */
  #pause(namespace: string): void {
    const nowMs = this.#options.nowMs();
    for (const [paused, untilMs] of this.#pausedUntilMs)
      if (untilMs <= nowMs || this.#pausedUntilMs.size >= MOST_PAUSED) this.#pausedUntilMs.delete(paused);
    this.#pausedUntilMs.set(namespace, nowMs + REFUSED_PAUSE_MS);
    for (const left of this.#waiting.splice(0)) {
      if (left.event.scaledObject.namespace !== namespace) {
        this.#waiting.push(left);
        continue;
      }
      left.isWaiting = false;
      this.#lost += 1;
    }
  }

  async #write(recorded: Recorded): Promise<void> {
    const { client, nowMs } = this.#options;
    const { namespace } = recorded.event.scaledObject;
    const { count } = recorded;
    const at = microTime(nowMs());
    const countUp = (name: string, times: number): Promise<unknown> =>
      client.patch(RESOURCES.events, namespace, name, { series: { count: times, lastObservedTime: at } });
    if (recorded.name !== null) {
      try {
        await countUp(recorded.name, count);
        recorded.written = count;
        recorded.writtenAtMs = nowMs();
        return;
      } catch (thrown) {
        // An Event is kept for an hour: this one is gone and is written again.
        if (VariscaleError.from(thrown).code !== "not_found") throw thrown;
      }
    }
    const uid = await this.#uidOf(recorded.event.scaledObject);
    const name = nameOf(recorded.event, uid);
    let times = count;
    try {
      await client.create(RESOURCES.events, namespace, this.#eventOf(recorded.event, name, uid, at));
    } catch (thrown) {
      if (VariscaleError.from(thrown).code !== "aborted") throw thrown;
      // Another scaler has told it, or this one before it was started anew. A patch of nothing reads it: there is no right to get it.
      times = countOf(await client.patch(RESOURCES.events, namespace, name, {})) + count;
      recorded.count += times - count;
      await countUp(name, times);
    }
    recorded.name = name;
    recorded.written = times;
    recorded.writtenAtMs = nowMs();
  }

  /** Without it `kubectl describe` does not show the Event. */
  async #uidOf({ namespace, name }: ScaledObjectName): Promise<string | null> {
    try {
      const object = await this.#options.client.get(RESOURCES.scaledObjects, namespace, name);
      const { metadata } = object as { metadata?: { uid?: unknown } };
      return typeof metadata?.uid === "string" ? metadata.uid : null;
    } catch {
      return null;
    }
  }

  #eventOf(event: ScaledObjectEvent, name: string, uid: string | null, at: string): unknown {
    const { namespace, name: scaledObject } = event.scaledObject;
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name, namespace },
      eventTime: at,
      reportingController: "variscale.dev/scaler",
      reportingInstance: this.#options.instance.slice(0, 128),
      action: "Scale",
      type: event.type,
      reason: event.reason,
      note: cut(event.note, MOST_NOTE_BYTES),
      regarding: {
        apiVersion: "keda.sh/v1alpha1",
        kind: "ScaledObject",
        namespace,
        name: scaledObject,
        ...(uid === null ? {} : { uid }),
      },
    };
  }
}

function keyOf({ scaledObject: { namespace, name }, reason, key, note }: ScaledObjectEvent): string {
  return JSON.stringify([namespace, name, reason, key ?? note]);
}

/** The same of all that tell the same of the same object. */
function nameOf(event: ScaledObjectEvent, uid: string | null): string {
  const { scaledObject, type, reason, key, note } = event;
  const about = JSON.stringify([scaledObject.namespace, scaledObject.name, uid, type, reason, key ?? note]);
  const hash = createHash("sha256").update(about).digest("hex").slice(0, 16);
  // A label may not end with what a cut leaves at its end.
  return `${scaledObject.name.slice(0, 200).replace(/[-.]+$/, "")}.${hash}`;
}

/** Times that an Event was told; one that was told once has no series. */
function countOf(event: unknown): number {
  const { series } = event as { series?: { count?: unknown } | null };
  return typeof series?.count === "number" ? series.count : 1;
}

/** RFC 3339 with microseconds, as the API server takes it. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

function cut(text: string, mostBytes: number): string {
  let shown = text;
  while (Buffer.byteLength(shown) > mostBytes) shown = shown.slice(0, Math.floor(0.9 * shown.length));
  return shown;
}
