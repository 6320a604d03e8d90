import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { decisionsOf, extended, type Point, peaksThatCame } from "../../dashboard/history.ts";
import {
  type LiveHistory,
  PIPELINE_COLUMNS,
  type PipelineColumn,
  STAGE_COLUMNS,
  type StageColumn,
} from "../../dashboard/live-view.ts";

/** What a scaler with one stage sends. */
function historyOf(
  atMs: readonly number[],
  of: (at: number) => Partial<Record<PipelineColumn | StageColumn | "decisionId", number | string | null>>,
): LiveHistory {
  const column = (name: string) => atMs.map(at => (of(at) as Record<string, number | null>)[name] ?? null);
  const columns = <K extends string>(names: readonly K[]) =>
    Object.fromEntries(names.map(name => [name, column(name)])) as Record<K, (number | null)[]>;
  return {
    atMs,
    decisionId: atMs.map(at => (of(at).decisionId ?? null) as string | null),
    values: columns(PIPELINE_COLUMNS),
    stages: [columns(STAGE_COLUMNS)],
  };
}

const seconds = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => 1000 * (from + i));

describe("extended()", () => {
  const times = (points: readonly Point[]) => points.map(point => point.atMs);

  it("adds what came, and keeps fifteen minutes", () => {
    const first = extended(
      [],
      historyOf(seconds(0, 800), () => ({})),
    );
    const both = extended(
      first,
      historyOf(seconds(800, 1000), () => ({ loadRps: 7 })),
    );
    assert.deepEqual(times(both), seconds(100, 1000));
    assert.equal(both.at(-1)?.values.loadRps, 7);
    assert.equal(
      extended(
        both,
        historyOf([], () => ({})),
      ),
      both,
    );
  });

  it("starts anew when the clock was set back, and when the stages are others", () => {
    const known = extended(
      [],
      historyOf(seconds(50, 60), () => ({})),
    );
    assert.deepEqual(
      times(
        extended(
          known,
          historyOf(seconds(10, 12), () => ({})),
        ),
      ),
      [10_000, 11_000],
    );
    const other = { ...historyOf(seconds(60, 61), () => ({})), stages: [] };
    assert.deepEqual(times(extended(known, other)), [60_000]);
  });
});

describe("peaksThatCame()", () => {
  it("is the highest second within each horizon, once that is over", () => {
    const load = [5, 1, 9, 2, 3, 4];
    const points = extended(
      [],
      historyOf(seconds(0, 6), at => ({ loadRps: load[at / 1000] ?? null, horizonMs: 2000 })),
    );
    assert.deepEqual(peaksThatCame(points), [9, 9, 3, 4, null, null]);
  });

  it("says nothing where a second is not known, or there was no forecast", () => {
    const points = extended(
      [],
      historyOf(seconds(0, 5), at => ({
        loadRps: at === 2000 ? null : 1,
        horizonMs: at === 3000 ? null : 1000,
      })),
    );
    assert.deepEqual(peaksThatCame(points), [1, null, 1, null, null]);
  });
});

describe("decisionsOf()", () => {
  it("tells decisions that changed what is served from those that did not, newest first", () => {
    const points = extended(
      [],
      historyOf(seconds(0, 12), at => ({
        decisionId: `d-1-${Math.floor(at / 3000)}`,
        // The third decision takes a second to be done.
        variant: at < 7000 ? 0 : 1,
        replicasNow: 2,
      })),
    );
    assert.deepEqual(
      decisionsOf(points).map(({ decisionId, atMs, changes }) => [decisionId, atMs, changes]),
      [
        ["d-1-3", 9000, false],
        ["d-1-2", 6000, true],
        ["d-1-1", 3000, false],
        ["d-1-0", 0, false],
      ],
    );
  });
});
