import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";

/** Where the leader is reached, host:port. */
export interface LeaderAddresses {
  readonly switchers: string;
  readonly http: string;
}

/** Of one scaler. */
export interface ScalerPorts {
  readonly switchers: number;
  readonly http: number;
}

/** @param host a name, or an address of either family. */
export function addressesOf(host: string, ports: ScalerPorts): LeaderAddresses {
  const shown = host.includes(":") ? `[${host}]` : host;
  return { switchers: `${shown}:${ports.switchers}`, http: `${shown}:${ports.http}` };
}

/** What the holder of the Lease says with every renewal, so that its followers know what they have is whole and alive. */
export interface Vouch {
  /** Number of the latest write of a board in this epoch; 0: there was none. */
  readonly newestWrite: number;
  /** Pipelines (`namespace/name`) whose loop is stuck: nothing is vouched for those. */
  readonly stuck: readonly string[];
}

/** What the Lease says; times of other machines' clocks are only compared with themselves. */
export interface LeaseRecord extends Vouch {
  readonly resourceVersion: string;
  /** Null: nobody holds it. */
  readonly holder: string | null;
  /** The holder holds it for this long after a renewal. */
  readonly durationMs: number;
  /** As it was written; null: never renewed. */
  readonly renewTime: string | null;
  /** Times that the holder changed. */
  readonly transitions: number;
  /** Of the holder's assignments: rises with every holder, also where the Lease was deleted in between. */
  readonly epoch: number;
  /** Null: the holder has not said. */
  readonly addresses: LeaderAddresses | null;
}

const EPOCH = "variscale.dev/epoch";
const SWITCHERS = "variscale.dev/switchers";
const HTTP = "variscale.dev/http";
const NEWEST_WRITE = "variscale.dev/newest-write";
const STUCK = "variscale.dev/stuck";

/** Names that are written of pipelines that are stuck; where there are more, none is vouched for. */
const MOST_STUCK = 200;
export const ALL_STUCK = "*";

/** A ConfigMap may name an epoch that is at most so far ahead of the clock. */
const BOARD_AHEAD_SECONDS = 86_400;
/** The Lease, which leaders alone write, may name one that is further ahead: a leader comes above what ConfigMaps say. */
const LEASE_AHEAD_SECONDS = 2 * BOARD_AHEAD_SECONDS;

const countText = z.string().regex(/^\d{1,15}$/);

const leaseSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), annotations: z.record(z.string(), z.string()).nullish() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().min(1).max(86_400).nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.int().min(0).nullish(),
    })
    .nullish(),
});

/** Throws unavailable for what is no Lease. */
export function parseLease(object: unknown, nowMs: number): LeaseRecord {
  const result = leaseSchema.safeParse(object);
  if (!result.success) {
    const issues = issuesOf(result.error, object, []).slice(0, 3).map(formatIssue);
    throw new VariscaleError("unavailable", `the Lease can't be read: ${issues.join(" ")}`);
  }
  const { metadata, spec } = result.data;
  const annotations = metadata.annotations ?? {};
  const { [SWITCHERS]: switchers, [HTTP]: http, [STUCK]: stuck } = annotations;
  const epoch = countOf(annotations[EPOCH]);
  return {
    resourceVersion: metadata.resourceVersion,
    holder: spec?.holderIdentity || null,
    durationMs: 1000 * (spec?.leaseDurationSeconds ?? 1),
    renewTime: spec?.renewTime ?? null,
    transitions: spec?.leaseTransitions ?? 0,
    epoch: epoch <= nowMs / 1000 + LEASE_AHEAD_SECONDS ? epoch : 0,
    addresses: switchers && http ? { switchers, http } : null,
    newestWrite: countOf(annotations[NEWEST_WRITE]),
    stuck: stuck ? stuck.split(",") : [],
  };
}

/**
 * Tells whether a leader may have had the epoch that a ConfigMap names: epochs are seconds of a clock, and clocks differ by a day at most. A tenant
 * who may write a ConfigMap with the board's label could else name one that no later one is above.
 *
 * @param leaseEpoch the epoch of the Lease: where a ConfigMap was a day ahead, that of its successor is more.
 */
export function isPossibleEpoch(epoch: number, leaseEpoch: number, nowMs: number): boolean {
  return epoch <= Math.max(leaseEpoch, nowMs / 1000 + BOARD_AHEAD_SECONDS);
}

/** Above every epoch before; the clock is the floor, where nothing is known of those. */
export function nextEpoch(before: number, nowMs: number): number {
  return Math.max(before + 1, Math.floor(nowMs / 1000));
}

/** What is written of a Lease. */
export interface LeaseBody {
  readonly metadata: object;
  readonly spec: object;
}

export interface LeaseTerm {
  readonly identity: string;
  readonly durationMs: number;
  readonly epoch: number;
  readonly addresses: LeaderAddresses;
}

/** The Lease of a new holder; `record`: what it was before, null: there was none. */
export function acquiredLease(term: LeaseTerm, record: LeaseRecord | null, nowMs: number): LeaseBody {
  const time = microTime(nowMs);
  return {
    metadata: {
      ...(record && { resourceVersion: record.resourceVersion }),
      annotations: {
        [EPOCH]: String(term.epoch),
        [SWITCHERS]: term.addresses.switchers,
        [HTTP]: term.addresses.http,
        ...vouchAnnotations({ newestWrite: 0, stuck: [ALL_STUCK] }),
      },
    },
    spec: {
      holderIdentity: term.identity,
      leaseDurationSeconds: Math.ceil(term.durationMs / 1000),
      acquireTime: time,
      renewTime: time,
      leaseTransitions: record ? record.transitions + 1 : 0,
    },
  };
}

export function renewedLease(record: LeaseRecord, vouch: Vouch, nowMs: number): LeaseBody {
  return {
    metadata: { resourceVersion: record.resourceVersion, annotations: vouchAnnotations(vouch) },
    spec: { renewTime: microTime(nowMs) },
  };
}

/** Nobody has to wait for it. */
export function releasedLease(record: LeaseRecord, nowMs: number): LeaseBody {
  return {
    metadata: { resourceVersion: record.resourceVersion },
    spec: { holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTime(nowMs) },
  };
}

function vouchAnnotations({ newestWrite, stuck }: Vouch): Record<string, string> {
  const names = stuck.length > MOST_STUCK ? [ALL_STUCK] : stuck;
  return { [NEWEST_WRITE]: String(newestWrite), [STUCK]: names.join(",") };
}

/** As the API server writes a MicroTime. */
function microTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace("Z", "000Z");
}

function countOf(text: string | undefined): number {
  return countText.safeParse(text).success ? Number(text) : 0;
}
