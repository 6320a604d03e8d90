import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { type Refusal, Refusals, type ScaledObjectName } from "../../scaler/refusals.ts";
import { ManualClock } from "./support/manual-clock.ts";

describe("Refusals", () => {
  const logger = createLogger("test", "silent");
  const cards = { namespace: "shop", name: "cards" };
  const unknown: Refusal = { reason: "UnknownStage", message: "no stage `x`" };

  it("tells each refusal of each ScaledObject once in ten minutes", () => {
    const clock = new ManualClock(0);
    const told: [ScaledObjectName, Refusal][] = [];
    const refusals = new Refusals({ clock, logger, onRefused: (...one) => told.push(one) });
    for (let i = 0; i < 3; i++) refusals.tell(cards, unknown);
    assert.deepEqual(told, [[cards, unknown]]);
    refusals.tell(cards, { ...unknown, message: "no stage `y`" });
    refusals.tell({ ...cards, namespace: "bank" }, unknown);
    assert.equal(told.length, 3);
    clock.set(599_999);
    refusals.tell(cards, unknown);
    assert.equal(told.length, 3);
    clock.set(600_000);
    refusals.tell(cards, unknown);
    refusals.tell(cards, unknown);
    assert.equal(told.length, 4);
  });

  it("remembers a bounded number, and forgets it in time", () => {
    const clock = new ManualClock(0);
    let told = 0;
    const refusals = new Refusals({ clock, logger, onRefused: () => told++ });
    for (let i = 0; i < 600; i++) refusals.tell({ namespace: "shop", name: String(i) }, unknown);
    assert.equal(told, 500, "of one namespace");
    refusals.tell({ namespace: "bank", name: "x" }, unknown);
    assert.equal(told, 501, "which leaves room for others");
    for (let i = 0; i < 11_000; i++) refusals.tell({ namespace: `n${i % 100}`, name: String(i) }, unknown);
    assert.equal(told, 10_000);
    clock.set(600_000);
    refusals.tell({ namespace: "shop", name: "new" }, unknown);
    assert.equal(told, 10_001);
  });

  it("does not let whoever is told break the call", () => {
    const onRefused = () => {
      throw new Error("no API server");
    };
    new Refusals({ clock: new ManualClock(0), logger, onRefused }).tell(cards, unknown);
  });
});
