import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "mocha";
import type { SwitcherConfig } from "../../variant-switcher/config.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import type { Refused } from "../../variant-switcher/session-messages.ts";
import { SessionPool, type SessionPoolOptions } from "../../variant-switcher/session-pool.ts";
import { SwitchHistory } from "../../variant-switcher/switching/switch-history.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const BATCH_MS = 90;
const PAUSE_MS = 50;
const SESSION_MIB = 10_000;
/** Room for two sessions: with three variants each Switch loads. */
const MEMORY_MIB = 2.5 * SESSION_MIB;
const emulated = (name: string, latencyMs: number) => ({
  name,
  driver: "emulated",
  memoryMiB: SESSION_MIB,
  points: [{ batch: 1, latencyMs }],
});

/** In which nothing serves, unless it is said otherwise. */
function poolOf(
  config: SwitcherConfig,
  paused: SessionPoolOptions["paused"],
  above: Partial<SessionPoolOptions> = {},
): SessionPool {
  const none = () => [];
  return new SessionPool({
    config,
    baseMiB: 0,
    serving: none,
    running: none,
    whenEnded: () => Promise.resolve(),
    incoming: none,
    wanted: none,
    paused,
    onIdleLoss: () => undefined,
    ...above,
  });
}

describe("the load of a variant while another one serves", () => {
  it("begins at a pause, and so do the golden inputs and the warming", async () => {
    const folder = new TestFolder();
    const values = (...numbers: number[]) => Buffer.from(Float32Array.from(numbers).buffer).toString("base64");
    const golden = {
      variant: "a",
      inputs: [{ name: "x", shape: [1, 2], data: values(1, 2) }],
      outputs: [{ name: "y", shape: [1, 2], data: values(3, 5) }],
    };
    const config = parseSwitcherConfig(affineConfig(folder.path, { golden: [golden] }));
    const pauses: (() => void)[] = [];
    const pool = poolOf(config, () => new Promise(resolve => pauses.push(resolve)));
    const steps: (string | null)[] = [];
    try {
      const { signal } = new AbortController();
      const startMs = performance.now();
      const acquired = pool.acquire(config.variants[0]!, [1], signal, step => void steps.push(step));
      for (const begun of [[], ["load", null], ["load", null, "verify", null]]) {
        await until(() => pauses.length === 1, "waiting for a pause");
        assert.deepEqual(steps, begun);
        assert.deepEqual(pool.residentVariants, []);
        await sleep(PAUSE_MS);
        pauses.pop()?.();
      }
      await acquired;
      assert.deepEqual(steps, ["load", null, "verify", null, "warm"]);
      const otherMs = performance.now() - startMs - pool.resident("a")!.loadMs;
      assert.ok(otherMs >= 2.9 * PAUSE_MS, `${otherMs} ms are no part of loadMs`);
    } finally {
      for (const resolve of pauses) resolve();
      await pool.close();
      folder.delete();
    }
  });

  it("ends at once where it is given up while it waits, without the step that would have come", async () => {
    const folder = new TestFolder();
    const config = parseSwitcherConfig(affineConfig(folder.path));
    const paused: AbortSignal[] = [];
    const pool = poolOf(config, signal => {
      paused.push(signal);
      if (paused.length === 1) return Promise.resolve();
      return new Promise(resolve => signal.addEventListener("abort", () => resolve(), { once: true }));
    });
    const abort = new AbortController();
    const running = new SwitchHistory().begin(null, "a", 1, "pin");
    try {
      const acquired = pool.acquire(config.variants[0]!, [1], abort.signal, step => running.step(step));
      await until(() => paused.length === 2, "waiting for a pause");
      abort.abort();
      assert.equal(((await acquired) as Refused).code, "superseded");
      running.end("superseded", null);
      const { steps, switchMs } = running.record();
      assert.deepEqual(
        steps.map(({ step }) => step),
        ["load", "verify"],
      );
      assert.ok(steps.reduce((sum, { ms }) => sum + ms, 0) <= switchMs);
      assert.deepEqual(pool.residentVariants, []);
    } finally {
      await pool.close();
      folder.delete();
    }
  });

  it("runs no zeros on what serves, and those of what is in memory at a pause", async () => {
    const folder = new TestFolder();
    const above = { variants: [emulated("a", 1)], defaultVariant: "a", memoryMiB: MEMORY_MIB };
    const config = parseSwitcherConfig(affineConfig(folder.path, above));
    const served: string[] = [];
    const steps: (string | null)[] = [];
    const pool = poolOf(config, async () => void steps.push("pause"), { serving: () => served });
    const acquire = (rows: number) =>
      pool.acquire(config.variants[0]!, [1, rows], new AbortController().signal, step => void steps.push(step));
    try {
      await acquire(1);
      steps.length = 0;
      await acquire(2);
      assert.deepEqual(steps, ["pause", "warm"]);
      served.push("top", "a");
      await acquire(3);
      assert.deepEqual(steps, ["pause", "warm"]);
      assert.deepEqual([...(pool.warmed.get("a") ?? [])], [1, 2, 3]);
    } finally {
      await pool.close();
      folder.delete();
    }
  });

  it("lets what goes to make room end the batch that it runs, and run no other one, and counts it until then", async () => {
    const folder = new TestFolder();
    const variants = [emulated("a", 1), emulated("b", 1)];
    const above = { variants, defaultVariant: "a", memoryMiB: 1.5 * SESSION_MIB };
    const config = parseSwitcherConfig(affineConfig(folder.path, above));
    let end: () => void = () => undefined;
    const whenEnded = (variant: string): Promise<void> =>
      new Promise(resolve => {
        assert.equal(variant, "a");
        end = resolve;
      });
    const pool = poolOf(config, () => Promise.resolve(), { whenEnded });
    const { signal } = new AbortController();
    try {
      const [a, b] = config.variants.map(variant => () => pool.acquire(variant, [1], signal, () => undefined));
      await a!();
      const session = pool.findSession("a")!;
      const acquired = b!();
      await until(() => pool.findSession("a") === null, "a goes");
      await sleep(PAUSE_MS);
      assert.deepEqual([session.isLost, pool.residentVariants, pool.heldMiB], [false, [], SESSION_MIB]);
      assert.ok(pool.findAgeMs(session) >= PAUSE_MS);
      end();
      await acquired;
      assert.deepEqual([session.isLost, pool.residentVariants, pool.heldMiB], [true, ["b"], SESSION_MIB]);
      assert.equal(pool.findAgeMs(session), 0);
    } finally {
      end();
      await pool.close();
      folder.delete();
    }
  });

  it("waits for no pause where another server loads", async () => {
    const folder = new TestFolder();
    const far = { name: "far", driver: "remote", model: "x", url: "http://127.0.0.1:1" };
    const config = parseSwitcherConfig(affineConfig(folder.path, { variants: [far], defaultVariant: "far" }));
    const pool = poolOf(config, () => assert.fail("it waits"));
    const acquired = await pool.acquire(config.variants[0]!, [1], new AbortController().signal, () => undefined);
    assert.ok("kind" in acquired && acquired.kind === "refused");
    await pool.close();
    folder.delete();
  });

  it("waits for the batch that runs", async () => {
    const folder = new TestFolder();
    const variants = [emulated("old", BATCH_MS), emulated("new", 1), emulated("other", 1)];
    const config = affineConfig(folder.path, { variants, defaultVariant: "old", memoryMiB: MEMORY_MIB });
    const switcher = await TestSwitcher.startReady(config);
    try {
      let waits = 0;
      for (let attempt = 0; attempt < 100 && waits < 3; attempt++) {
        const answered = switcher.infer([1]);
        await sleep(10);
        const name = attempt % 2 === 0 ? "new" : "other";
        assert.equal((await switcher.pin(name)).status, 200);
        const { switchMs, steps } = (await switcher.switches()).at(-1)!;
        await switcher.pin("old");
        await answered;
        const stepsMs = steps.reduce((sum, { ms }) => sum + ms, 0);
        // On a machine that stood still meanwhile the batch had ended before.
        if (steps[0]?.step === "load" && switchMs - stepsMs >= BATCH_MS / 3) waits += 1;
      }
      assert.equal(waits, 3);
    } finally {
      await switcher.close();
      folder.delete();
    }
  });
});
