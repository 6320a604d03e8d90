import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, it } from "mocha";
import { StallPlan, startDisturbance } from "../../../bench/ladder/disturbances.ts";

/** The letter by which Linux says how a process is; empty where there is none. */
function readState(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] ?? "";
  } catch {
    return "";
  }
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 3000 && !isSo(); i += 1) await sleep(5);
  assert.ok(isSo(), what);
}

/** A child of this process whose command line is a replica's. */
function startReplica(pod: string) {
  const code = "setInterval(() => undefined, 1000)";
  return spawn(process.execPath, ["-e", code, "switcher", "--config", `/tmp/${pod}.json`], { stdio: "ignore" });
}

describe("startDisturbance()", function () {
  this.timeout(60_000);

  it("has two busy neighbours, which end with it", async () => {
    const disturbance = startDisturbance("neighbours");
    assert.equal(disturbance.pids.length, 2);
    await until(() => disturbance.pids.every(pid => readState(pid) === "R"), "both are busy");
    await disturbance.stop();
    assert.ok(disturbance.pids.every(pid => readState(pid) === ""));
  });

  it("ends its processes when the one that started them is killed", async () => {
    const script = fileURLToPath(new URL("../../../bench/ladder/disturbances.js", import.meta.url));
    const code = `import(${JSON.stringify(script)}).then(({ startDisturbance }) => {
      process.stdout.write(JSON.stringify(startDisturbance("neighbours").pids));
    })`;
    const starter = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "ignore"] });
    const [text] = (await once(starter.stdout, "data")) as [Buffer];
    const pids = JSON.parse(text.toString()) as number[];
    assert.equal(pids.length, 2);
    await until(() => pids.every(pid => readState(pid) === "R"), "both are busy");
    starter.kill("SIGKILL");
    await until(() => pids.every(pid => ["", "Z"].includes(readState(pid))), "both have ended");
  });

  it("lets a replica stand still as its batches say, and go on at the end", async () => {
    const replica = startReplica("detect-1");
    const disturbance = startDisturbance("stalls");
    try {
      const report = (batches: number) => ({
        pod: "detect-1",
        serviceTimes: [{ variant: "light", rows: 1, batches, totalMs: 0 }],
      });
      const pid = replica.pid ?? 0;
      await until(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("switcher"), "it runs");
      disturbance.see([report(1000)]);
      disturbance.see([report(3000)]);
      await until(() => readState(pid) === "T", "it stands still");
      await until(() => ["R", "S"].includes(readState(pid)), "it goes on");
      disturbance.see([report(9000)]);
      await until(() => readState(pid) === "T", "it stands still again");
      await disturbance.stop();
      await until(() => ["R", "S"].includes(readState(pid)), "it goes on at the end");
    } finally {
      await disturbance.stop();
      replica.kill("SIGKILL");
    }
  });
});

describe("StallPlan", () => {
  it("has one stall for each hundred batches after the first look", () => {
    const plan = new StallPlan();
    assert.deepEqual(
      [250, 299, 300, 520, 521].map(batches => plan.countStalls("a", batches)),
      [0, 0, 1, 2, 0],
    );
    // A replica that has started again counts from there.
    assert.deepEqual([plan.countStalls("a", 10), plan.countStalls("a", 210)], [0, 2]);
    assert.equal(plan.countStalls("b", 700), 0);
  });
});
