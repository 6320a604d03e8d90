import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { framed, UnaryMessage } from "../../runtime/unary-message.ts";

describe("UnaryMessage", () => {
  it("says something of all bytes, and gives a message only where they are one", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), pieces => {
        const message = new UnaryMessage(30);
        const bytes = Buffer.concat(pieces);
        const isOne =
          bytes.length >= 5 && bytes[0] === 0 && bytes.readUInt32BE(1) === bytes.length - 5 && bytes.length <= 35;
        const problems = pieces.map(piece => message.add(Buffer.from(piece))).filter(problem => problem !== null);
        const whole = problems.length > 0 ? problems[0] : message.whole();
        assert.equal(Buffer.isBuffer(whole), isOne);
        if (Buffer.isBuffer(whole)) assert.deepEqual(whole, bytes.subarray(5));
      }),
      { examples: [[[framed(Buffer.from("one"))]], [[framed(Buffer.from("")), new Uint8Array()]]] },
    );
  });
});
