import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "mocha";
import { DeadlineSweep } from "../../variant-switcher/deadline-sweep.ts";
import { until } from "../support/until.ts";

describe("DeadlineSweep", () => {
  it("sweeps for the next deadline, and not before a far one, however far it is", async () => {
    const warnings: string[] = [];
    const warn = ({ name }: Error): void => void warnings.push(name);
    process.on("warning", warn);
    let swept = 0;
    const sweep = new DeadlineSweep(() => swept++);
    sweep.setFor(performance.now() + 1e14);
    await sleep(100);
    assert.equal(swept, 0);
    sweep.setFor(performance.now() + 10);
    await until(() => swept === 1);
    process.off("warning", warn);
    assert.deepEqual(warnings, []);
  });
});
