import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { FIELDS } from "../../../../pipelines/id-card/card.ts";
import { openCardRenderer } from "../../../../pipelines/id-card/generator/render-card.ts";

describe("openCardRenderer()", () => {
  it("gives the same card for the same seed and another for another", async () => {
    const render = openCardRenderer();
    const first = await render(7);
    const again = await render(7);
    const other = await render(8);
    assert.ok(Buffer.from(first.jpeg).equals(again.jpeg));
    assert.deepEqual(first.label, again.label);
    assert.notDeepEqual(first.label.fields, other.label.fields);
  });

  it("labels every line inside the photo, and no two at the same place", async () => {
    const render = openCardRenderer();
    for (let seed = 1000; seed < 1008; seed++) {
      const { label } = await render(seed);
      const lines = [...FIELDS.map(field => label.fields[field]), ...label.others];
      assert.equal(lines.length, 11);
      for (const { text, quad } of lines) {
        const xs = quad.filter((_, i) => i % 2 === 0);
        const ys = quad.filter((_, i) => i % 2 === 1);
        assert.ok(Math.min(...xs) > 0 && Math.max(...xs) < 640, `${seed} ${text} ${quad}`);
        assert.ok(Math.min(...ys) > 0 && Math.max(...ys) < 448, `${seed} ${text} ${quad}`);
      }
      const places = new Set(lines.map(({ quad }) => `${Math.round(quad[0] / 10)} ${Math.round(quad[1] / 10)}`));
      assert.equal(places.size, lines.length);
    }
  });
});
