import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { brokenConstraint } from "../../agent/broken-constraint.ts";
import { DEFAULT_LIMITS } from "../../agent/limits.ts";
import type { AgentPort } from "../../agent/port.ts";
import { replay } from "../../agent/replay.ts";
import { parseTranscript, type TranscriptLine, transcriptText } from "../../agent/transcript.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { sessionOn, worldOf } from "./worlds.ts";

interface Told {
  readonly error?: string;
  readonly accepted?: boolean;
  readonly refused?: string | null;
  readonly distance?: number | null;
  readonly plan?: {
    readonly feasible: boolean;
    readonly cores: number;
    readonly stages: readonly { readonly variant: string }[];
  };
}

const tell = async (change: unknown, world = worldOf()): Promise<Told> =>
  (await sessionOn(world).session.call("propose", { change, why: "test" })) as Told;

describe("AgentSession", () => {
  it("accepts what keeps every constraint, and tells how far it is from the user's optimum", async () => {
    const same = await tell({ kind: "weights", weights: { accuracy: 1 } });
    assert.deepEqual([same.accepted, same.distance], [true, 0]);
    const cheap = await tell({ kind: "weights", weights: { cost: 0.05 } });
    assert.equal(cheap.accepted, true);
    assert.ok((cheap.distance ?? 0) > 0.001, `${cheap.distance}`);
    assert.ok((cheap.plan?.cores ?? 0) < (same.plan?.cores ?? 0));
    const light = await tell({ kind: "pins", pins: [{ stage: "detect", variant: "light" }] });
    assert.deepEqual([light.accepted, light.plan?.stages[0]?.variant], [true, "light"]);
    assert.ok((light.distance ?? 0) > 0.001);
  });

  it("refuses what would break a constraint or is not the agent's to set, and says why", async () => {
    const configuration = (replicas: number, batch = 1) => ({
      kind: "configuration",
      stages: ["detect", "read"].map(stage => ({ stage, variant: "heavy", batch, replicas })),
    });
    const refused: readonly (readonly [unknown, RegExp])[] = [
      [configuration(1), /could not carry the load/],
      [configuration(99), /replicas must be from 1 to 8/],
      [configuration(8, 3), /batch of 3 was not measured/],
      [{ kind: "configuration", stages: configuration(8).stages.slice(1) }, /must have every stage: "detect"/],
      [{ kind: "pins", pins: [{ stage: "read", variant: "huge" }] }, /no variant "huge": it is one of "heavy"/],
      [{ kind: "pins", pins: [{ stage: "write", variant: "heavy" }] }, /no stage "write"/],
      [
        {
          kind: "pins",
          pins: [
            { stage: "read", batch: 1 },
            { stage: "read", batch: 2 },
          ],
        },
        /named twice/,
      ],
      [{ kind: "forecastQuantile", quantile: 0.5 }, /must be one of 0.95, 0.99/],
      [{ kind: "weights", weights: { cost: 0 } }, /within a factor of 10/],
    ];
    for (const [change, why] of refused) {
      const told = await tell(change);
      assert.equal(told.accepted, false, JSON.stringify(change));
      assert.match(told.refused ?? "", why);
    }
    const limited = worldOf(twoStages({ objective: { minAccuracy: 0.9 } }), 5);
    assert.match(
      (await tell({ kind: "pins", pins: [{ stage: "read", variant: "light" }] }, limited)).refused ?? "",
      /less accurate than it must be/,
    );
    const narrow = worldOf(twoStages({ objective: { maxCores: 4 } }), 5);
    assert.match(
      (await tell({ kind: "pins", pins: [{ stage: "read", replicas: 8 }] }, narrow)).refused ?? "",
      /more cores than there may be/,
    );
  });

  it("checks nothing without load data, and accepts nothing", async () => {
    const world = worldOf();
    const port = {
      situation: async () => ({ ...(await world.situation()), forecast: null }),
      apply: () => assert.fail("must not be applied"),
    };
    const { session } = sessionOn(world, { port, mode: "act" });
    const told = (await session.call("propose", {
      change: { kind: "forecastQuantile", quantile: 0.99 },
      why: "",
    })) as Told;
    assert.match(told.refused ?? "", /no usable load data/);
    assert.ok(
      (
        (await session.call("evaluate", {
          stages: [{ stage: "read", variant: "heavy", batch: 1, replicas: 1 }],
        })) as Told
      ).error,
    );
  });

  it("tells of a port that fails, and goes on", async () => {
    const port = {
      situation: () => Promise.reject(new VariscaleError("unavailable", "the scaler is away")),
      apply: () => assert.fail("must not be applied"),
    };
    const { session, lines } = sessionOn(worldOf(), { port });
    assert.deepEqual(await session.call("get_state", {}), { error: "the scaler is away" });
    assert.equal(lines.length, 1);
  });

  it("passes the endpoint's key on nowhere when a reason repeats it", async () => {
    const key = "key-of-the-endpoint";
    const world = worldOf();
    const reasons: string[] = [];
    const port = {
      situation: () => world.situation(),
      apply: async (...[, , reason]: Parameters<AgentPort["apply"]>) => {
        reasons.push(reason);
      },
    };
    const { session, lines } = sessionOn(world, { port, mode: "act", key });
    const change = { kind: "weights", weights: { cost: 0.05 } };
    // Longer than a reason may be: cut off first, a part of the key would be left.
    const why = `my key is ${key}, ${"x".repeat(468)}${key}`;
    await session.call("propose", { change, why });
    assert.equal(session.proposals[0]?.applied, true);
    assert.deepEqual([reasons.length, session.proposals[0].input.why], [1, reasons[0]]);
    assert.match(reasons[0] ?? "", /^my key is \*\*\*, x+\*\*\*$/);
    assert.ok(!JSON.stringify(lines).includes("key-of"));
  });

  it("replays a transcript to the same verdicts, and notices one that was changed", async () => {
    const { session, lines } = sessionOn(worldOf(), { mode: "act" });
    const changes = [
      { kind: "weights", weights: { cost: 0.03, switch: 0.001 } },
      { kind: "pins", pins: [{ stage: "read", variant: "light", replicas: 2 }] },
      { kind: "pins", pins: [{ stage: "re\nad", variant: "light" }] },
      { kind: "forecastQuantile", quantile: 1 },
    ];
    for (const change of changes) await session.call("propose", { change, why: "because\u0000 of\nthis" });
    const start: TranscriptLine = {
      kind: "start",
      version: 1,
      at: "2026-01-01T00:00:00Z",
      mode: "act",
      model: "test",
      limits: DEFAULT_LIMITS,
      budget: { calls: 9, tokens: 9, seconds: 9 },
    };
    const text = [start, ...lines].map(line => transcriptText(line, null)).join("\n");
    const again = replay(parseTranscript(text, "test.jsonl"));
    assert.deepEqual(
      again.map(({ verdict, isSame }) => [verdict.accepted, isSame]),
      [
        [true, true],
        [true, true],
        [false, true],
        [false, true],
      ],
    );
    const forged = replay(
      parseTranscript(text.replace('"variant":"light","replicas":2', '"variant":"light","replicas":3'), "test.jsonl"),
    );
    assert.deepEqual(
      forged.map(({ isSame }) => isSame),
      [true, false, true, true],
    );
    assert.throws(() => parseTranscript('{"kind":"end"}', "x.jsonl"), /x\.jsonl: must begin with/);
    assert.throws(() => parseTranscript(`${text}\n{"kind":"what"}`, "x.jsonl"), /x\.jsonl, line \d+: is no line/);
  });

  it("never lets a plan break a constraint, whatever is proposed", async function () {
    this.timeout(120_000);
    const name = fc.constantFrom("detect", "read", "nowhere", "heavy", "middle", "light", "");
    const number = fc.oneof(fc.nat(12), fc.double(), fc.constantFrom(0.5, 0.95, 0.99, -1, 0.01, 1e9));
    const part = fc.record(
      { stage: name, variant: name, batch: number, replicas: number },
      { requiredKeys: ["stage"] },
    );
    const good = fc.record({
      stage: fc.constantFrom("detect", "read"),
      variant: fc.constantFrom("heavy", "middle", "light"),
      batch: fc.constantFrom(1, 2, 4),
      replicas: fc.integer({ min: 1, max: 8 }),
    });
    const change = fc.oneof(
      fc.record({
        kind: fc.constant("weights"),
        weights: fc.record({ accuracy: number, cost: number }, { requiredKeys: [] }),
      }),
      fc.record({
        kind: fc.constant("weights"),
        weights: fc.record({ cost: fc.double({ min: 0.0005, max: 0.05, noNaN: true }) }),
      }),
      fc.record({ kind: fc.constant("forecastQuantile"), quantile: number }),
      fc.record({ kind: fc.constant("pins"), pins: fc.array(fc.oneof(part, good), { maxLength: 3 }) }),
      fc.record({ kind: fc.constant("configuration"), stages: fc.array(fc.oneof(part, good), { maxLength: 3 }) }),
      fc.tuple(good, good).map(([a, b]) => ({
        kind: "configuration",
        stages: [
          { ...a, stage: "detect" },
          { ...b, stage: "read" },
        ],
      })),
      fc.anything(),
    );
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 20, maxLength: 20 }),
        fc.integer({ min: 5, max: 60 }),
        async (changes, rateRps) => {
          const world = worldOf(twoStages({ objective: { minAccuracy: 0.8, maxCores: 14 } }), rateRps, 300);
          const { session } = sessionOn(world, { mode: "act", limits: { ...DEFAULT_LIMITS, leastQuantile: 0.5 } });
          for (const proposed of changes) {
            const told = (await session.call("propose", { change: proposed, why: "" })) as Told;
            accepted += told.accepted ? 1 : 0;
            for (let second = 0; second < 5; second++) {
              world.advance(1);
              const board = world.board;
              assert.ok(board);
              assert.equal(brokenConstraint(world.situationNow(), board), null);
            }
          }
        },
      ),
      { numRuns: 12 },
    );
    assert.ok(accepted > 12, `${accepted} were accepted`);
  });
});
