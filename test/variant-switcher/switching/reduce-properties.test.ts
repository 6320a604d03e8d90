import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { SwitchingWorld } from "./switching-world.ts";

const NAMES = "abcdef";
const SIZES = { a: 7, b: 5, c: 4, d: 3, e: 2, f: 1 };
const HOUR_MS = 3_600_000;

type Step = (world: SwitchingWorld) => void;

const name = fc.constantFrom(...NAMES);
const ladder = fc.subarray([...NAMES], { minLength: 1, maxLength: 5 }).map(names => names.join(""));
const ms = fc.constantFrom(1, 300, 1000, 5000, 60_000);

/** One thing that happens, and what of it is said when a case fails. */
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(ladder, fc.constantFrom(1, 4))
      .map(([names, batch]) => says(`assign ${names} ${batch}`, world => world.assign(names, {}, batch))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, ms)
      .map(([variant, ttlMs]) => says(`pin ${variant} ${ttlMs}`, world => world.pin(variant, ttlMs))),
  },
  { weight: 1, arbitrary: fc.constant(says("unpin", world => world.ask({ kind: "unpin" }))) },
  { weight: 1, arbitrary: fc.constant(says("start", world => world.tell({ kind: "start", last: null }))) },
  { weight: 1, arbitrary: fc.constant(says("reload", world => world.ask({ kind: "reload" }))) },
  { weight: 1, arbitrary: name.map(variant => says(`profile ${variant}`, world => profile(world, variant))) },
  { weight: 1, arbitrary: fc.constant(says("leave", leaveProfile)) },
  { weight: 1, arbitrary: fc.constant(says("end profile", endProfile)) },
  {
    weight: 8,
    arbitrary: fc.nat(3).map(at => says(`load ${at}`, world => world.endLoad([...world.loads.keys()][at] ?? -1))),
  },
  { weight: 6, arbitrary: fc.constant(says("swap", world => world.endSwap())) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(name, ms)
      .map(([variant, forMs]) => says(`lose ${variant}`, world => world.lose(variant, forMs))),
  },
  {
    weight: 1,
    arbitrary: name.map(variant => says(`lose the replacement of ${variant}`, world => world.loseReplacement(variant))),
  },
  { weight: 1, arbitrary: name.map(variant => says(`break ${variant}`, world => world.broken.add(variant))) },
  { weight: 1, arbitrary: name.map(variant => says(`mend ${variant}`, world => world.broken.delete(variant))) },
  { weight: 1, arbitrary: name.map(variant => says(`give up ${variant}`, world => world.giveUp(variant))) },
  { weight: 2, arbitrary: ms.map(forMs => says(`wait ${forMs}`, world => pass(world, forMs))) },
);

function says(text: string, run: (world: SwitchingWorld) => unknown): Step {
  return Object.assign((world: SwitchingWorld): void => void run(world), { toString: () => text });
}

/** One at a time, as the admin endpoint sees to. */
function profile(world: SwitchingWorld, variant: string): void {
  if (!world.state.profile) world.ask({ kind: "profile", variant, batches: [1, 2] });
}

function leaveProfile(world: SwitchingWorld): void {
  const { profile: asked } = world.state;
  if (asked) world.tell({ kind: "leave", caller: asked.reply });
}

/** A profile ends when it has heard of its load. */
function endProfile(world: SwitchingWorld): void {
  const { profile: asked } = world.state;
  if (asked && world.answers.has(asked.reply)) world.tell({ kind: "endProfile" });
}

/** Time passes while nothing that is on its way ends. */
function pass(world: SwitchingWorld, forMs: number): void {
  world.nowMs += forMs;
  world.tell({ kind: "wake" });
}

const cases = fc.record({ steps: fc.array(step, { maxLength: 60 }), memoryMiB: fc.constantFrom(7, 10, 14, 100) });

/** Each step is checked by the world itself; here, what holds once all has been answered. */
function play({ steps, memoryMiB }: { readonly steps: readonly Step[]; readonly memoryMiB: number }): SwitchingWorld {
  const defaultRungs = ["c", "f"].map(variant => ({ variant, maxBatch: 1 }));
  const world = new SwitchingWorld({ sizes: SIZES, memoryMiB, defaultRungs });
  for (const next of steps) next(world);
  world.settle();
  return world;
}

