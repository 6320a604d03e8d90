/** Ladders and waiting calls, for tests of the rule. */
import fc from "fast-check";
import { type Call, createRung, type Ladder, type Rung } from "../../../domain/serving/ladder.ts";

export const heavy = createRung("heavy", { points: [{ batch: 1, latencyMs: 40 }] }, 1);
export const middle = createRung("middle", { points: [{ batch: 1, latencyMs: 20 }] }, 1);
export const light = createRung("light", { points: [{ batch: 1, latencyMs: 5 }] }, 1);
export const LADDER = createLadder(heavy, middle, light);

export function createLadder(...rungs: readonly Rung[]): Ladder {
  return { rungs, others: [] };
}

export function floorAlone({ rungs }: Ladder): Ladder {
  return { rungs: rungs.slice(-1), others: [] };
}

export function call(softMs: number, fields: Partial<Call> = {}): Call {
  return { rows: 1, shape: "a", softMs, hardMs: 2 * softMs, variant: null, ...fields };
}

/** Rungs whose batches take a share of their time whatever their size: two batches never take less than one of both. */
export const ladders: fc.Arbitrary<Ladder> = fc
  .array(fc.record({ slower: fc.double({ min: 1, max: 3, noNaN: true }), most: fc.integer({ min: 0, max: 4 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .chain(steps =>
    fc
      .record({ fixed: fc.double({ min: 0, max: 1, noNaN: true }), crowding: fc.constantFrom(1, 1.5, 3) })
      .map(({ fixed, crowding }) => {
        let rowMs = 1;
        let maxBatch = 8;
        const rungs: Rung[] = steps.map(({ slower, most }, at) => {
          rowMs *= slower;
          maxBatch = Math.max(1, maxBatch - most);
          const points = [1, 2, 4, 8].map(batch => ({ batch, latencyMs: rowMs * (fixed + (1 - fixed) * batch) }));
          return createRung(`v${at}`, { points }, maxBatch);
        });
        return { ...createLadder(...rungs.toReversed()), crowding };
      }),
  );

/** Rungs as careless measurements have them: any times that do not fall with the rows, and any largest batches. */
export const wildLadders: fc.Arbitrary<Ladder> = fc
  .array(
    fc.record({
      ms: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 8, maxLength: 8 }),
      most: fc.integer({ min: 1, max: 8 }),
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map(rungs => {
    const measured = rungs.map(({ ms, most }, at) => {
      const points = ms.map((_, i) => ({
        batch: i + 1,
        latencyMs: ms.slice(0, i + 1).reduce((sum, more) => sum + more, 1),
      }));
      return createRung(`v${at}`, { points }, most);
    });
    return createLadder(...measured);
  });

export const waiting: fc.Arbitrary<readonly Call[]> = fc
  .array(
    fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      softMs: fc.double({ min: 0, max: 120, noNaN: true }),
      moreMs: fc.double({ min: 0, max: 60, noNaN: true }),
      shape: fc.constantFrom("a", "a", "a", "b"),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map(calls =>
    calls
      .map(({ moreMs, ...one }) => ({ ...one, hardMs: one.softMs + moreMs, variant: null }))
      .toSorted((a, b) => a.softMs - b.softMs),
  );
