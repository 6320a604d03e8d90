import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { createLogger } from "../../runtime/logger.ts";
import { LeaseElector } from "../../scaler/lease-elector.ts";
import { ManualClock, turns } from "./support/manual-clock.ts";

interface Lease {
  metadata: { resourceVersion: string; annotations?: Record<string, string> };
  spec: { holderIdentity?: string; leaseDurationSeconds?: number; renewTime?: string; leaseTransitions?: number };
}

/** A Lease as the API server keeps one; `isAnswerLost`: the next write is taken, and nobody hears of it. */
class KeptLease {
  lease: Lease | null;
  isAnswerLost = false;
  #version = 1;

  constructor(holder: string | null) {
    const spec = { leaseDurationSeconds: 10, renewTime: "2026-01-01T00:00:00.000000Z", leaseTransitions: 3 };
    this.lease =
      holder === null ? null : { metadata: { resourceVersion: "1" }, spec: { holderIdentity: holder, ...spec } };
  }

  async get(): Promise<unknown> {
    if (!this.lease) throw new VariscaleError("not_found", "no Lease");
    return structuredClone(this.lease);
  }

  async create(_resource: unknown, _namespace: string, body: unknown): Promise<unknown> {
    return this.#write(body as Lease);
  }

  async patch(_resource: unknown, _namespace: string, _name: string, body: unknown): Promise<unknown> {
    const { metadata } = body as Lease;
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw new VariscaleError("aborted", "conflict");
    return this.#write(body as Lease);
  }

  renew(): void {
    if (this.lease) this.#write({ ...this.lease, spec: { ...this.lease.spec, renewTime: `${this.#version}` } });
  }

  #write({ metadata, spec }: Lease): unknown {
    this.#version += 1;
    const annotations = { ...this.lease?.metadata.annotations, ...metadata.annotations };
    this.lease = {
      metadata: { annotations, resourceVersion: String(this.#version) },
      spec: { ...this.lease?.spec, ...spec },
    };
    if (!this.isAnswerLost) return structuredClone(this.lease);
    this.isAnswerLost = false;
    throw new VariscaleError("deadline_exceeded", "no answer");
  }
}

function electorOf(kept: KeptLease, epochAbove: () => number | null = () => 0) {
  const clock = new ManualClock();
  const seen: string[] = [];
  let wallMs = 0;
  const elector = new LeaseElector({
    client: kept as never,
    namespace: "scalers",
    name: "test",
    identity: "me",
    addresses: { switchers: "127.0.0.1:1", http: "127.0.0.1:2" },
    times: { durationMs: 10_000, renewWithinMs: 6000, retryMs: 1500 },
    clock,
    time: { monotonicMs: () => clock.nowMs(), wallMs: () => clock.nowMs() + wallMs },
    logger: createLogger("test", "silent"),
    epochAbove,
    vouch: () => ({ newestWrite: 0, stuck: [] }),
    onAcquired: () => seen.push("acquired"),
    onLost: () => seen.push("lost"),
    onChanged: record => seen.push(`renewed by ${record.holder}`),
    onLook: () => undefined,
  });
  elector.start();
  const pass = async (seconds: number, each: () => void = () => undefined) => {
    for (let i = 0; i < seconds; i++) {
      each();
      await clock.advance(1000);
      await turns();
    }
  };
  return { elector, seen, pass, setForward: (ms: number) => (wallMs += ms) };
}

describe("LeaseElector", () => {
  it("takes a Lease that nobody has, and keeps it", async () => {
    const kept = new KeptLease(null);
    const { elector, seen, pass } = electorOf(kept);
    await pass(30);
    assert.deepEqual(seen, ["acquired"]);
    assert.equal(elector.isHolding, true);
    assert.equal(kept.lease?.spec.holderIdentity, "me");
  });

  it("takes the first sight of a Lease for no renewal: its holder may be long gone", async () => {
    const { seen, pass } = electorOf(new KeptLease("gone"));
    await pass(8);
    assert.deepEqual(seen, []);
    await pass(6);
    assert.deepEqual(seen, ["acquired"]);
  });

  it("leaves it to a holder that renews, also where the clock of this machine is set forward", async () => {
    const kept = new KeptLease("other");
    const { elector, seen, pass, setForward } = electorOf(kept);
    await pass(20, () => kept.renew());
    setForward(60_000);
    await pass(4);
    await pass(20, () => kept.renew());
    assert.ok(seen.length > 5 && seen.every(what => what === "renewed by other"), seen.join());
    assert.equal(elector.isHolding, false);
  });

  it("leaves a Lease that somebody deleted to its holder until that would have run out", async () => {
    const kept = new KeptLease("other");
    const { seen, pass } = electorOf(kept);
    await pass(5, () => kept.renew());
    kept.lease = null;
    seen.length = 0;
    await pass(8);
    assert.deepEqual(seen, []);
    await pass(6);
    assert.deepEqual(seen, ["acquired"]);
  });

  it("takes none before it knows which epoch was the last, unless the Lease says", async () => {
    let above: number | null = null;
    const kept = new KeptLease(null);
    const { elector, seen, pass } = electorOf(kept, () => above);
    await pass(20);
    assert.deepEqual([seen, kept.lease], [[], null]);
    above = 1_700_050_000;
    await pass(4);
    assert.deepEqual(seen, ["acquired"]);
    assert.equal(elector.record?.epoch, 1_700_050_001);
    const again = electorOf(kept, () => null);
    await again.pass(16);
    assert.deepEqual(again.seen, ["acquired"]);
    assert.equal(again.elector.record?.epoch, 1_700_050_002);
  });

  it("takes no epoch for one that is far ahead of the clock: no later one would be above it", async () => {
    const kept = new KeptLease("gone");
    if (kept.lease) kept.lease.metadata.annotations = { "variscale.dev/epoch": "999999999999999" };
    const { elector, seen, pass } = electorOf(kept);
    await pass(14);
    assert.deepEqual(seen, ["acquired"]);
    assert.ok((elector.record?.epoch ?? 0) > 0, "its own epoch can be read");
    assert.equal(elector.isHolding, true);
    await pass(30);
    assert.deepEqual(seen, ["acquired"]);
  });

  it("knows its own epoch where a ConfigMap has one that is as far ahead of the clock as it may be", async () => {
    const ahead = new ManualClock().nowMs() / 1000 + 86_400;
    const { elector, seen } = electorOf(new KeptLease(null), () => ahead);
    await turns();
    assert.deepEqual(seen, ["acquired"]);
    assert.equal(elector.record?.epoch, Math.floor(ahead) + 1);
  });

  it("has what it took when the answer to that was lost, without waiting until it runs out", async () => {
    const kept = new KeptLease(null);
    kept.isAnswerLost = true;
    const { seen, pass } = electorOf(kept);
    await pass(4);
    assert.deepEqual(seen, ["acquired"]);
  });
});
