import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { boundsOf } from "../../../../pipelines/id-card/quad.ts";
import { joinRegions } from "../../../../pipelines/id-card/stages/join-regions.ts";
import { findTextRegions, MAP_HEIGHT, MAP_WIDTH } from "../../../../pipelines/id-card/stages/text-map.ts";

/** A map with bars of text: x, y, width, height, and by how much they fall per pixel. */
function mapWith(...bars: readonly (readonly [number, number, number, number, number?])[]): Uint8Array {
  const map = new Uint8Array(MAP_WIDTH * MAP_HEIGHT);
  for (const [left, top, width, height, slope = 0] of bars) {
    for (let x = left; x < left + width; x++) {
      for (let y = 0; y < height; y++) map[(Math.round(top + slope * (x - left)) + y) * MAP_WIDTH + x] = 250;
    }
  }
  return map;
}

describe("findTextRegions()", () => {
  it("encloses each bar with a margin, in photo pixels", () => {
    const regions = findTextRegions(mapWith([20, 30, 60, 6], [20, 60, 40, 6]));
    assert.equal(regions.length, 2);
    const { left, top, right, bottom } = boundsOf(regions[0]!.quad);
    assert.ok(left < 40 && left > 28, `left ${left}`);
    assert.ok(right > 160 && right < 172, `right ${right}`);
    assert.ok(top < 60 && top > 48, `top ${top}`);
    assert.ok(bottom > 72 && bottom < 84, `bottom ${bottom}`);
  });

  it("turns with the slope of the text", () => {
    const [region] = findTextRegions(mapWith([20, 30, 100, 6, 0.05]));
    const [x0, y0, x1, y1] = region!.quad;
    assert.ok(Math.abs((y1 - y0) / (x1 - x0) - 0.05) < 0.01);
  });

  it("finds nothing in an empty map, in specks and in what is unsure", () => {
    assert.deepEqual(findTextRegions(mapWith()), []);
    assert.deepEqual(findTextRegions(mapWith([10, 10, 1, 1])), []);
    assert.deepEqual(findTextRegions(mapWith([20, 30, 60, 6]).map(value => (value > 0 ? 100 : 0))), []);
  });

  it("takes any map", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 200 }), (seed, period) => {
        const map = Uint8Array.from({ length: MAP_WIDTH * MAP_HEIGHT }, (_, i) => ((i * seed) % (period * 251)) & 255);
        for (const { quad, score } of findTextRegions(map)) {
          assert.ok(quad.every(Number.isFinite));
          assert.ok(score >= 0.5 && score <= 1);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe("joinRegions()", () => {
  it("joins words of one line and keeps lines and columns apart", () => {
    const regions = findTextRegions(mapWith([20, 30, 30, 6], [60, 30, 30, 6], [20, 50, 30, 6], [200, 30, 30, 6]));
    const joined = joinRegions(regions);
    assert.equal(regions.length, 4);
    assert.equal(joined.length, 3);
    assert.ok(joined.some(({ quad }) => quad[2] - quad[0] > 140));
  });
});
