import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import type { CallLimits, KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import type { Clock } from "./clock.ts";
import { type LeaseTime, longestSince, type Moment, momentOf } from "./lease-clock.ts";
import {
  acquiredLease,
  type LeaderAddresses,
  type LeaseBody,
  type LeaseRecord,
  nextEpoch,
  parseLease,
  releasedLease,
  renewedLease,
  type Vouch,
} from "./lease-record.ts";

/** How long a Lease holds, and how it is kept. */
export interface LeaseTimes {
  /** Others take it when they have seen no renewal for so long. */
  readonly durationMs: number;
  /** The holder stops acting when its last renewal is longer ago. */
  readonly renewWithinMs: number;
  /** From one look at it to the next. */
  readonly retryMs: number;
}

/** Shares of the duration: as much is left for clocks that run at different speeds as client-go leaves. */
export function leaseTimes(durationMs: number): LeaseTimes {
  return { durationMs, renewWithinMs: 0.6 * durationMs, retryMs: 0.15 * durationMs };
}

export interface LeaseElectorOptions {
  readonly client: Pick<KubernetesClient, "get" | "create" | "patch">;
  readonly namespace: string;
  readonly name: string;
  /** Of this process alone, and of no other before it. */
  readonly identity: string;
  readonly addresses: LeaderAddresses;
  readonly times: LeaseTimes;
  readonly clock: Clock;
  readonly time: LeaseTime;
  readonly logger: Logger;
  /** An epoch that was in use, whatever the Lease says: one that was deleted says nothing. Null: it is not known yet. */
  readonly epochAbove: () => number | null;
  readonly vouch: () => Vouch;
  /** This process holds the Lease now. */
  readonly onAcquired: (record: LeaseRecord, before: LeaseRecord | null) => void;
  /** Another has it, or it is gone. */
  readonly onLost: () => void;
  /** The Lease was read and had changed. */
  readonly onChanged: (record: LeaseRecord) => void;
  /** After every look at it; null: it went well. */
  readonly onLook: (problem: string | null) => void;
}

interface Held {
  readonly record: LeaseRecord;
  /** Before the renewal that was answered last was sent: others count from later on. */
  readonly renewedAt: Moment;
}

/**
 * Takes the Lease when it is free, and renews it. Every write names the version that was read, so of two that write one is refused; and
 * whoever has the Lease knows by its own clock for how long.
 */
export class LeaseElector {
  readonly #options: LeaseElectorOptions;
  #held: Held | null = null;
  /** The newest record, and since when it is as it is. */
  #seen: { readonly record: LeaseRecord; readonly since: Moment } | null = null;
  #isLooking: Promise<void> | null = null;
  #stop: () => void = () => undefined;
  #isClosed = false;

  constructor(options: LeaseElectorOptions) {
    this.#options = options;
  }

  /** Looks at once, and again and again until `close()`. */
  start(): void {
    const { clock, times } = this.#options;
    this.look();
    this.#stop = clock.every(times.retryMs, () => this.look());
  }

  /** The Lease is held, and was renewed so lately that nobody else can have it: asked before everything that only a leader may do. */
  get isHolding(): boolean {
    return this.#sinceRenewalMs < this.#options.times.renewWithinMs;
  }

  /** Another may have it by now. */
  get mayBeLost(): boolean {
    return this.#sinceRenewalMs >= this.#options.times.durationMs;
  }

  /** What was read last; null: nothing yet, or there is none. */
  get record(): LeaseRecord | null {
    return this.#seen?.record ?? null;
  }

  /** The record's holder, where it has renewed within its time as this process saw it; null: there is none, or it may be gone. */
  get liveLeader(): LeaseRecord | null {
    const seen = this.#seen;
    if (!seen || seen.record.holder === null) return null;
    // By the clock that nobody sets: one that is set forward must not make a leader look dead.
    const sinceMs = this.#options.time.monotonicMs() - seen.since.monotonicMs;
    return sinceMs < seen.record.durationMs ? seen.record : null;
  }

  /** One look; those that come while one is under way are left out. */
  look(): void {
    if (this.#isLooking !== null || this.#isClosed) return;
    this.#isLooking = this.#look().finally(() => {
      this.#isLooking = null;
    });
  }

  /** Gives the Lease back, so that another has it at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await this.#isLooking;
    const held = this.#held;
    this.#held = null;
    if (!held) return;
    const { clock, logger } = this.#options;
    try {
      await this.#patch(releasedLease(held.record, clock.nowMs()));
    } catch (error) {
      logger.warn({ err: error }, "the Lease could not be given back: it is free when it has run out");
    }
  }

  get #sinceRenewalMs(): number {
    return this.#held ? longestSince(this.#held.renewedAt, this.#options.time) : Number.POSITIVE_INFINITY;
  }

  get #limits(): CallLimits {
    return { withinMs: this.#options.times.renewWithinMs / 2 };
  }

  async #look(): Promise<void> {
    const { onLook } = this.#options;
    try {
      if (this.#held) await this.#renew(this.#held.record);
      else await this.#acquire();
      onLook(null);
    } catch (error) {
      onLook(VariscaleError.from(error).message);
    }
  }

  async #renew(record: LeaseRecord): Promise<void> {
    const { clock, time, identity, vouch } = this.#options;
    const sentAt = momentOf(time);
    try {
      const renewed = await this.#patch(renewedLease(record, vouch(), clock.nowMs()));
      this.#hold(renewed, sentAt);
    } catch (thrown) {
      const error = VariscaleError.from(thrown);
      if (error.code !== "aborted" && error.code !== "not_found") throw error;
      // An answer that was lost, or an edit: whoever is named holds it.
      const found = await this.#get();
      if (found?.holder === identity && found.epoch === record.epoch) {
        const again = momentOf(time);
        this.#hold(await this.#patch(renewedLease(found, vouch(), clock.nowMs())), again);
      } else this.#lose(found);
    }
  }

  async #acquire(): Promise<void> {
    const { identity, addresses, times, clock, time, epochAbove, onAcquired } = this.#options;
    const found = await this.#get();
    if (found) this.#see(found);
    // One that names this process was taken by a write whose answer was lost. Whoever had one that is gone acts until it looks for it.
    const leader = this.liveLeader;
    if (leader !== null && leader.holder !== identity) return;
    const above = epochAbove();
    const said = found?.epoch ?? 0;
    if (said === 0 && above === null)
      throw new VariscaleError(
        "unavailable",
        "no Lease says which epoch was the last, and what is shared was not read yet: nobody can lead before",
      );
    const epoch = nextEpoch(Math.max(said, above ?? 0), clock.nowMs());
    const body = acquiredLease({ identity, durationMs: times.durationMs, epoch, addresses }, found, clock.nowMs());
    const sentAt = momentOf(time);
    try {
      const taken = found ? await this.#patch(body) : await this.#create(body);
      this.#hold(taken, sentAt);
      onAcquired(taken, found);
    } catch (thrown) {
      // Another was faster.
      if (VariscaleError.from(thrown).code !== "aborted") throw thrown;
    }
  }

  #hold(record: LeaseRecord, renewedAt: Moment): void {
    this.#held = { record, renewedAt };
    this.#seen = { record, since: renewedAt };
  }

  #lose(found: LeaseRecord | null): void {
    this.#held = null;
    this.#options.onLost();
    if (found) this.#see(found);
    else this.#seen = null;
  }

  /** A record that has changed is alive from now on, whatever its time says: clocks of two machines are not compared. */
  #see(record: LeaseRecord): void {
    if (this.#seen?.record.resourceVersion === record.resourceVersion) return;
    const isFirst = this.#seen === null;
    this.#seen = { record, since: momentOf(this.#options.time) };
    // The first one may be of a leader that is long gone: it counts as a renewal only once it changes.
    if (!isFirst) this.#options.onChanged(record);
  }

  async #get(): Promise<LeaseRecord | null> {
    const { client, namespace, name, clock } = this.#options;
    try {
      return parseLease(await client.get(RESOURCES.leases, namespace, name, this.#limits), clock.nowMs());
    } catch (error) {
      if (VariscaleError.from(error).code === "not_found") return null;
      throw error;
    }
  }

  async #create({ metadata, spec }: LeaseBody): Promise<LeaseRecord> {
    const { client, namespace, name } = this.#options;
    const lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...metadata, name, namespace },
      spec,
    };
    return parseLease(
      await client.create(RESOURCES.leases, namespace, lease, this.#limits),
      this.#options.clock.nowMs(),
    );
  }

  async #patch(body: LeaseBody): Promise<LeaseRecord> {
    const { client, namespace, name } = this.#options;
    return parseLease(
      await client.patch(RESOURCES.leases, namespace, name, body, this.#limits),
      this.#options.clock.nowMs(),
    );
  }
}
