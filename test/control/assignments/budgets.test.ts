import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { shareBudgets } from "../../../control/assignments/budgets.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { pipelineOf } from "../../optimizer/problems.ts";

const only = [{ name: "v", accuracy: 0.9, latencyMs: { 1: 1 } }];

/** Stages by name, each with those that must be done before it. */
function graph(stages: Readonly<Record<string, readonly string[]>>, sloMs: number, latencyMs = 0): Pipeline {
  const shapes = Object.entries(stages).map(([name, dependsOn]) => ({ name, dependsOn, variants: only }));
  return pipelineOf({ stages: shapes, sloMs, overhead: { latencyMs, cpuMs: 0 } });
}

describe("shareBudgets()", () => {
  it("gives each stage what is planned and a part by its root of the time that is left, less the pipeline's own", () => {
    const budgets = shareBudgets(
      graph({ a: [], b: ["a"], c: ["b"] }, 520, 20),
      { a: 25, b: 100, c: 100 },
      { b: 3, c: 4 },
    );
    assert.deepEqual(budgets, {
      a: { budgetMs: 80, laterBudgetMs: 420, laterLeastMs: 7 },
      b: { budgetMs: 210, laterBudgetMs: 210, laterLeastMs: 4 },
      c: { budgetMs: 210, laterBudgetMs: 0, laterLeastMs: 0 },
    });
  });

  it("shortens what is planned in proportion where it takes more than the SLO", () => {
    const budgets = shareBudgets(graph({ a: [], b: ["a"] }, 100), { a: 50, b: 150 }, {});
    assert.deepEqual(budgets["a"], { budgetMs: 25, laterBudgetMs: 75, laterLeastMs: 0 });
  });

  it("goes by the longest path of a graph", () => {
    const diamond = graph({ a: [], short: ["a"], long: ["a"], end: ["short", "long"] }, 134);
    const budgets = shareBudgets(diamond, { a: 16, short: 9, long: 64, end: 36 }, { short: 9, long: 2, end: 1 });
    // 18 ms are left, one for each of the longest path's 4 + 8 + 6 roots.
    assert.deepEqual(budgets["a"], { budgetMs: 20, laterBudgetMs: 114, laterLeastMs: 10 });
    assert.deepEqual(budgets["short"], { budgetMs: 12, laterBudgetMs: 42, laterLeastMs: 1 });
  });

  it("gives all stages the same where the plan does not say what they take, and nothing where no time is left", () => {
    const chain = graph({ a: [], b: ["a"] }, 100);
    for (const planned of [{}, { a: 5 }, { a: 5, b: Number.POSITIVE_INFINITY }, { a: 0, b: 0 }])
      assert.deepEqual(shareBudgets(chain, planned, {})["a"], { budgetMs: 50, laterBudgetMs: 50, laterLeastMs: 0 });
    assert.equal(shareBudgets(graph({ a: [] }, 100, 200), { a: 5 }, {})["a"]?.budgetMs, 0);
  });

  it("never gives the stages of a path more than the SLO", () => {
    const stageCount = 6;
    const edges = fc.array(fc.array(fc.boolean(), { minLength: stageCount, maxLength: stageCount }), {
      minLength: stageCount,
      maxLength: stageCount,
    });
    const times = fc.array(fc.double({ min: 0.01, max: 1e4, noNaN: true }), {
      minLength: stageCount,
      maxLength: stageCount,
    });
    fc.assert(
      fc.property(edges, times, fc.double({ min: 1, max: 1e4, noNaN: true }), (isAfter, ms, sloMs) => {
        const dependsOn = Object.fromEntries(
          isAfter.map((row, s) => [`s${s}`, row.flatMap((has, d) => (has && d < s ? [`s${d}`] : []))]),
        );
        const planned = Object.fromEntries(ms.map((own, s) => [`s${s}`, own]));
        const budgets = shareBudgets(graph(dependsOn, sloMs), planned, planned);
        // Every path ends somewhere: from each stage on, its own share and that of the longest path behind it.
        const pathMs: Record<string, number> = {};
        for (const [name, before] of Object.entries(dependsOn)) {
          const { budgetMs, laterBudgetMs } = budgets[name]!;
          const beforeMs = Math.max(0, ...before.map(other => pathMs[other] ?? 0));
          pathMs[name] = beforeMs + budgetMs;
          assert.ok(pathMs[name] + laterBudgetMs <= sloMs * (1 + 1e-9), `${name}: ${pathMs[name]} + ${laterBudgetMs}`);
        }
      }),
    );
  });
});
