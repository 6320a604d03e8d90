import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { listIncoming } from "../../../variant-switcher/switching/state.ts";
import { SwitchingWorld } from "./switching-world.ts";

const MINUTE_MS = 60_000;

/** A world in which an Assignment of these rungs was applied, and all is at rest. */
function createAssigned(names: string, options: ConstructorParameters<typeof SwitchingWorld>[0] = {}): SwitchingWorld {
  const world = new SwitchingWorld(options);
  world.assign(names);
  world.settle();
  return world;
}

const loading = (world: SwitchingWorld) => [...world.loads.values()].map(({ load }) => load.variant).join("");

describe("the reducer of what a replica serves", () => {
  it("begins with the floor, then loads the top, and the others from light to heavy", () => {
    const world = new SwitchingWorld({ sizes: { a: 4, b: 3, c: 2, d: 1 } });
    world.assign("abcd");
    assert.equal(loading(world), "d");
    for (const served of ["d", "abcd"]) {
      for (const id of [...world.loads.keys()]) world.endLoad(id);
      world.endSwap();
      assert.equal(world.served, served);
    }
    world.settle();
    assert.deepEqual(world.loaded, ["d", "a", "c", "b"]);
    assert.deepEqual(world.switches, ["d recovery done", "a assignment done"]);
    world.checkRest();
  });

  it("begins with the top in shadow, as nothing else serves, and loads the others all the same", () => {
    const world = new SwitchingWorld();
    world.assign("abc", { shadow: true });
    world.settle();
    assert.deepEqual([world.served, world.loaded.join("")], ["a", "acb"]);
    assert.deepEqual(world.switches, ["a assignment done"]);
    world.checkRest();
    world.assign("abc");
    world.settle();
    assert.deepEqual([world.served, world.loaded.join("")], ["abc", "acb"]);
  });

  it("tells the scaler of a lighter rung whose model can't be served, each time that it fails, and not of one that has no room", () => {
    const broken = createAssigned("abc", { broken: ["b"] });
    assert.deepEqual(broken.told, [
      { counter: 1, code: "done", variant: "" },
      { counter: 1, code: "model_invalid", variant: "b" },
    ]);
    broken.assign("ab");
    broken.settle();
    assert.deepEqual(broken.told.slice(2), [
      { counter: 2, code: "done", variant: "" },
      { counter: 2, code: "model_invalid", variant: "b" },
    ]);
    const tight = createAssigned("abc", { memoryMiB: 6 });
    assert.deepEqual(tight.told, [{ counter: 1, code: "done", variant: "" }]);
    assert.deepEqual([...tight.sessions.keys()].sort(), ["a", "c"]);
  });

  it("tries a top that can't be loaded once each time that its quarantine is over", () => {
    const defaultRungs = ["a", "c"].map(variant => ({ variant, maxBatch: 1 }));
    const world = new SwitchingWorld({ broken: ["a"], defaultRungs });
    const tries = () => world.loaded.filter(variant => variant === "a").length;
    world.tell({ kind: "start", last: null });
    world.settle();
    assert.deepEqual([tries(), world.served], [1, "c"]);
    for (const [quarantineMs, expected] of [
      [5000, 2],
      [10_000, 3],
      [20_000, 4],
    ] as const) {
      world.sleep(quarantineMs - 1);
      assert.equal(tries(), expected - 1);
      world.sleep(1);
      assert.equal(tries(), expected);
    }
  });

  it("keeps in memory what it goes back to after a pin, however often that is set in a pod with room for two", () => {
    const world = createAssigned("ab", { sizes: { a: 4, b: 4, c: 4 }, memoryMiB: 8 });
    const loads = world.loaded.length;
    for (let i = 1; i <= 3; i++) {
      const pinned = world.pin("c");
      world.settle();
      assert.deepEqual([world.outcome(pinned), world.served], ["done", "c"]);
      world.pin("c");
      world.settle();
      world.ask({ kind: "unpin" });
      world.settle();
      assert.equal(world.served, "ab");
      assert.equal(world.loaded.slice(loads).join(""), "cb".repeat(i));
    }
  });

  it("keeps the floor in memory while a top is loaded that has no room beside the one before, which gives way", () => {
    const world = createAssigned("ac", { sizes: { a: 4, b: 4, c: 4 }, memoryMiB: 8 });
    const before = world.switches.length;
    const counter = world.assign("bc");
    const seen: string[] = [];
    for (let i = 0; i < 10 && world.served !== "bc"; i++) {
      for (const id of [...world.loads.keys()]) world.endLoad(id);
      world.endSwap();
      assert.ok(world.sessions.has("c"), "the floor is in memory");
      if (seen.at(-1) !== world.served) seen.push(world.served);
    }
    assert.deepEqual([seen, world.codes(counter)], [["c", "bc"], ["done"]]);
    assert.deepEqual(world.switches.slice(before), ["c recovery done", "b assignment done"]);
    world.settle();
    world.checkRest();
  });

  it("keeps the floor of before while a top is loaded that comes with another floor, unless it is below the one that is set", () => {
    for (const [memoryMiB, belowFloor, seen] of [
      [8, [], ["c", "bd"]],
      [12, [], ["bd"]],
      [8, ["c"], ["bd"]],
    ] as const) {
      const world = createAssigned("ac", { sizes: { a: 4, b: 4, c: 4, d: 4 }, memoryMiB });
      world.assign("bd", { belowFloor });
      assert.equal(world.sessions.has("c"), belowFloor.length === 0);
      const served: string[] = [];
      for (let i = 0; i < 10 && world.served !== "bd"; i++) {
        for (const id of [...world.loads.keys()]) world.endLoad(id);
        world.endSwap();
        if (served.at(-1) !== world.served) served.push(world.served);
      }
      world.settle();
      assert.deepEqual([served, world.served, world.sessions.has("d")], [seen, "bd", true]);
      world.checkRest();
    }
  });

  it("lets the top that serves stay until the new one is there where others can go for it, or no lighter one may serve", () => {
    const sizes = { a: 4, b: 4, c: 4, d: 4 };
    for (const [memoryMiB, rungs, resident] of [
      [16, "ad", "abcd"],
      [12, "ad", "abd"],
      [8, "a", "ab"],
    ] as const) {
      const world = createAssigned(memoryMiB === 8 ? "bd" : "bcd", { sizes, memoryMiB });
      const { served } = world;
      world.assign(rungs);
      assert.deepEqual([loading(world), world.served[0], world.pending], ["a", "b", null]);
      assert.equal([...world.sessions.keys(), "a"].sort().join(""), resident);
      world.settle();
      assert.deepEqual([served[0], world.served], ["b", rungs]);
    }
  });

  it("goes back to the top of before where a new one, which it gave way to, can't be served", () => {
    for (const [size, broken, code] of [
      [4, ["b"], "model_invalid"],
      [9, [], "memory_short"],
    ] as const) {
      const world = createAssigned("ac", { sizes: { a: 4, b: size, c: 4 }, memoryMiB: 8, broken });
      const counter = world.assign("bc");
      for (let i = 0; i < 10 && world.codes(counter).length === 0; i++) {
        for (const id of [...world.loads.keys()]) world.endLoad(id);
        world.endSwap();
        assert.match(world.served, /c$/);
      }
      world.settle();
      assert.deepEqual([world.codes(counter), world.served], [[code], "ac"]);
      assert.equal(world.state.applied?.version.counter, 1);
    }
  });

  it("lets the next lighter rung take over from what serves alone after a pin, and makes room for the top by what was pinned", () => {
    const world = createAssigned("c", { sizes: { a: 4, b: 4, c: 4 }, memoryMiB: 8 });
    world.pin("b");
    world.settle();
    world.assign("ac");
    world.ask({ kind: "unpin" });
    for (let i = 0; i < 10 && world.served !== "ac"; i++) {
      for (const id of [...world.loads.keys()]) world.endLoad(id);
      world.endSwap();
      assert.ok(world.sessions.has("c"), "the floor is in memory");
    }
    assert.equal(world.served, "ac");
  });

  it("leaves no floor in memory for a pin that takes over the load of an Assignment, and has no room for it", () => {
    const world = createAssigned("ac", { sizes: { a: 4, b: 4, c: 4 }, memoryMiB: 8 });
    world.assign("bc");
    const pinned = world.pin("b");
    world.settle();
    assert.deepEqual([world.outcome(pinned), world.served], ["done", "b"]);
  });

  it("takes the times from the newest Assignment also where it is refused for a pin, or its top still loads", () => {
    const world = createAssigned("a");
    world.assign("b", { budgetMs: 1 });
    assert.deepEqual([world.state.budgets.budgetMs, world.state.applied?.version.counter], [1, 1]);
    world.settle();
    world.pin("c");
    world.settle();
    const counter = world.assign("b", { budgetMs: 2, headroom: 0.5 });
    const { budgets, applied } = world.state;
    assert.deepEqual([world.codes(counter), budgets.budgetMs, budgets.headroom], [["pinned"], 2, 0.5]);
    assert.deepEqual([world.served, applied?.version.counter], ["c", 2]);
    world.tell({ kind: "end" });
    world.assign("b", { budgetMs: 3 });
    assert.equal(world.state.budgets.budgetMs, 2);
  });

  it("loads again what serves while the session in memory that was to replace it is lost", () => {
    const world = createAssigned("abc");
    world.loseReplacement("a");
    world.assign("abc", {}, 2);
    world.settle();
    assert.deepEqual([world.served, world.serving?.[0]?.maxBatch, world.sessions.has("a")], ["abc", 2, true]);
    world.checkRest();
  });

  it("names all that are about to serve, as none of them may go to make room", () => {
    const world = createAssigned("ab");
    world.assign("a");
    world.settle();
    world.broken.add("a");
    world.lose("a");
    assert.deepEqual([world.served, listIncoming(world.state).includes("b")], ["", true]);
    world.assign("c");
    assert.deepEqual(listIncoming(world.state), ["c", "b"]);
  });

  it("serves nobody by what is below the floor, whatever is lost", () => {
    const world = createAssigned("abc");
    world.assign("a", { belowFloor: ["b", "c"] });
    world.settle();
    world.broken.add("a");
    world.lose("a");
    world.settle();
    assert.deepEqual([world.served, [...world.sessions.keys()].sort()], ["", ["b", "c"]]);
    world.broken.clear();
    world.sleep(MINUTE_MS);
    assert.equal(world.served, "a");
  });

  it("serves by default where a pin of before the start can't be, or by what the last run served", () => {
    const defaultRungs = [{ variant: "b", maxBatch: 1 }];
    const world = new SwitchingWorld({ broken: ["a"], defaultRungs });
    const pinned = world.pin("a");
    world.tell({ kind: "start", last: null });
    world.settle();
    assert.deepEqual([world.outcome(pinned), world.served], ["model_invalid", "b"]);
    const last = createAssigned("c").persisted;
    const again = new SwitchingWorld({ broken: ["a"], defaultRungs });
    again.pin("a");
    again.tell({ kind: "start", last });
    again.settle();
    assert.equal(again.served, "c");
  });

  it("goes to an Assignment with a top that is in memory, although its file is broken by now", () => {
    const world = createAssigned("abc");
    world.broken.add("a");
    const reload = world.ask({ kind: "reload" });
    world.settle();
    assert.equal(world.outcome(reload), "model_invalid");
    const counter = world.assign("abc", {}, 2);
    world.settle();
    assert.deepEqual([world.codes(counter), world.serving?.[0]?.maxBatch], [["done"], 2]);
  });

  it("goes on with a load in the background where nothing serves any more", () => {
    const world = new SwitchingWorld({ sizes: { a: 9, b: 3, c: 2 }, memoryMiB: 10 });
    world.assign("bc");
    world.settle();
    const short = world.assign("abc");
    world.settle();
    assert.deepEqual([world.codes(short), world.served], [["memory_short"], "bc"]);
    world.lose("c");
    assert.equal(loading(world), "c");
    world.lose("b");
    assert.deepEqual([world.served, loading(world), world.aborted.size], ["", "c", 0]);
    world.settle();
    assert.equal(world.served, "bc");
  });

  it("does not end the load of a lighter rung for a top that is not in memory", () => {
    const world = createAssigned("abc", { sizes: { a: 4, b: 3, c: 2 }, memoryMiB: 9 });
    world.lose("a");
    assert.equal(world.served, "bc");
    assert.equal(loading(world), "a");
    world.settle();
    world.giveUp("b");
    world.sleep(MINUTE_MS - 1);
    assert.equal(loading(world), "");
    world.nowMs += 1;
    world.tell({ kind: "wake" });
    assert.equal(loading(world), "b");
    world.tell({ kind: "wake" });
    world.lose("a");
    assert.deepEqual([loading(world), world.served], ["b", "c"]);
    assert.equal(world.aborted.size, 0);
    world.settle();
    assert.equal(world.served, "abc");
  });

  it("replaces the session of a lighter rung that stands in, and has it in the ladder once", () => {
    const world = createAssigned("abc");
    world.broken.add("a");
    world.lose("a");
    world.settle();
    assert.equal(world.served, "bc");
    const reply = world.ask({ kind: "reload" });
    world.settle();
    assert.deepEqual([world.outcome(reply), world.served], ["done", "bc"]);
  });

  it("forgives a lighter rung that was in memory for long enough, and no other", () => {
    const world = createAssigned("ab");
    for (let i = 0; i < 5; i++) {
      assert.ok(world.sessions.has("b"));
      world.lose("b");
      world.settle();
    }
    assert.ok(!world.sessions.has("b"));
    for (const [quarantineMs, inMemoryMs, isForgiven] of [
      [5000, 1000, false],
      [10_000, MINUTE_MS, true],
    ] as const) {
      world.sleep(quarantineMs);
      assert.ok(world.sessions.has("b"), "its quarantine is over");
      world.sleep(MINUTE_MS);
      world.lose("b", inMemoryMs);
      world.settle();
      assert.equal(world.sessions.has("b"), isForgiven);
    }
  });

  it("warms rungs in memory for a larger batch", () => {
    const world = createAssigned("ab");
    world.assign("ab", {}, 8);
    world.settle();
    for (const variant of ["a", "b"]) assert.ok(world.sessions.get(variant)?.has(8), variant);
  });

  it("lets a session in memory stand in while a Switch loads, and waits where there is none", () => {
    const world = createAssigned("a");
    world.pin("b");
    world.lose("a");
    assert.deepEqual([world.served, loading(world)], ["", "b"]);
    world.settle();
    assert.equal(world.served, "b");
    world.ask({ kind: "unpin" });
    world.settle();
    const pinned = world.pin("c");
    world.lose("a");
    world.endSwap();
    assert.deepEqual([world.served, world.outcome(pinned)], ["b", undefined]);
    world.settle();
    assert.deepEqual([world.served, world.outcome(pinned)], ["c", "done"]);
  });

  it("takes a load over that a newer Switch needs too, and gives up one that none needs", () => {
    const world = createAssigned("c");
    world.assign("ac");
    const [first] = world.loads.keys();
    world.assign("ac", { budgetMs: 7 });
    assert.deepEqual([...world.loads.keys()], [first]);
    assert.equal(world.aborted.size, 0);
    world.pin("c");
    assert.ok(world.aborted.has(first as number));
  });

  it("does not give up a load in the background for a Switch to what is in memory", () => {
    const world = new SwitchingWorld();
    world.assign("ac");
    for (let i = 0; i < 2; i++) {
      for (const id of [...world.loads.keys()]) world.endLoad(id);
      world.endSwap();
    }
    world.assign("abc");
    world.endSwap();
    assert.equal(loading(world), "b");
    world.pin("c");
    world.endSwap();
    assert.deepEqual([world.served, loading(world), world.aborted.size], ["c", "b", 0]);
    world.settle();
  });

  it("gives up a load in the background for a Switch that loads, and begins it again after it", () => {
    const world = createAssigned("ad", { sizes: { a: 4, b: 3, c: 2, d: 1 } });
    world.assign("abd");
    world.endSwap();
    const [background] = world.loads.keys();
    assert.equal(loading(world), "b");
    world.pin("c");
    assert.deepEqual([...world.aborted], [background]);
    world.endLoad(background as number);
    assert.equal(loading(world), "c");
    world.settle();
    assert.equal(world.served, "c");
    assert.ok(world.sessions.has("b"));
  });

  it("puts an Assignment off for a pin, and goes to it when the pin is over", () => {
    const world = createAssigned("a");
    world.pin("c", 10_000);
    world.settle();
    const counter = world.assign("b");
    assert.deepEqual([world.codes(counter), world.served], [["pinned"], "c"]);
    world.sleep(9999);
    assert.equal(world.served, "c");
    world.sleep(1);
    assert.deepEqual([world.codes(counter), world.served], [["pinned", "done"], "b"]);
  });

  it("answers everybody when it closes", () => {
    const world = createAssigned("a");
    const profiled = world.ask({ kind: "profile", variant: "c", batches: [1] });
    const pinned = world.pin("b");
    world.tell({ kind: "close" });
    assert.deepEqual([world.outcome(pinned), world.outcome(world.pin("a"))], ["superseded", "shutting_down"]);
    for (const id of [...world.loads.keys()]) world.endLoad(id);
    assert.equal(world.outcome(profiled), "superseded");
    world.checkRest();
  });
});
