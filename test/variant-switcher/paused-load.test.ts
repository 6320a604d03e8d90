import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "mocha";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { SessionPool } from "../../variant-switcher/session-pool.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const BATCH_MS = 90;
const SESSION_MIB = 10_000;
/** Room for two sessions: with three variants each Switch loads. */
const MEMORY_MIB = 2.5 * SESSION_MIB;
const emulated = (name: string, latencyMs: number) => ({
  name,
  driver: "emulated",
  memoryMiB: SESSION_MIB,
  points: [{ batch: 1, latencyMs }],
});

describe("the load of a variant while another one serves", () => {
  it("begins at a pause, and so does the warming", async () => {
    const folder = new TestFolder();
    const config = parseSwitcherConfig(
      affineConfig(folder.path, { variants: [emulated("new", 1)], defaultVariant: "new", memoryMiB: MEMORY_MIB }),
    );
    const pauses: (() => void)[] = [];
    const pool = new SessionPool({
      config,
      baseMiB: 0,
      serving: () => null,
      incoming: () => null,
      paused: () => new Promise(resolve => pauses.push(resolve)),
      onIdleLoss: () => undefined,
    });
    const steps: string[] = [];
    try {
      const { signal } = new AbortController();
      const acquired = pool.acquire(config.variants[0]!, [1], signal, step => void steps.push(step));
      await until(() => pauses.length === 1, "waiting for a pause");
      assert.deepEqual(steps, []);
      pauses[0]?.();
      await until(() => pauses.length === 2, "waiting for the next pause");
      assert.deepEqual(steps, ["load", "verify", "warm"]);
      assert.deepEqual(pool.residentVariants, []);
      pauses[1]?.();
      await acquired;
      assert.deepEqual(pool.residentVariants, ["new"]);
    } finally {
      for (const resolve of pauses) resolve();
      await pool.close();
      folder.delete();
    }
  });

  it("waits for the batch that runs", async () => {
    const folder = new TestFolder();
    const variants = [emulated("old", BATCH_MS), emulated("new", 1), emulated("other", 1)];
    const config = affineConfig(folder.path, { variants, defaultVariant: "old", memoryMiB: MEMORY_MIB });
    const switcher = await TestSwitcher.startReady(config);
    try {
      for (let attempt = 0; attempt < 20; attempt++) {
        const answered = switcher.infer([1]).then(() => Date.now());
        await sleep(10);
        const name = attempt % 2 === 0 ? "new" : "other";
        assert.equal((await switcher.pin(name)).status, 200);
        const { startedAt, switchMs, steps } = (await switcher.switches()).at(-1)!;
        await switcher.pin("old");
        // On a machine that stood still meanwhile the batch had ended before.
        if (steps[0]?.step !== "load" || (await answered) - Date.parse(startedAt) < BATCH_MS / 2) continue;
        const stepsMs = steps.reduce((sum, { ms }) => sum + ms, 0);
        assert.ok(switchMs - stepsMs >= BATCH_MS / 3, `${switchMs} ms, of which ${JSON.stringify(steps)}`);
        return;
      }
      assert.fail("no Switch came while a batch ran");
    } finally {
      await switcher.close();
      folder.delete();
    }
  });
});
