import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { brokenAssertions } from "../../../gateway/signals.ts";
import type { LabelledItem, PipelineCode } from "../../../gateway/stage.ts";
import { type CardLabel, FIELDS, type Field, type PlacedText } from "../../../pipelines/id-card/card.ts";
import code from "../../../pipelines/id-card/index.ts";

async function labels(): Promise<CardLabel[]> {
  const taken: LabelledItem<CardLabel>[] = [];
  for await (const item of code.evaluation?.items(100) ?? []) taken.push(item);
  return taken.map(({ label }) => label);
}

/** Of a card as it is printed, with some fields read otherwise; null: not found. */
function broken(label: CardLabel, read: Partial<Record<Field, string | null>> = {}, others = label.others): string[] {
  const fields = FIELDS.flatMap((field): PlacedText[] => {
    const text = read[field] === undefined ? label.fields[field].text : read[field];
    return text === null ? [] : [{ ...label.fields[field], text }];
  });
  const lines = [...fields, ...others].map(({ text, quad }) => ({ text, quad, confidence: 1 }));
  return brokenAssertions(code as PipelineCode, { photo: null, regions: [], lines });
}

/** With another digit at this place. */
function replaced(number: string, place: number): string {
  const digit = (Number(number[place]) + 1) % 10;
  return number.slice(0, place) + digit + number.slice(place + 1);
}

describe("assertions of the id-card pipeline", () => {
  it("hold of every card as it is printed", async () => {
    for (const label of await labels()) assert.deepEqual(broken(label), []);
  });

  it("tell what is missing, dates that can't be, and what is no name", async () => {
    const [label] = await labels();
    assert.ok(label);
    assert.deepEqual(broken(label, { number: null }), ["allFields"]);
    assert.deepEqual(broken(label, { birth: "03.04.2041" }), ["datesInOrder"]);
    assert.deepEqual(broken(label, { birth: "03.04.1876" }), ["datesInOrder"]);
    assert.deepEqual(broken(label, { birth: "31.02.1980" }), ["datesExist"]);
    assert.deepEqual(broken(label, { surname: "BCDRTG" }), ["namesAreNames"]);
    assert.deepEqual(broken(label, { number: replaced(label.fields.number.text, 4) }), ["numberChecks"]);
    assert.deepEqual(broken(label, {}, [...label.others, ...label.others, ...label.others]), ["linesOfACard"]);
    assert.deepEqual(broken(label, Object.fromEntries(FIELDS.map(field => [field, null]))).sort(), [
      "allFields",
      "linesOfACard",
    ]);
  });

  it("tell every single digit of the document number that was taken for another", async () => {
    for (const label of (await labels()).slice(0, 20))
      for (let place = 2; place < 9; place++) {
        let number = label.fields.number.text;
        for (let other = 1; other < 10; other++) {
          number = replaced(number, place);
          assert.deepEqual(broken(label, { number }), ["numberChecks"], number);
        }
      }
  });
});
