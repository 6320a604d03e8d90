import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readState, writeState } from "../../runtime/state-file.ts";

const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7);
const writer = fileURLToPath(new URL("./state-writer.js", import.meta.url));

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "variscale-state-"));
  path = join(folder, "state.json");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The reason, after checking that the file was kept aside and that its place is free. */
function corruptReason(text: string | Uint8Array): string {
  writeFileSync(path, text);
  const read = readState(path);
  assert.ok(read.kind === "corrupt", JSON.stringify(read));
  assert.deepEqual(readdirSync(folder), ["state.json.corrupt"]);
  assert.deepEqual(readFileSync(`${path}.corrupt`), Buffer.from(text));
  assert.deepEqual(readState(path), { kind: "absent" });
  assert.ok(read.reason.includes(path) && read.reason.includes(`kept as ${path}.corrupt`), read.reason);
  return read.reason;
}

/** A payload that `writer` wrote must be all of one write. */
function assertWhole(payload: unknown, bytes: number): number {
  const { n, filler } = payload as { n: number; filler: string };
  assert.equal(filler, String(n % 10).repeat(bytes));
  return n;
}

describe("writeState() and readState()", () => {
  it("give back any JSON, with the time of writing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async payload => {
        await writeState(path, payload, NOW_MS);
        const kept: unknown = JSON.parse(JSON.stringify(payload));
        assert.deepEqual(readState(path), { kind: "ok", payload: kept, savedAtMs: NOW_MS });
      }),
      { numRuns: 50 },
    );
    assert.deepEqual(readdirSync(folder), ["state.json"]);
  });

  it("write the envelope that the documents describe, readable by its owner alone", async () => {
    await writeState(path, { a: [1, "é"] }, NOW_MS);
    assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), {
      schemaVersion: 1,
      savedAt: "2026-03-04T05:06:07.000Z",
      sha256: createHash("sha256").update('{"a":[1,"é"]}').digest("hex"),
      payload: { a: [1, "é"] },
    });
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("make the directories that are missing", async () => {
    const deep = join(folder, "a/b/state.json");
    await writeState(deep, 1, NOW_MS);
    assert.equal(readState(deep).kind, "ok");
  });

  it("replace the state as one, whoever else writes and reads", async function () {
    this.timeout(300_000);
    const bytes = 200_000;
    const writers = [1, 2, 3].map(() => {
      const child = spawn(process.execPath, [writer, path, String(bytes), "40"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let told = "";
      child.stdout.on("data", data => {
        told += String(data);
      });
      return new Promise<string>(resolve => child.on("close", () => resolve(told)));
    });
    let running = true;
    const ended = Promise.all(writers).finally(() => {
      running = false;
    });
    let reads = 0;
    while (running) {
      const read = readState(path);
      assert.ok(read.kind === "ok" || (read.kind === "absent" && reads === 0), JSON.stringify(read).slice(0, 300));
      if (read.kind === "ok") {
        reads += 1;
        assertWhole(read.payload, bytes);
      }
      await new Promise(resolve => setImmediate(resolve));
    }
    for (const told of await ended) assert.match(told, /\n40\n$/);
    assert.ok(reads > 3);
    assert.deepEqual(readdirSync(folder), ["state.json"]);
  });

  it("leave the old state or the new one when the writer is killed", async function () {
    this.timeout(300_000);
    const bytes = 3_000_000;
    for (const lines of [1, 2, 3, 4]) {
      const child = spawn(process.execPath, [writer, path, String(bytes), "100000"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const closed = new Promise(resolve => child.on("close", resolve));
      let told = 0;
      for await (const line of createInterface(child.stdout)) {
        told = Number(line);
        if (told === lines) child.kill("SIGKILL");
      }
      await closed;
      const read = readState(path);
      assert.ok(read.kind === "ok", JSON.stringify(read).slice(0, 300));
      assert.ok(assertWhole(read.payload, bytes) >= told);
    }
  });
});

describe("readState()", () => {
  it("says that there is none", () => {
    assert.deepEqual(readState(path), { kind: "absent" });
    assert.deepEqual(readState(join(folder, "no/such/state.json")), { kind: "absent" });
  });

  it("keeps a file aside that was cut off anywhere", async () => {
    await writeState(path, { filler: "x".repeat(50) }, NOW_MS);
    const whole = readFileSync(path);
    for (const length of [0, 1, 20, 100, whole.length - 3]) {
      assert.match(corruptReason(whole.subarray(0, length)), /no JSON/);
      rmSync(`${path}.corrupt`);
    }
  });

  it("keeps a file aside whose payload is not the one that was hashed", async () => {
    await writeState(path, { replicas: 3 }, NOW_MS);
    const text = readFileSync(path, "utf8");
    assert.match(corruptReason(text.replace('"replicas":3', '"replicas":8')), /sha256 does not match/);
  });

  it("keeps a file aside that is no state", () => {
    const cases = {
      "schemaVersion is missing": ["{}", "[]", "null", "1", '"x"'],
      "schemaVersion is": ['{"schemaVersion":0}', '{"schemaVersion":"1"}', '{"schemaVersion":null}'],
      "savedAt is no time": ['{"schemaVersion":1}', '{"schemaVersion":1,"savedAt":"yesterday"}'],
      "sha256 does not match": [
        '{"schemaVersion":1,"savedAt":"2026-03-04T05:06:07.000Z"}',
        '{"schemaVersion":1,"savedAt":"2026-03-04T05:06:07.000Z","payload":1}',
      ],
    };
    for (const [reason, texts] of Object.entries(cases))
      for (const text of texts) {
        assert.ok(corruptReason(text).includes(reason), `${text}: ${reason}`);
        rmSync(`${path}.corrupt`);
      }
  });

  it("refuses the file of a newer version and does not let it be overwritten", async () => {
    const reason = corruptReason('{"schemaVersion":2,"savedAt":"2026-03-04T05:06:07.000Z","stages":[]}');
    assert.match(reason, /schemaVersion is 2, this version reads up to 1: run the newer version/);
    await writeState(path, 1, NOW_MS);
    assert.match(readFileSync(`${path}.corrupt`, "utf8"), /"schemaVersion":2/);
  });

  it("removes what killed writers left, but not what one is writing now", () => {
    for (const name of ["state.json.old.tmp", "state.json.new.tmp", "other.json.old.tmp"])
      writeFileSync(join(folder, name), "x");
    for (const name of ["state.json.old.tmp", "other.json.old.tmp"]) utimesSync(join(folder, name), 1000, 1000);
    readState(path);
    assert.deepEqual(readdirSync(folder).sort(), ["other.json.old.tmp", "state.json.new.tmp"]);
  });

  it("says what is in the way when the path can't be read", () => {
    mkdirSync(path);
    assert.throws(() => readState(path), { code: "failed_precondition", message: /state\.json: it is a directory/ });
    writeFileSync(join(folder, "file"), "");
    assert.throws(() => readState(join(folder, "file/state.json")), { message: /not a directory .*use another path/ });
  });

  it("does not read a file that is too large", () => {
    writeFileSync(path, "");
    truncateSync(path, 65 * 2 ** 20);
    const read = readState(path);
    assert.ok(read.kind === "corrupt" && /68157440 bytes, at most 64 MiB/.test(read.reason), JSON.stringify(read));
  });
});

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly stderr: string;
}

/** What the writer was told, under a shell command in which `$@` is the writer; null when the machine does not let us. */
function refusalUnder(
  shell: string,
  bytes: number,
  [program, ...args]: readonly [string, ...string[]],
): Refusal | null {
  const run = spawnSync(program, [...args, "-c", shell, "sh", process.execPath, writer, path, String(bytes)], {
    encoding: "utf8",
    env: { ...process.env, FOLDER: folder },
  });
  const line = run.stdout?.trim().split("\n").at(-1) ?? "";
  return line.startsWith("{") ? { ...JSON.parse(line), stderr: run.stderr } : null;
}

const IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh"] as const;

describe("writeState()", () => {
  it("refuses what is no JSON or too large, and keeps the old state", async () => {
    await writeState(path, 1, NOW_MS);
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    for (const payload of [undefined, () => 1, 1n, loop])
      await assert.rejects(writeState(path, payload, NOW_MS), { code: "invalid_argument", message: /no JSON/ });
    const large = "x".repeat(64 * 2 ** 20);
    await assert.rejects(writeState(path, large, NOW_MS), {
      code: "resource_exhausted",
      message: /64\.0 MiB, at most/,
    });
    assert.deepEqual(readState(path), { kind: "ok", payload: 1, savedAtMs: NOW_MS });
  });

  it("says what is in the way when the path is no file's, and leaves nothing behind", async () => {
    writeFileSync(join(folder, "file"), "");
    for (const wrong of ["file/state.json", "file/deeper/state.json"])
      await assert.rejects(writeState(join(folder, wrong), 1, NOW_MS), {
        code: "failed_precondition",
        message: /file\/.*not a directory .*use another path/,
      });
    mkdirSync(path);
    await assert.rejects(writeState(path, 1, NOW_MS), { code: "failed_precondition", message: /it is a directory/ });
    assert.deepEqual(readdirSync(folder).sort(), ["file", "state.json"]);
  });

  it("keeps the old state when the file size limit cuts the write off", async () => {
    await writeState(path, "old", NOW_MS);
    const error = refusalUnder('ulimit -f 16; "$@"', 1_000_000, ["sh"]);
    assert.equal(error?.code, "resource_exhausted");
    assert.match(error.message, /state\.json: the file size limit is reached .*raise the limit/);
    assert.deepEqual(readState(path), { kind: "ok", payload: "old", savedAtMs: NOW_MS });
    assert.deepEqual(readdirSync(folder), ["state.json"]);
  });

  it("keeps the old state when the disk is full", function () {
    const shell =
      'mount -t tmpfs -o size=1m tmpfs "$FOLDER" || exit; "$@"; "$1" "$2" "$3" 2000000; head -v -c 1000 "$FOLDER"/* >&2';
    const refusal = refusalUnder(shell, 10, IN_NAMESPACE);
    if (refusal === null) this.skip();
    assert.equal(refusal.code, "resource_exhausted");
    assert.match(refusal.message, /state\.json: the disk is full .*ENOSPC.*free space/);
    const left = /^==> (.*) <==\n(.*)\n$/.exec(refusal.stderr);
    assert.equal(left?.[1], path, "nothing but the old state is left");
    assert.deepEqual(JSON.parse(left[2] ?? "").payload, { n: 1, filler: "1111111111" });
  });

  it("says so when the file system is read-only", function () {
    const error = refusalUnder('mount -t tmpfs -o ro tmpfs "$FOLDER" || exit; "$@"', 10, IN_NAMESPACE);
    if (error === null) this.skip();
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, /state\.json: the file system is read-only .*EROFS.*writable directory/);
  });
});
