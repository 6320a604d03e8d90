import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readPastChanges } from "../../scaler/past-changes.ts";

describe("readPastChanges()", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    path = join(folder, "decisions.jsonl");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const START_MS = Date.parse("2026-11-26T09:00:00Z");
  /** As the journal writes it. */
  const modeLine = (n: number, pipeline = "cards"): string =>
    `${JSON.stringify({
      ...{ kind: "mode", at: new Date(START_MS + n).toISOString(), namespace: "shop", pipeline },
      ...{ mode: "shadow", before: "active", by: `user ${n}`, reason: "", shown: "token" },
      ...{ from: "10.0.0.1", forwardedFor: null },
    })}\n`;
  const decisionLine = (bytes: number): string => `{"kind":"decision","text":"${"é".repeat(bytes / 2)}"}\n`;
  const read = (mostBytes = 1e8) => readPastChanges({ paths: [path], keep: 3, mostBytes });
  const users = (pipeline = "shop/cards", mostBytes = 1e8) =>
    (read(mostBytes).byPipeline.get(pipeline) ?? []).map(({ by }) => Number(by.split(" ")[1]));

  it("gives the newest first, of every pipeline by itself, out of whatever else is logged", () => {
    const guard = '{"kind":"guard","at":"x"}\n';
    writeFileSync(
      path,
      [modeLine(1), decisionLine(600_000), guard, modeLine(2, "video"), modeLine(3), decisionLine(10)].join(""),
    );
    assert.deepEqual(users(), [3, 1]);
    assert.deepEqual(users("shop/video"), [2]);
    const { byPipeline, damaged, problem } = read();
    assert.deepEqual([damaged, problem], [0, null]);
    assert.deepEqual(byPipeline.get("shop/video"), [
      {
        ...{ kind: "mode", mode: "shadow", before: "active", atMs: START_MS + 2 },
        ...{ by: "user 2", reason: "", shown: "token" },
      },
    ]);
  });

  it("goes on in the files before, and keeps eight of a pipeline", () => {
    writeFileSync(`${path}.2`, Array.from({ length: 5 }, (_, i) => modeLine(i)).join(""));
    writeFileSync(`${path}.1`, Array.from({ length: 5 }, (_, i) => modeLine(5 + i)).join(""));
    writeFileSync(path, modeLine(10));
    assert.deepEqual(users(), [10, 9, 8, 7, 6, 5, 4, 3]);
  });

  it("skips what is damaged, and counts it", () => {
    const lines = [
      modeLine(1),
      "\u0000\u0000\n",
      modeLine(2).replace('"mode":"shadow"', '"mode":"asleep"'),
      `${modeLine(3).slice(0, 60)}\n`,
      '{"kind":"decision","cut\n',
      modeLine(4),
    ];
    writeFileSync(path, lines.join(""));
    appendFileSync(path, modeLine(5).slice(0, 30));
    assert.equal(read().damaged, 5);
    assert.deepEqual(users(), [4, 1]);
  });

  it("reads no more than it may, and takes the line that this cuts for none", () => {
    writeFileSync(`${path}.1`, modeLine(0));
    writeFileSync(path, [1, 2, 3].map(n => modeLine(n)).join(""));
    const bytes = Buffer.byteLength(modeLine(1));
    for (const [most, expected] of [
      [2.5 * bytes, [3, 2]],
      [0, []],
      [1e8, [3, 2, 1, 0]],
    ] as const) {
      assert.deepEqual(users("shop/cards", Math.floor(most)), expected);
      assert.equal(read(Math.floor(most)).damaged, 0);
    }
  });

  it("has nothing where there is no file, and says what can't be read", () => {
    assert.deepEqual(read(), { byPipeline: new Map(), damaged: 0, problem: null });
    mkdirSync(path);
    assert.match(read().problem ?? "", /decisions\.jsonl can't be read: EISDIR/);
  });
});
