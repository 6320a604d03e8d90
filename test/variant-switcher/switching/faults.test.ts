import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { NackCode } from "../../../domain/assignment.ts";
import {
  addFailure,
  addLoss,
  type Faults,
  findQuarantine,
  findRetryMs,
  giveUpVariant,
  liftFault,
  tryAgain,
} from "../../../variant-switcher/switching/faults.ts";

const none: Faults = new Map();
const fail = (faults: Faults, code: NackCode = "model_invalid", nowMs = 0) =>
  addFailure(faults, "v", { kind: "refused", code, message: "broken" }, nowMs);
const untilMs = (faults: Faults) => findRetryMs(faults, "v", true);

describe("the failures of variants", () => {
  it("quarantine for 5 s, doubling to 5 min, until a load succeeds", () => {
    let faults = none;
    for (const ms of [5000, 10_000, 20_000]) {
      faults = fail(faults);
      assert.equal(untilMs(faults), ms);
    }
    for (let i = 0; i < 10; i++) faults = fail(faults);
    assert.equal(findQuarantine(faults, "v", 299_999)?.code, "model_invalid");
    assert.equal(findQuarantine(faults, "v", 300_000), null);
    assert.equal(findQuarantine(liftFault(faults, "v"), "v", 0), null);
  });

  it("are forgotten after the variant was in memory for as long as its quarantine, and a minute at least", () => {
    const failed = [1, 2, 3, 4, 5, 6, 7].reduce(faults => fail(faults), none);
    const loseAfter = (inMemoryMs: number) => fail(addLoss(liftFault(failed, "v"), "v", "", inMemoryMs, 0));
    assert.equal(untilMs(loseAfter(299_999)), 300_000);
    assert.equal(untilMs(loseAfter(300_000)), 5000);
    const once = liftFault(fail(none), "v");
    assert.equal(untilMs(fail(addLoss(once, "v", "", 59_999, 0))), 10_000);
    assert.equal(untilMs(fail(addLoss(once, "v", "", 60_000, 0))), 5000);
  });

  it("hold nothing against a model for which memory was short: it waits for a change, or a minute, or 5 s where nothing serves", () => {
    const short = fail(none, "memory_short", 7);
    assert.equal(findQuarantine(short, "v", 7), null);
    assert.deepEqual([findRetryMs(short, "v", false), findRetryMs(short, "v", true)], [60_007, 5007]);
    assert.equal(untilMs(tryAgain(short, "not given up")), Number.NEGATIVE_INFINITY);
  });

  it("keep away what was given up, but for a change that frees memory", () => {
    const givenUp = giveUpVariant(none, "v", 7);
    assert.equal(findRetryMs(tryAgain(givenUp, "not given up"), "v", false), 60_007);
    assert.equal(findRetryMs(tryAgain(givenUp, "all"), "v", false), Number.NEGATIVE_INFINITY);
  });

  it("quarantine after five losses within a minute", () => {
    const lose = (times: number, everyMs: number) =>
      Array.from({ length: times }).reduce<Faults>(
        (faults, _, i) => addLoss(faults, "v", "it crashed", 0, i * everyMs),
        none,
      );
    assert.match(
      findQuarantine(lose(5, 10_000), "v", 40_000)?.message ?? "",
      /its session was lost 5 times: it crashed/,
    );
    assert.equal(findQuarantine(lose(4, 10_000), "v", 30_000), null);
    assert.equal(findQuarantine(lose(9, 20_000), "v", 160_000), null);
  });
});
