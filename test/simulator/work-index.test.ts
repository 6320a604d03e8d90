import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { expectedWorkMs } from "../../gateway/balance.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { serviceTables } from "../../simulator/service-table.ts";
import { SimReplica } from "../../simulator/sim-replica.ts";
import { WorkIndex } from "../../simulator/work-index.ts";
import { pipelineOf } from "../optimizer/problems.ts";

const [STAGE] = pipelineOf({
  stages: [
    {
      name: "s",
      variants: [
        { name: "a", latencyMs: { 1: 7, 4: 20 } },
        { name: "b", latencyMs: { 1: 31, 4: 90 } },
      ],
    },
  ],
}).stages;

describe("WorkIndex", () => {
  it("picks one with the least expected work, whatever has come, gone and changed", () => {
    const tables = STAGE ? serviceTables(STAGE, "stage") : [];
    const step = fc.record({
      kind: fc.constantFrom("join", "leave", "gain", "done", "serve"),
      at: fc.nat(20),
      rows: fc.integer({ min: 1, max: 6 }),
      variant: fc.integer({ min: 0, max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 5 }), (steps, rows) => {
        const index = new WorkIndex();
        const random = seededRandom(1);
        const open: SimReplica[] = [];
        for (const [id, { kind, at, rows: many, variant }] of steps.entries()) {
          const one = open[at % Math.max(1, open.length)];
          const table = tables[variant];
          if (kind === "join" && table) {
            const replica = new SimReplica(id, 0, `s-${id}`, 0);
            replica.balanceAs(table, many);
            replica.index = index;
            index.add(replica);
            open.push(replica);
          } else if (kind === "leave" && one) {
            index.remove(one);
            one.index = null;
            open.splice(open.indexOf(one), 1);
          } else if (kind === "gain") one?.gain(many);
          else if (kind === "done") one?.gain(-Math.min(many, one.outstandingRows));
          else if (kind === "serve" && table) one?.balanceAs(table, many);
          const picked = index.pick(rows, random);
          assert.equal(picked === null, open.length === 0);
          if (picked === null) continue;
          assert.ok(open.includes(picked));
          assert.equal(expectedWorkMs(picked, rows), Math.min(...open.map(other => expectedWorkMs(other, rows))));
        }
        const { rowMs, batch } = index.least;
        assert.equal(rowMs, Math.min(...open.map(other => other.rowMs)));
        assert.equal(batch, Math.min(...open.map(other => other.batch)));
      }),
    );
  });

  it("breaks ties at random", () => {
    const index = new WorkIndex();
    const table = STAGE ? serviceTables(STAGE, "stage")[0] : null;
    for (let id = 0; id < 4 && table; id++) {
      const replica = new SimReplica(id, 0, `s-${id}`, 0);
      replica.balanceAs(table, 1);
      index.add(replica);
    }
    const random = seededRandom(3);
    const picked = new Set(Array.from({ length: 60 }, () => index.pick(1, random)?.id));
    assert.equal(picked.size, 4);
  });
});
