import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { SwitchCounter } from "../../../cli/demo/switch-counter.ts";

describe("SwitchCounter", () => {
  it("counts from the first look on", () => {
    const counter = new SwitchCounter();
    assert.equal(counter.observe([{ pod: "a", switches: 7 }]), 0);
    assert.equal(counter.observe([{ pod: "a", switches: 7 }]), 0);
    assert.equal(counter.observe([{ pod: "a", switches: 9 }]), 2);
  });

  it("does not count what a new switcher serves first", () => {
    const counter = new SwitchCounter();
    counter.observe([]);
    assert.equal(counter.observe([{ pod: "a", switches: 0 }]), 0);
    assert.equal(counter.observe([{ pod: "a", switches: 1 }]), 0);
    assert.equal(counter.observe([{ pod: "a", switches: 2 }]), 1);
    assert.equal(
      counter.observe([
        { pod: "a", switches: 2 },
        { pod: "b", switches: 3 },
      ]),
      3,
    );
  });

  it("keeps those of switchers that have gone or were started again", () => {
    const counter = new SwitchCounter();
    counter.observe([
      { pod: "a", switches: 1 },
      { pod: "b", switches: 1 },
    ]);
    counter.observe([
      { pod: "a", switches: 3 },
      { pod: "b", switches: 4 },
    ]);
    assert.equal(counter.observe([{ pod: "a", switches: 1 }]), 5);
    assert.equal(counter.observe([{ pod: "a", switches: 2 }]), 6);
  });
});
