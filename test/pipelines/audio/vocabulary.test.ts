import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { isCommand, type Word } from "../../../pipelines/audio/vocabulary.ts";

describe("isCommand()", () => {
  const commands: readonly (readonly Word[])[] = [
    ["light", "on"],
    ["door", "close"],
    ["blind", "up"],
    ["heat", "down", "three"],
  ];
  const others: readonly (readonly Word[])[] = [
    [],
    ["light"],
    ["on", "light"],
    ["light", "lamp"],
    ["light", "on", "two"],
    ["light", "up", "down"],
    ["light", "up", "two", "two"],
    ["two", "light", "up"],
  ];

  it("is a device, an action, and after up and down perhaps a number", () => {
    for (const words of commands) assert.equal(isCommand(words), true, words.join(" "));
    for (const words of others) assert.equal(isCommand(words), false, words.join(" "));
  });
});
