import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import type { KubernetesClient, ObjectSelector } from "./kubernetes.ts";
import type { KubernetesResource } from "./kubernetes-resource.ts";

/** The server ends a watch after this long, and somewhat more, so that all of them do not come back at once. */
const WATCH_SECONDS = 60;
const WATCH_JITTER_SECONDS = 30;
/** A watch that the server did not end by then is taken for dead. */
const LATE_MS = 15_000;
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 30_000;

export interface KubernetesWatchOptions<T> {
  readonly client: KubernetesClient;
  readonly resource: KubernetesResource;
  /** Null: the whole cluster. */
  readonly namespace: string | null;
  /** Missing: all objects of the kind. */
  readonly selector?: ObjectSelector;
  /** What is kept of an object; null: it is passed over. What it throws passes the object over too. */
  readonly project: (object: unknown) => T | null;
  /** Called after the objects changed, and when the problem did. */
  readonly onChange: () => void;
  readonly nowMs: () => number;
  /** 0 to 1. */
  readonly random: () => number;
}

/** What was seen of the objects of one kind, kept up to date by LIST and WATCH. */
export interface KubernetesWatch<T> {
  /** By `namespace/name`; of the last contact. */
  readonly objects: ReadonlyMap<string, T>;
  /** All objects were listed at least once. */
  readonly synced: boolean;
  /** The server does not have the kind, as it said last: what was seen of it stays. */
  readonly isMissing: boolean;
  /** Why it is not up to date; null: it is. */
  readonly problem: string | null;
  /** When the server was last heard; null: never. */
  readonly contactAtMs: number | null;
  close(): void;
}

/**
 * Lists the objects and watches them from there on; again and again, with a growing back-off while the server does not answer. What
 * was seen stays while there is no contact. A version that is too old (410) is answered with a new list.
 */
export function startKubernetesWatch<T>(options: KubernetesWatchOptions<T>): KubernetesWatch<T> {
  const watch = new Watch(options);
  void watch.run();
  return watch;
}

class Watch<T> implements KubernetesWatch<T> {
  objects = new Map<string, T>();
  synced = false;
  isMissing = false;
  problem: string | null = null;
  contactAtMs: number | null = null;
  readonly #options: KubernetesWatchOptions<T>;
  readonly #closing = new AbortController();
  /** Null: list first. */
  #version: string | null = null;
  #failures = 0;
  /** The last failure was a version that is too old. */
  #isExpired = false;

  constructor(options: KubernetesWatchOptions<T>) {
    this.#options = options;
  }

  close(): void {
    this.#closing.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        if (this.#version === null) await this.#list();
        await this.#watch();
        this.#failures = 0;
        this.#isExpired = false;
        // A proxy that ends watches at once must not be asked without a pause.
        await this.#pause(BACKOFF_MS);
      } catch (thrown) {
        if (!signal.aborted) await this.#fail(VariscaleError.from(thrown, "unavailable"));
      }
    }
  }

  async #fail(error: VariscaleError): Promise<void> {
    const isTooOld = error.code === "aborted" && this.#version !== null;
    // Where watching fails twice, its version may be the cause.
    if (isTooOld || this.#failures > 0) this.#version = null;
    if (!isTooOld) {
      this.problem = error.message;
      if (error.code === "not_found") this.isMissing = true;
      this.#options.onChange();
    }
    // The server answers: however long it was away, what is old now is not kept for longer. Only once more and again is waited for.
    if (isTooOld && !this.#isExpired) this.#failures = 0;
    const backoffMs = isTooOld && !this.#isExpired ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#failures);
    this.#isExpired = isTooOld;
    this.#failures = Math.min(16, this.#failures + 1);
    await this.#pause(backoffMs);
  }

  async #pause(ms: number): Promise<void> {
    const waitMs = ms * (0.5 + this.#options.random() / 2);
    await sleep(waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  async #list(): Promise<void> {
    const { client, resource, namespace, selector, onChange } = this.#options;
    const objects = new Map<string, T>();
    const take = (item: unknown): void => {
      const kept = this.#keep(item);
      if (kept) objects.set(kept.key, kept.value);
    };
    this.#version = await client.list(resource, namespace, take, selector);
    this.objects = objects;
    this.synced = true;
    this.#contact();
    onChange();
  }

  async #watch(): Promise<void> {
    const { client, resource, namespace, selector = {}, random } = this.#options;
    const timeoutSeconds = WATCH_SECONDS + Math.floor(random() * WATCH_JITTER_SECONDS);
    const late = AbortSignal.timeout(1000 * timeoutSeconds + LATE_MS);
    await client.watch({
      resource,
      namespace,
      selector,
      resourceVersion: this.#version ?? "",
      timeoutSeconds,
      signal: AbortSignal.any([late, this.#closing.signal]),
      onOpen: () => this.#contact(),
      onEvent: event => this.#apply(event),
    });
  }

  #contact(): void {
    this.contactAtMs = this.#options.nowMs();
    this.isMissing = false;
    if (this.problem === null) return;
    this.problem = null;
    this.#options.onChange();
  }

  #apply(event: unknown): void {
    const { type, object } = event as { type?: unknown; object?: Record<string, unknown> };
    if (type === "ERROR") {
      const isTooOld = object?.["code"] === 410;
      const message = `Kubernetes: the watch of ${this.#options.resource.plural} ended: ${String(object?.["message"])}`;
      throw new VariscaleError(isTooOld ? "aborted" : "unavailable", message);
    }
    this.#contact();
    this.#failures = 0;
    this.#isExpired = false;
    const metadata = object?.["metadata"] as Record<string, unknown> | undefined;
    if (typeof metadata?.["resourceVersion"] === "string") this.#version = metadata["resourceVersion"];
    if (type === "BOOKMARK") return;
    const kept = type === "DELETED" ? null : this.#keep(object);
    // Controllers write statuses all the time: what is kept of the object is mostly the same.
    if (kept && isDeepStrictEqual(this.objects.get(kept.key), kept.value)) return;
    if (kept) this.objects.set(kept.key, kept.value);
    else this.objects.delete(keyOf(metadata));
    this.#options.onChange();
  }

  #keep(object: unknown): { readonly key: string; readonly value: T } | null {
    try {
      const value = this.#options.project(object);
      return value === null ? null : { key: keyOf((object as { metadata: Record<string, unknown> }).metadata), value };
    } catch {
      // An object of a shape that is not known says nothing.
      return null;
    }
  }
}

function keyOf(metadata: Readonly<Record<string, unknown>> | undefined): string {
  return `${String(metadata?.["namespace"] ?? "")}/${String(metadata?.["name"] ?? "")}`;
}
