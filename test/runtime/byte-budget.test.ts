import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";

describe("byte budget", () => {
  it("counts what all messages hold together and refuses what is above the limit", () => {
    const budget = new ByteBudget(100);
    const first = budget.hold();
    const second = budget.hold();
    assert.equal(first.take(60), true);
    assert.equal(second.take(41), false);
    assert.equal(second.bytes, 0);
    assert.equal(second.take(40), true);
    assert.equal(budget.usedBytes, 100);
    first.release();
    assert.equal(budget.usedBytes, 40);
    assert.equal(second.take(60), true);
  });

  it("follows a limit that changes", () => {
    let limit = 10;
    const budget = new ByteBudget(() => limit);
    const held = budget.hold();
    assert.equal(held.take(11), false);
    limit = 20;
    assert.equal(held.take(11), true);
    assert.equal(budget.maxBytes, 20);
  });

  it("gives back no more than was taken, and takes nothing after its release", () => {
    const budget = new ByteBudget(100);
    const held = budget.hold();
    held.take(30);
    held.give(50);
    assert.equal(budget.usedBytes, 0);
    held.release();
    held.release();
    assert.equal(held.take(1), false);
    assert.equal(budget.usedBytes, 0);
  });

  it("always holds the sum of its messages, within the limit", () => {
    const step = fc.record({ message: fc.nat(4), kind: fc.constantFrom("take", "give", "release"), bytes: fc.nat(80) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const budget = new ByteBudget(100);
        const messages = Array.from({ length: 5 }, () => budget.hold());
        for (const { message, kind, bytes } of steps) {
          const held = messages[message]!;
          if (kind === "take") held.take(bytes);
          else if (kind === "give") held.give(bytes);
          else held.release();
          const sum = messages.reduce((total, each) => total + each.bytes, 0);
          assert.equal(budget.usedBytes, sum);
          assert.ok(sum >= 0 && sum <= 100);
        }
      }),
    );
  });
});
