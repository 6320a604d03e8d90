import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { AuditFile } from "../../scaler/audit-file.ts";
import { until } from "../support/until.ts";

describe("AuditFile", () => {
  let folder: string;
  let problems: (string | null)[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    problems = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const open = (path: string, maxBytes = 1000, keep = 2) =>
    new AuditFile({ path, maxBytes, keep, onWrite: problem => problems.push(problem) });
  const lines = (path: string) =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map(line => JSON.parse(line));

  it("appends lines in order, to what is there, and makes its folder", async () => {
    const path = join(folder, "deep", "er", "log.jsonl");
    for (const from of [0, 5]) {
      const file = open(path);
      for (let i = from; i < from + 5; i++) file.append({ i });
      await file.close();
    }
    assert.deepEqual(
      lines(path).map(line => line.i),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.ok(problems.every(problem => problem === null));
  });

  it("keeps its size bounded, and the newest lines", async () => {
    const path = join(folder, "log.jsonl");
    const file = open(path, 500, 2);
    for (let i = 0; i < 100; i++) {
      file.append({ i, text: "x".repeat(50) });
      await file.close();
    }
    for (const name of [path, `${path}.1`, `${path}.2`]) assert.ok(statSync(name).size <= 500, name);
    assert.ok(!existsSync(`${path}.3`));
    const kept = [`${path}.2`, `${path}.1`, path].flatMap(lines).map(line => line.i);
    assert.deepEqual(
      kept,
      Array.from({ length: kept.length }, (_, i) => 100 - kept.length + i),
    );
  });

  it("tells that a disk is full, loses those lines, counts them and goes on", async function () {
    if (!existsSync("/dev/full")) return this.skip();
    const file = open("/dev/full");
    file.append({ a: 1 });
    file.append({ a: 2 });
    await file.close();
    assert.equal(file.lost, 2);
    assert.match(problems[0] ?? "", /cannot write \/dev\/full: ENOSPC.*make room/);
  });

  it("begins a new line behind one that a full disk has cut off", async () => {
    const path = join(folder, "log.jsonl");
    writeFileSync(path, '{"i":0}\n{"i":1,"text":"cut o');
    const file = open(path);
    file.append({ i: 2 });
    file.append({ i: 3 });
    await file.close();
    const written = readFileSync(path, "utf8");
    assert.equal(written, '{"i":0}\n{"i":1,"text":"cut o\n{"i":2}\n{"i":3}\n');
  });

  it("works again when the folder does", async () => {
    const blocked = join(folder, "state");
    writeFileSync(blocked, "a file where the folder should be");
    const file = open(join(blocked, "log.jsonl"));
    file.append({ a: 1 });
    await file.close();
    assert.match(problems[0] ?? "", /cannot write/);
    rmSync(blocked);
    mkdirSync(blocked);
    file.append({ a: 2 });
    await file.close();
    assert.equal(problems.at(-1), null);
    assert.deepEqual(lines(join(blocked, "log.jsonl")), [{ a: 2 }]);
  });

  it("goes on in a new file after a while when somebody moved it, and loses nothing", async () => {
    const path = join(folder, "log.jsonl");
    const file = new AuditFile({ path, maxBytes: 1e6, keep: 2, reopenMs: 100, onWrite: told => problems.push(told) });
    file.append({ i: 0 });
    await until(() => existsSync(path));
    renameSync(path, `${path}.moved`);
    for (let i = 1; !existsSync(path); i++) {
      assert.ok(i < 10_000, "it does not");
      file.append({ i });
      await sleep(10);
    }
    await file.close();
    const kept = [`${path}.moved`, path].flatMap(lines).map(line => line.i);
    assert.deepEqual(kept, [...kept.keys()]);
    assert.ok(kept.length > 1 && problems.every(problem => problem === null));
  });

  it("bounds what waits for a slow disk", async () => {
    const path = join(folder, "log.jsonl");
    const file = open(path, 1e9);
    for (let i = 0; i < 2500; i++) file.append({ i });
    await file.close();
    assert.equal(file.lost, 500);
    assert.equal(lines(path).length, 2000);
  });
});