describe("the reducer of what a replica serves, after any order of events", () => {
  it("comes to rest: everybody is answered, and the newest Assignment is applied or refused once", () => {
    fc.assert(
      fc.property(cases, given => play(given).checkRest()),
      { numRuns: 500 },
    );
  });

  it("serves what should be, where all of it can be loaded and there is room", () => {
    fc.assert(
      fc.property(cases, ({ steps }) => {
        const world = play({ steps, memoryMiB: 100 });
        world.broken.clear();
        world.sleep(HOUR_MS);
        world.tell({ kind: "endProfile" });
        world.settle();
        if (world.state.applied || world.state.pin || world.state.isStarted) assert.equal(world.served, world.desired);
        for (const variant of world.desired) assert.ok(world.sessions.has(variant), `${variant} is not in memory`);
      }),
      { numRuns: 300 },
    );
  });

  it("serves a pin until it expires or is let go, whatever the scaler says", () => {
    fc.assert(
      fc.property(cases, name, fc.array(ladder, { maxLength: 5 }), ({ steps }, variant, ladders) => {
        const world = play({ steps, memoryMiB: 100 });
        world.broken.clear();
        const pinned = world.pin(variant, 10_000);
        world.settle();
        assert.deepEqual([world.outcome(pinned), world.served], ["done", variant]);
        for (const names of ladders) {
          const counter = world.assign(names);
          world.settle();
          assert.deepEqual([world.codes(counter), world.served], [["pinned"], variant]);
        }
        world.sleep(9999);
        assert.equal(world.served, variant);
        world.sleep(1);
        assert.equal(world.state.pin, null);
      }),
      { numRuns: 200 },
    );
  });

  it("has a floor that serves until the next one does or a new top has taken over, through all changes of rungs, where any two have room", () => {
    const floors = "ef";
    const rungs = fc.tuple(fc.subarray([..."abcd"], { minLength: 1 }), fc.constantFrom(...floors));
    const change = fc.tuple(rungs, fc.nat(3)).map(([[above, floor], at]) => {
      const names = [...above, floor].join("");
      const top = above[at % above.length] as string;
      return says(`assign ${names}, top ${top}`, world => world.assign(names, { top }));
    });
    const end = fc.constant(
      says("end", world => {
        world.endSwap();
        world.endLoad([...world.loads.keys()][0] ?? -1);
      }),
    );
    const steps = fc.array(fc.oneof(change, { weight: 3, arbitrary: end }), { maxLength: 60 });
    const sizes = Object.fromEntries([...NAMES].map(variant => [variant, 4]));
    const isServedByFloor = ({ served, sessions }: SwitchingWorld): boolean =>
      [...floors].some(floor => served.includes(floor) && sessions.has(floor));
    fc.assert(
      fc.property(steps, fc.constantFrom(8, 12), (taken, memoryMiB) => {
        const world = new SwitchingWorld({ sizes, memoryMiB });
        world.assign("df");
        world.settle();
        for (const next of taken) {
          const { applied } = world.state;
          const wasServed = isServedByFloor(world);
          next(world);
          if (!wasServed || isServedByFloor(world)) continue;
          assert.ok(world.state.applied !== applied, "a floor went before the new top took over");
          assert.ok(!world.sessions.has(world.desired.at(-1) ?? ""), "a floor in memory does not serve");
        }
        world.settle();
        assert.equal(world.served, world.desired);
        assert.ok(isServedByFloor(world));
      }),
      { numRuns: 300 },
    );
  });

  it("leaves nobody unanswered when it closes", () => {
    fc.assert(
      fc.property(cases, given => {
        const { steps, memoryMiB } = given;
        const world = new SwitchingWorld({ sizes: SIZES, memoryMiB });
        for (const next of steps) next(world);
        world.tell({ kind: "close" });
        assert.ok(world.state.loads.every(({ isAborted }) => isAborted));
        world.settle();
        assert.equal(world.state.current, null);
        assert.equal(world.unanswered, 0);
      }),
      { numRuns: 200 },
    );
  });
});
