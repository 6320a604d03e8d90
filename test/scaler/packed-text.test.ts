import assert from "node:assert/strict";
import fc from "fast-check";
import { packText, unpackText } from "../../scaler/packed-text.ts";

describe("packed texts", () => {
  it("come back as they were, whatever they hold", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 2000 }), text => {
        assert.equal(unpackText(packText(text)), text);
      }),
    );
  });

  it("are shorter, and have a byte a character, so that V8 keeps them as such", () => {
    const text = JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ variant: "größte", replicas: i % 7 })));
    const packed = packText(text);
    assert.ok(packed.length < text.length / 4, `${packed.length} of ${text.length}`);
    assert.ok([...packed].every(character => character.charCodeAt(0) < 256));
  });
});
