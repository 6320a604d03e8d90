import assert from "node:assert/strict";
import { existsSync, promises, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { NO_BUDGETS } from "../../domain/serving/deadlines.ts";
import { writeState } from "../../runtime/state-file.ts";
import { affineModel, writeModel } from "../support/models.ts";
import { assignmentMessage, ScalerStub } from "../support/scaler-stub.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("Follow", () => {
  let folder: TestFolder;
  let scaler: ScalerStub;
  let switcher: TestSwitcher | null = null;

  beforeEach(async () => {
    folder = new TestFolder();
    scaler = await ScalerStub.start();
  });
  afterEach(async () => {
    await switcher?.close();
    switcher = null;
    scaler.stop();
    folder.delete();
  });

  const start = async (above: Record<string, unknown> = {}, firstWordMs = 8000) => {
    const config = affineConfig(folder.path, { scalerAddress: scaler.address, ...above });
    switcher = await TestSwitcher.start(config, { firstWordMs });
    await scaler.untilConnected();
    return switcher;
  };

  it("says hello, waits for the first Assignment, applies it, acks and turns ready", async () => {
    const started = await start();
    const hello = scaler.hellos[0]!;
    assert.deepEqual(
      [hello.namespace, hello.pipeline, hello.stage, hello.pod, hello.protocolVersions, hello.ready],
      ["default", "test", "affine", "affine-0", [2], false],
    );
    assert.equal(hello.address, `127.0.0.1:${started.switcher.ports.http}`);
    assert.equal((await started.http("/v2/health/ready")).status, 503);
    assert.equal((await started.infer([1])).status, 503);
    scaler.assign(1, { top: "b" });
    await scaler.untilAcked(1);
    await started.untilReady();
    assert.equal((await started.infer([1])).body.model_version, "b");
  });

  it("reports what it does, in numbers that only grow", async () => {
    const started = await start();
    scaler.assign(1, { top: "b", batch: 4, floor: "a" });
    await scaler.untilAcked(1);
    await Promise.all([started.infer([1]), started.infer([1, 2, 3])]);
    await until(() => scaler.statuses.at(-1)?.servedRows === 4, "reported");
    const status = scaler.statuses.at(-1)!;
    assert.deepEqual(
      [status.variant, status.batch, status.ready, status.applied],
      ["b", 4, true, { epoch: 1, counter: 1 }],
    );
    assert.deepEqual([status.offeredRows, status.droppedRows, status.queuedRows, status.switches], [4, 0, 0, 2]);
    assert.equal(
      status.serviceTimes.reduce((rows, time) => rows + time.rows * time.batches, 0),
      4,
    );
    assert.ok(status.serviceTimes.every(time => time.variant === "b" && time.totalMs > 0));
    await until(() => scaler.statuses.at(-1)?.residentVariants.includes("a") === true, "the floor is in memory");
    assert.deepEqual(
      scaler.statuses.at(-1)?.variants.map(({ variant, state }) => [variant, state]),
      [
        ["a", "resident"],
        ["b", "serving"],
        ["c", "absent"],
      ],
    );
  });

  it("reports how many times as long as measured its batches take, by how many, and nothing where none was measured", async () => {
    const createPoints = (latencyMs: number) => ({ points: [{ batch: 1, latencyMs, scv: 0 }] });
    const started = await start({
      variants: [
        // Nothing runs in a microsecond, and nothing that is so small for an hour.
        { ...writeModel(folder.path, "a", affineModel(2, 1)), ...createPoints(0.001) },
        { ...writeModel(folder.path, "b", affineModel(3, 5)), ...createPoints(3_600_000) },
        writeModel(folder.path, "c", affineModel(10, 0)),
      ],
    });
    const serve = async (counter: number, top: string, requests: number) => {
      scaler.assign(counter, { top });
      await scaler.untilAcked(counter);
      for (let request = 0; request < requests; request += 1) await started.infer([1]);
      const rows = (scaler.statuses.at(-1)?.servedRows ?? 0) + requests;
      await until(() => scaler.statuses.at(-1)?.servedRows === rows, "reported");
      const { timeFactor, timedBatches } = scaler.statuses.at(-1)!;
      return [timeFactor, timedBatches];
    };
    assert.deepEqual(await serve(1, "c", 2), [1, 0]);
    assert.deepEqual(await serve(2, "a", 3), [4, 3]);
    assert.deepEqual(await serve(3, "b", 20), [0.5, 23]);
  });

  it("nacks what it can't do with the code and the reason, and goes on serving", async () => {
    const bad = { ...writeModel(folder.path, "bad", affineModel(1, 1)), sha256: "0".repeat(64) };
    const config = affineConfig(folder.path);
    const started = await start({ variants: [...(config["variants"] as object[]), bad] });
    scaler.assign(2);
    await scaler.untilAcked(2);
    scaler.assign(1, { top: "b" });
    assert.equal((await scaler.untilNacked(1)).code, "stale_version");
    scaler.assign(3, { top: "nothing" });
    const unknown = await scaler.untilNacked(3);
    assert.equal(unknown.code, "unknown_variant");
    assert.match(unknown.message, /nothing is none of this stage's variants: a, b, c, bad/);
    scaler.assign(4, { top: "bad" });
    assert.equal((await scaler.untilNacked(4)).code, "sha256_mismatch");
    scaler.assign(5, { top: "bad" });
    assert.match((await scaler.untilNacked(5)).message, /not tried again yet/);
    scaler.assign(6, { batch: 0 });
    assert.match((await scaler.untilNacked(6)).message, /maxBatch of a rung is no whole number/);
    assert.equal((await started.infer([1])).body.model_version, "a");
    assert.equal((await started.switches()).filter(({ to }) => to === "bad").length, 1);
  });

  it("acks an Assignment with a lighter rung that can't be loaded, and nacks that rung", async () => {
    const bad = { ...writeModel(folder.path, "bad", affineModel(1, 1)), sha256: "0".repeat(64) };
    const config = affineConfig(folder.path);
    const started = await start({ variants: [...(config["variants"] as object[]), bad] });
    const rungs = ["a", "bad", "b"].map(variant => ({ variant, maxBatch: 1 }));
    scaler.assign(1, { rungs, top: "a", floor: "b" });
    await scaler.untilAcked(1);
    const { code, variant } = await scaler.untilNacked(1);
    assert.deepEqual([code, variant], ["sha256_mismatch", "bad"]);
    assert.equal((await started.infer([1])).body.model_version, "a");
  });

  it("nacks an Assignment that a newer one overtakes, and takes a higher epoch over a higher counter", async () => {
    await start();
    scaler.assign(1, { top: "a" });
    scaler.assign(2, { top: "b" });
    await scaler.untilAcked(2);
    assert.equal((await scaler.untilNacked(1)).code, "superseded");
    scaler.send({ assignment: assignmentMessage(0, { version: { epoch: 2, counter: 0 }, top: "c" }) });
    await scaler.untilAcked(0);
    assert.equal((await switcher?.infer([1]))?.body.model_version, "c");
  });

  it("acks the same Assignment again without switching", async () => {
    const started = await start();
    scaler.assign(1);
    await scaler.untilAcked(1);
    scaler.assign(1);
    await until(() => scaler.acks.length === 2, "acked twice");
    assert.equal((await started.switches()).length, 1);
  });

  it("reports a pin, nacks while it lasts, and goes to the newest Assignment after it", async () => {
    const started = await start();
    scaler.assign(1, { top: "a" });
    await scaler.untilAcked(1);
    await started.pin("c", 2, 60_000);
    await until(() => scaler.statuses.at(-1)?.pin?.variant === "c", "pinned");
    assert.ok((scaler.statuses.at(-1)?.pin?.expiresInMs ?? 0) > 50_000);
    scaler.assign(2, { top: "b" });
    assert.equal((await scaler.untilNacked(2)).code, "pinned");
    assert.equal((await started.infer([1])).body.model_version, "c");
    await started.pin("c", 2, 50);
    await until(async () => (await started.infer([1])).body.model_version === "b", "at the newest");
    await scaler.untilAcked(2);
    await until(() => scaler.statuses.at(-1)?.pin === null, "unpinned");
    assert.deepEqual(scaler.statuses.at(-1)?.applied, { epoch: 1, counter: 2 });
  });

  it("goes on serving without its scaler, connects again and says what it serves", async () => {
    const started = await start();
    scaler.assign(7, { top: "b" });
    await scaler.untilAcked(7);
    const { port } = scaler;
    scaler.stop();
    assert.equal((await started.infer([1])).body.model_version, "b");
    scaler = await ScalerStub.start(port);
    await scaler.untilConnected();
    const hello = scaler.hellos[0]!;
    assert.deepEqual([hello.applied, hello.variant, hello.ready], [{ epoch: 1, counter: 7 }, "b", true]);
  });

  it("follows a redirect, and comes back where that leads nowhere", async () => {
    const leader = await ScalerStub.start();
    try {
      scaler.onHello = { redirect: { address: leader.address } };
      await start();
      await leader.untilConnected();
      leader.stop();
      await until(() => scaler.hellos.length > 1, "back");
    } finally {
      leader.stop();
    }
  });

  it("shows its token, anew for every stream as its file has it, and serves on while there is none", async () => {
    const scalerTokenFile = join(folder.path, "token");
    writeFileSync(scalerTokenFile, "first\n");
    const started = await start({ scalerTokenFile });
    scaler.assign(1, { top: "b" });
    await started.untilReady();
    rmSync(scalerTokenFile);
    const { port } = scaler;
    scaler.stop();
    scaler = await ScalerStub.start(port);
    await sleep(1500);
    assert.equal((await started.infer([1])).body.model_version, "b");
    assert.equal(scaler.calls.length, 0);
    writeFileSync(scalerTokenFile, "second");
    await scaler.untilConnected();
    assert.deepEqual(scaler.authorizations, ["Bearer second"]);
  });

  it("shows the token that its file has now when it is asked, and goes on where there is none", async () => {
    const scalerTokenFile = join(folder.path, "token");
    writeFileSync(scalerTokenFile, "first\n");
    const started = await start({ scalerTokenFile });
    writeFileSync(scalerTokenFile, "second\n");
    scaler.send({ showToken: {} });
    await until(() => scaler.tokens.length === 1, "the token");
    assert.deepEqual(scaler.tokens, ["second"]);
    rmSync(scalerTokenFile);
    scaler.send({ showToken: {} });
    scaler.assign(1, { top: "b" });
    await started.untilReady();
    assert.equal(scaler.tokens.length, 1);
    assert.deepEqual([scaler.calls.length, scaler.ended], [1, 0]);
  });

  it("serves the default variant when the scaler stays silent", async () => {
    const started = await start({}, 50);
    await started.untilReady();
    assert.equal((await started.infer([1])).body.model_version, "a");
  });

  it("does not hold up an Assignment that comes while it begins with its default variant", async () => {
    const variants = ["a", "b", "c"].map((name, at) => {
      return { driver: "emulated", name, points: [{ batch: 1, latencyMs: 3 - at }], loadMs: name === "b" ? 0 : 700 };
    });
    const started = await start({ variants }, 50);
    await until(async () => (await started.variants())["c"]?.state === "loading", "begins with the lightest");
    scaler.assign(1, { top: "b" });
    await scaler.untilAcked(1);
    const outcomes = (await started.switches()).map(({ to, outcome }) => `${to} ${outcome}`);
    assert.deepEqual([outcomes, scaler.nacks], [["b done"], []]);
  });

  it("serves the Assignment of its last run when there is no scaler", async () => {
    const stateFile = join(folder.path, "state", "assignment.json");
    const started = await start({ stateFile });
    scaler.assign(3, { top: "b" });
    await scaler.untilAcked(3);
    await started.close();
    const again = await TestSwitcher.startReady(affineConfig(folder.path, { stateFile }));
    switcher = again;
    assert.equal((await again.infer([1])).body.model_version, "b");
  });

  for (const [what, above] of Object.entries({
    "has a batch of 5,000 rows": { rungs: [{ variant: "b", maxBatch: 5000 }] },
    "has no version": { version: undefined },
    "has text for a number": { headroom: "1" },
  }))
    it(`begins with the default variant where the Assignment of its last run ${what}`, async () => {
      const stateFile = join(folder.path, "assignment.json");
      const rungs = [{ variant: "b", maxBatch: 1 }];
      const last = { version: { epoch: 1, counter: 1 }, rungs, top: "b", floor: "b", ...NO_BUDGETS, decisionId: "" };
      await writeState(stateFile, { ...last, ...above }, Date.now());
      const started = await TestSwitcher.startReady(affineConfig(folder.path, { stateFile }));
      switcher = started;
      assert.equal((await started.infer([1])).body.model_version, "a");
    });

  /** With an Assignment that is acked and on its way to a disk that stalls. */
  const onStalledDisk = async (
    check: (started: TestSwitcher, isKept: () => boolean, goOn: () => void) => Promise<void>,
  ): Promise<void> => {
    const stateFile = join(folder.path, "state", "assignment.json");
    const started = await start({ stateFile });
    const disk = stalledDisk();
    try {
      scaler.assign(3, { top: "b" });
      await scaler.untilAcked(3);
      await check(started, () => existsSync(stateFile), disk.goOn);
    } finally {
      await disk.end();
    }
  };

  it("does not end before its last Assignment is on the disk", () =>
    onStalledDisk(async (started, isKept, goOn) => {
      const ended = started.close();
      assert.equal(await Promise.race([ended.then(() => "ended"), sleep(500, "waits")]), "waits");
      assert.equal(isKept(), false);
      goOn();
      await ended;
      assert.equal(isKept(), true);
    }));

  it("ends without it where the disk does not answer", () =>
    onStalledDisk(async (started, isKept) => {
      await started.close();
      assert.equal(isKept(), false);
    }));

  it("drains: takes nothing new, ends the stream", async () => {
    const started = await start();
    scaler.assign(1);
    await scaler.untilAcked(1);
    scaler.send({ drain: { graceMs: 1000 } });
    await until(() => scaler.ended === 1, "ended");
    assert.equal((await started.http("/v2/health/ready")).status, 503);
    const refused = await started.infer([1]);
    assert.equal(refused.status, 503);
    assert.match(refused.body.error ?? "", /drains/);
  });
});

/** Renames wait until it goes on; it has ended when all of them are done. */
function stalledDisk(): { goOn(): void; end(): Promise<void> } {
  const { rename } = promises;
  const begun: Promise<void>[] = [];
  let goOn = (): void => undefined;
  const going = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const slow = (from: string, to: string): Promise<void> => {
    const renamed = going.then(() => rename(from, to));
    begun.push(renamed);
    return renamed;
  };
  Object.assign(promises, { rename: slow });
  syncBuiltinESMExports();
  return {
    goOn: () => goOn(),
    end: async () => {
      goOn();
      await until(() => begun.length > 0, "come to a rename");
      await Promise.all(begun);
      Object.assign(promises, { rename });
      syncBuiltinESMExports();
    },
  };
}
