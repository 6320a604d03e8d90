import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { SwitcherReport } from "../../proto/generated/variscale/switcher/v1/SwitcherReport.ts";
import { FakeSwitcher } from "./support/fake-switcher.ts";
import { until } from "./support/manual-clock.ts";
import { RunningScaler } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

describe("FollowService", () => {
  let running: RunningScaler;
  beforeEach(async () => {
    running = await RunningScaler.start();
  });
  afterEach(() => running.close());

  const key = { namespace: "shop", name: "cards" };
  const connected = () => running.scaler.switchers(key);
  const stage = (name = "detect") => running.board?.stages.find(one => one.stage === name);

  it("sends a newcomer its assignment at once, without waiting for a tick", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await until(() => switcher.assignments.length === 1, "an assignment");
    const { newcomer } = stage() ?? {};
    assert.deepEqual(switcher.newest?.rungs, newcomer?.rungs);
    assert.deepEqual([switcher.newest?.top, switcher.newest?.floor], [newcomer?.top, newcomer?.floor]);
    assert.deepEqual(switcher.newest?.version, newcomer?.version);
    assert.equal(switcher.newest?.decisionId, newcomer?.decisionId);
    for (const time of ["budgetMs", "laterBudgetMs", "laterLeastMs", "headroom", "shadow", "belowFloor"] as const)
      assert.deepEqual(switcher.newest?.[time], newcomer?.[time]);
  });

  it("keeps the stream of a switcher that has measured six variants at each of 1000 batch sizes", async () => {
    const switcher = running.switcher();
    await until(() => connected().length === 1, "the switcher");
    const serviceTimes = Array.from({ length: 6000 }, (_, i) => ({
      variant: `variant-${i % 6}`,
      rows: 1 + Math.floor(i / 6),
      ...{ batches: "100", totalMs: 250 },
    }));
    switcher.report({ serviceTimes, servedRows: "7" });
    await until(() => connected()[0]?.servedRows === 7 || switcher.ended !== null, "the status");
    assert.equal(switcher.ended, null);
  });

  it("sends nothing before there is a plan, and the first assignment with the first plan", async () => {
    const switcher = running.switcher();
    await until(() => connected().length === 1, "the switcher");
    assert.equal(switcher.assignments.length, 0);
    await running.planFor(20);
    await until(() => switcher.assignments.length >= 1, "an assignment");
  });

  it("sends an assignment again only when it changes", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await running.runUntil(
      () => switcher.assignments.length > 0,
      () => switcher.report(),
    );
    const sent = switcher.assignments.length;
    for (let i = 0; i < 8; i++) {
      switcher.report();
      await running.clock.advance(1000);
    }
    // The pod's own assignment may differ in version from the newcomer's; then there is silence.
    assert.ok(switcher.assignments.length <= sent + 1);
    const versions = switcher.assignments.map(one => one.version?.counter ?? 0);
    assert.deepEqual(
      versions,
      [...versions].sort((a, b) => a - b),
    );
  });

  it("counts a switcher as ready while it reports, and not after 5 s of silence", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await running.runUntil(
      () => stage()?.replicasReady === 1,
      () => switcher.report(),
    );
    for (let second = 0; second < 5; second++) await running.clock.advance(1000);
    assert.equal(stage()?.replicasReady, 1);
    await running.clock.advance(1000);
    assert.equal(stage()?.replicasReady, 0);
    await running.runUntil(
      () => stage()?.replicasReady === 1,
      () => switcher.report(),
    );
  });

  it("takes an ack as applied", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await until(() => switcher.assignments.length === 1, "an assignment");
    switcher.ack();
    await until(() => connected()[0]?.applied.counter === switcher.newest?.version?.counter, "the ack");
  });

  it("quarantines the variant whose assignment was refused, and assigns another", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await until(() => switcher.assignments.length === 1, "an assignment");
    const refused = switcher.newest?.top;
    assert.equal(refused, "heavy");
    switcher.nack("sha256_mismatch");
    await until(() => connected()[0]?.nack !== null, "the refusal");
    assert.equal(connected()[0]?.nack?.variant, refused);
    await running.runUntil(
      board => board.reasons.includes("quarantined"),
      () => switcher.report({ variant: "light", residentVariants: ["light"] }),
    );
    await until(() => switcher.newest?.top !== refused, "another variant");
  });

  it("quarantines the rung that a refusal names, and no other", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await until(() => switcher.assignments.length === 1, "an assignment");
    switcher.nack("golden_mismatch", switcher.newest?.version, "light");
    await until(() => connected()[0]?.nack !== null, "the refusal");
    assert.equal(connected()[0]?.nack?.variant, "light");
    await running.runUntil(
      board => board.reasons.includes("quarantined"),
      () => switcher.report(),
    );
    await until(() => switcher.newest?.floor === "middle", "another floor");
    assert.equal(switcher.newest?.top, "heavy");
  });

  it("tells a newcomer nothing that it has no model file of, and takes silence on them for none", async () => {
    await running.planFor(20);
    assert.equal(stage()?.newcomer?.floor, "light");
    const missingVariants = ["light"];
    const switcher = running.switcher({ missingVariants });
    await until(() => connected().length === 1, "the switcher");
    await running.runUntil(
      board => board.reasons.includes("not_installed"),
      () => switcher.report({ missingVariants }),
    );
    await until(() => switcher.assignments.length > 0, "an assignment");
    assert.ok(switcher.assignments.every(({ floor }) => floor === "middle"));
    await running.runUntil(
      board => !board.reasons.includes("not_installed"),
      () => switcher.report(),
    );
    await until(() => switcher.newest?.floor === "light", "the floor of before");
  });

  it("passes over a refusal of what was never sent", async () => {
    await running.planFor(20);
    const switcher = running.switcher();
    await until(() => switcher.assignments.length === 1, "an assignment");
    switcher.nack("model_invalid", { epoch: 1, counter: 99 });
    switcher.report();
    await until(() => connected()[0]?.batch === switcher.newest?.rungs[0]?.maxBatch, "the status");
    assert.equal(connected()[0]?.nack, null);
    assert.equal(switcher.ended, null);
  });

  it("lets a second stream of the same pod replace the first, which ends with ABORTED", async () => {
    const first = running.switcher({ variant: "heavy" });
    await until(() => connected().length === 1, "the first");
    const second = running.switcher({ variant: "light" });
    const ended = await first.endedWith();
    assert.equal(ended.code, status.ABORTED);
    assert.match(ended.details, /detect-0/);
    assert.deepEqual(
      connected().map(one => one.variant),
      ["light"],
    );
    // What the first one's end does must not touch the second.
    await running.clock.advance(1000);
    assert.equal(connected().length, 1);
    assert.equal(second.ended, null);
  });

  it("keeps two pods of a stage apart", async () => {
    await running.planFor(20);
    const pods = ["detect-0", "detect-1"].map(pod => running.switcher({ pod }));
    await running.runUntil(
      () => stage()?.replicasReady === 2,
      () => {
        for (const pod of pods) pod.report();
      },
    );
    assert.deepEqual([...(stage()?.assignments.keys() ?? [])].sort(), ["detect-0", "detect-1"]);
    pods[0]?.close();
    await until(() => connected().length === 1, "one less");
    assert.equal(connected()[0]?.pod, "detect-1");
  });

  it("gives a pod that reconnects its assignment again", async () => {
    await running.planFor(20);
    const first = running.switcher();
    await running.runUntil(
      () => stage()?.assignments.get("detect-0") !== undefined,
      () => first.report(),
    );
    const own = stage()?.assignments.get("detect-0");
    first.close();
    await until(() => connected().length === 0, "the end of the first");
    const second = running.switcher();
    await until(() => second.assignments.length === 1, "an assignment");
    assert.deepEqual(second.newest?.version, own?.version);
  });

  it("ends a stream with OK when the switcher ends it, and forgets the pod", async () => {
    const switcher = running.switcher();
    await until(() => connected().length === 1, "the switcher");
    switcher.halfClose();
    assert.equal((await switcher.endedWith()).code, status.OK);
    assert.equal(connected().length, 0);
  });

  it("ends every stream with OK when the scaler stops", async () => {
    const switcher = running.switcher();
    await until(() => connected().length === 1, "the switcher");
    await running.scaler.close();
    assert.equal((await switcher.endedWith()).code, status.OK);
  });

  it("refuses what is no hello, naming what is wrong", async () => {
    const refusals = [
      [{ protocolVersions: [1, 3] }, status.FAILED_PRECONDITION, /protocol 1, 3 and the scaler 2: upgrade/],
      [{ protocolVersions: [] }, status.FAILED_PRECONDITION, /\(none\)/],
      [{ pipeline: "card" }, status.NOT_FOUND, /unknown pipeline `card`.*cards/],
      [{ stage: "crop" }, status.NOT_FOUND, /it has: detect, read/],
      ...["", "__proto__", "toString", "a/b", "-a", "a".repeat(254)].map(
        pod => [{ pod }, status.INVALID_ARGUMENT, /hello: pod.*must be a DNS name/] as const,
      ),
      [{ namespace: "Shop" }, status.INVALID_ARGUMENT, /hello: namespace.*must be a DNS name/],
      [{ stage: "valueOf" }, status.INVALID_ARGUMENT, /hello: stage.*must be a DNS name/],
      [{ cores: Number.NaN }, status.INVALID_ARGUMENT, /hello: cores/],
    ] as const;
    for (const [hello, code, details] of refusals) {
      const ended = await running.switcher(hello as object).endedWith();
      assert.equal(ended.code, code, ended.details);
      assert.match(ended.details, details);
    }
    assert.equal(connected().length, 0);
  });

  it("takes the highest protocol version that both speak", async () => {
    running.switcher({ protocolVersions: [3, 1, 2] });
    await until(() => connected().length === 1, "the switcher");
  });

  it("refuses a stream that says anything before hello, or hello twice, or nothing for 10 s", async () => {
    const port = running.scaler.ports.switchers;
    const early = new FakeSwitcher(port, {}, false);
    early.report();
    assert.match((await early.endedWith()).details, /status came before hello/);
    const twice = running.switcher();
    twice.send({ hello: twice.hello });
    assert.match((await twice.endedWith()).details, /hello came twice/);
    const silent = new FakeSwitcher(port, {}, false);
    let seconds = 0;
    // Its time begins when its stream has come.
    for (; silent.ended === null; seconds++) {
      await running.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.equal((await silent.endedWith()).code, status.DEADLINE_EXCEEDED);
    assert.ok(seconds >= 10, `${seconds} s`);
    for (const one of [early, silent]) one.close();
  });

  it("tells a pod `constructor` what it must serve, and everyone behind it too", async () => {
    const rogue = running.switcher({ pod: "constructor" });
    await until(() => connected().length === 1, "the first");
    const other = running.switcher();
    await until(() => connected().length === 2, "the second");
    running.gateway.rateRps = 20;
    await running.runUntil(
      board => board.plan !== null && [rogue, other].every(({ newest }) => newest !== undefined),
      () => {
        rogue.report();
        other.report();
      },
    );
    assert.deepEqual(rogue.newest?.top, other.newest?.top);
    const { processConditions } = (await (await fetch(running.url("/api/v1/pipelines/shop/cards"))).json()) as {
      processConditions: { type: string; status: boolean }[];
    };
    assert.equal(processConditions.find(({ type }) => type === "Ticking")?.status, true);
  });

  it("ends a stream whose report can't be true, and only that one", async () => {
    const honest = running.switcher({ pod: "honest" });
    await until(() => connected().length === 1, "the honest one");
    const lies = [{ queueAgeMs: Number.NaN }, { queueAgeMs: -1 }, { memoryMib: Number.POSITIVE_INFINITY }];
    for (const lie of lies) {
      const liar = running.switcher({ pod: "liar" });
      liar.report(lie);
      const ended = await liar.endedWith();
      assert.equal(ended.code, status.INVALID_ARGUMENT);
      assert.match(ended.details, /status: (queueAgeMs|memoryMib)/);
    }
    assert.deepEqual(
      connected().map(one => one.pod),
      ["honest"],
    );
    assert.equal(honest.ended, null);
  });

  it("survives any report: the stream goes on or ends with INVALID_ARGUMENT", async () => {
    const number = fc.oneof(fc.double(), fc.maxSafeNat(), fc.constant(Number.MAX_VALUE));
    const uint = fc.nat();
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.constant("heavy"));
    const version = fc.option(fc.record({ epoch: fc.maxSafeNat(), counter: fc.maxSafeNat() }));
    const statusReport = fc.record(
      {
        applied: version,
        variant: text,
        batch: uint,
        ready: fc.boolean(),
        residentVariants: fc.array(text),
        missingVariants: fc.array(text),
        pin: fc.option(fc.record({ variant: text, batch: uint, expiresInMs: number })),
        queuedRows: uint,
        queueAgeMs: number,
        memoryMib: number,
        serviceTimes: fc.array(fc.record({ variant: text, rows: uint, batches: fc.maxSafeNat(), totalMs: number })),
        variants: fc.array(fc.record({ variant: text, state: text, reason: text, loadMs: number, memoryMib: number })),
      },
      { requiredKeys: [] },
    );
    const report: fc.Arbitrary<SwitcherReport> = fc.oneof(
      statusReport.map(one => ({ status: one })),
      fc.record({ version, switchMs: number }).map(one => ({ ack: one })),
      fc.record({ version, code: text, message: text }).map(one => ({ nack: one })),
      fc.constant({}),
    );
    await running.planFor(20);
    await fc.assert(
      fc.asyncProperty(fc.array(report, { minLength: 1, maxLength: 5 }), async reports => {
        const switcher = new FakeSwitcher(running.scaler.ports.switchers, { pod: "fuzz" });
        for (const one of reports) switcher.send(one);
        switcher.halfClose();
        const { code } = await switcher.endedWith();
        assert.ok(code === status.OK || code === status.INVALID_ARGUMENT, String(code));
        await running.clock.advance(1000);
        switcher.close();
      }),
      { numRuns: 40 },
    );
    const ticks = running.board?.atMs;
    assert.equal(ticks, running.clock.nowMs(), "a tick failed");
  });
});

describe("FollowService in shadow mode", () => {
  it("takes switchers in and assigns nothing", async () => {
    const running = await RunningScaler.start({ pipelines: [testPipeline({ mode: "shadow" })] });
    try {
      const switcher = running.switcher();
      running.gateway.rateRps = 20;
      await running.runUntil(
        board => board.plan !== null && board.stages[0]?.replicasReady === 1,
        () => switcher.report(),
      );
      assert.equal(switcher.assignments.length, 0);
    } finally {
      await running.close();
    }
  });
});
