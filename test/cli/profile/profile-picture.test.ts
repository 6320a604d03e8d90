import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { profilePicture } from "../../../cli/profile/profile-picture.ts";
import type { MeasurementsInput } from "../../../domain/profile-schema.ts";

const point = (batch: number, latencyMs: number) => ({ batch, latencyMs });
const MEASURED: MeasurementsInput = {
  apiVersion: "variscale.dev/v1alpha1",
  kind: "PipelineMeasurements",
  machine: { cpu: "a <fast> one", cores: 2 },
  date: "2026-01-02T00:00:00.000Z",
  stages: {
    read: {
      light: {
        cores: 1,
        points: [point(1, 3), point(2, 4), point(4, 6)],
        fit: { fixedMs: 2, rowMs: 1, largestResidual: 0, isotonicResidual: 0 },
      },
      heavy: { cores: 1, points: [point(1, 300)] },
    },
    find: { only: { cores: 1, points: [point(1, 5), point(2, 5)] } },
  },
};

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

describe("profilePicture()", () => {
  const svg = profilePicture(MEASURED);

  it("has a dot for each point in both charts, with its value, and a dashed line where there is a fit", () => {
    assert.equal(count(svg, /<circle /g), 2 * 6);
    assert.match(svg, /<title>light, batch 4: 6<\/title>/);
    // 4 rows in 6 ms.
    assert.match(svg, /<title>light, batch 4: 666\.7<\/title>/);
    assert.equal(count(svg, /class="line"/g), 2);
    assert.equal(count(svg, /class="measured"/g), 2 * 3);
  });

  it("draws the line through the points that it fits", () => {
    const [, line = ""] = /class="line" [^>]*d="M([^"]*)"/.exec(svg) ?? [];
    const ends = [line.split("L")[0], line.split("L").at(-1)];
    const dots = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>light, batch (?:1|4): (?:3|6)</g)];
    assert.deepEqual(
      ends,
      dots.map(([, x, y]) => `${x} ${y}`),
    );
  });

  it("names stages, variants and the machine, with nothing that would be read as tags, and no number that is none", () => {
    for (const name of ["read", "light", "heavy", "find", "only"]) assert.match(svg, new RegExp(`>${name}</tspan>`));
    assert.doesNotMatch(svg, /<fast>|NaN|Infinity/);
    assert.doesNotMatch(svg, /too noisy/);
    const noise = [{ stage: "read", variant: "light", batch: 1, spread: 0.8 }];
    assert.match(profilePicture({ ...MEASURED, noise }), /too noisy/);
  });
});
