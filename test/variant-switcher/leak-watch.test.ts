import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { LeakWatch } from "../../variant-switcher/leak-watch.ts";

describe("LeakWatch", () => {
  /** A pod of 1000 MiB, a process of 100 MiB, and sessions of 300 MiB each, of which one serves. */
  let watch: LeakWatch;
  const session = {};
  const isDue = (rssMiB: number, { sessions = 1, serving = session } = {}) =>
    watch.isDue(serving, {
      memoryMiB: 1000,
      usableMiB: 920,
      rssMiB,
      heldMiB: 300 * sessions,
      spareMiB: 300 * (sessions - 1),
      neededMiB: 300,
    });

  beforeEach(() => {
    watch = new LeakWatch();
  });

  it("replaces a session that leaks at the last moment that leaves room for two", () => {
    assert.deepEqual(
      [400, 500, 620, 621].map(rssMiB => isDue(rssMiB)),
      [false, false, false, true],
    );
  });

  it("counts what can be given up as room", () => {
    assert.equal(isDue(700, { sessions: 2 }), false);
    assert.equal(isDue(920, { sessions: 2 }), false);
    assert.equal(isDue(921, { sessions: 2 }), true);
  });

  it("takes what other sessions hold for no leak", () => {
    assert.equal(isDue(400), false);
    assert.equal(isDue(1000, { sessions: 3 }), false);
  });

  it("takes a process that was as large all along for no leak, also where there is no room for two", () => {
    assert.deepEqual(
      [700, 739, 740].map(rssMiB => isDue(rssMiB)),
      [false, false, true],
    );
  });

  it("begins anew with each session", () => {
    isDue(400);
    assert.equal(isDue(700, { serving: {} }), false);
    assert.equal(isDue(500, { serving: {} }), false);
  });

  it("counts from the least since the session serves, for the one before it may still be in memory", () => {
    assert.equal(isDue(800), false);
    assert.equal(isDue(600), false);
    assert.equal(isDue(639), false);
    assert.equal(isDue(640), true);
  });
});
