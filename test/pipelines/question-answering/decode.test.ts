import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VariscaleError } from "../../../domain/errors.ts";
import { decodeQuestion } from "../../../pipelines/question-answering/decode.ts";

const decode = (text: string, contentType = "text/plain"): string => decodeQuestion(Buffer.from(text), contentType);

function refuses(body: string | Uint8Array, contentType: string, pattern: RegExp): void {
  assert.throws(
    () => decodeQuestion(Buffer.from(body), contentType),
    (error: unknown) =>
      error instanceof VariscaleError &&
      error.code === "invalid_argument" &&
      pattern.test(error.message) &&
      /: send the question as text\/plain, or as application\/json/.test(error.message),
  );
}

describe("decodeQuestion()", () => {
  it("takes the whole body as text, or `question` of a JSON object", () => {
    assert.equal(decode(" Who designed the Korvex 12?\n"), "Who designed the Korvex 12?");
    assert.equal(decode("Where?", ""), "Where?");
    assert.equal(decode("Où?", "Text/Plain; charset=utf-8"), "Où?");
    assert.equal(decode('{"question": "Où?", "id": 3}', "application/json"), "Où?");
  });

  it("takes letters as they are written together", () => {
    assert.equal(decode("Ou\u0300?"), "Où?");
  });

  it("takes a thousand characters, whatever they take as bytes", () => {
    assert.equal(decode("ä".repeat(1000)).length, 1000);
    assert.equal(decode(`{"question":"${"\\u00e4".repeat(1000)}"}`, "application/json").length, 1000);
    refuses("a".repeat(1001), "text/plain", /has 1001 characters but at most 1000 are taken/);
    refuses("a".repeat(10_000), "text/plain", /the body has 10000 bytes/);
  });

  it("refuses what is no question", () => {
    refuses("", "text/plain", /the question has no word/);
    refuses(" ?! ", "text/plain", /the question has no word/);
    refuses(Uint8Array.of(0x57, 0xff, 0x3f), "text/plain", /the body \(3 bytes\) is not UTF-8/);
    refuses("Who?", "image/jpeg", /content type `image\/jpeg` is neither text\/plain nor application\/json/);
    refuses("Who?", "application/json", /the body is not JSON/);
    for (const json of ["null", "[]", "{}", '{"question": 3}', '"Who?"'])
      refuses(json, "application/json", /the body has no string `question`/);
  });
});
