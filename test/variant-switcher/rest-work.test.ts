import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import type { StageContract } from "../../domain/tensor.ts";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { type BodyOutcome, BodyReader, OpenBodies } from "../../runtime/http/body-reader.ts";
import { BufferPool } from "../../runtime/http/buffer-pool.ts";
import { countBytesElements } from "../../variant-switcher/bytes-elements.ts";
import { parseExactJson } from "../../variant-switcher/exact-json.ts";
import { inflateBody } from "../../variant-switcher/inflate-body.ts";
import { parsedBytes } from "../../variant-switcher/json-size.ts";
import { RequestLimits } from "../../variant-switcher/request-limits.ts";
import { RequestTooLarge } from "../../variant-switcher/request-too-large.ts";
import { RestReader } from "../../variant-switcher/rest-reader.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const fill = (unit: string, bytes = MIB): string => unit.repeat(Math.floor(bytes / unit.length));

/** Texts that a parser could try again and again, or that become much. All have a number of 16 digits, which is where numbers are looked for. */
const HOSTILE: Readonly<Record<string, string>> = {
  "escaped quotes in a text without end": `{"a":1234567890123456,"b":"${fill('\\"')}`,
  "backslashes in a text without end": `{"a":1234567890123456,"b":"${fill("\\")}`,
  "an escaped quote at the end": `{"a":1234567890123456,"b":"${fill('\\"')}\\`,
  "quotes alone": `[1234567890123456,${fill('"')}`,
  "one number of all digits": `[${fill("1")}]`,
  "long numbers": `[${fill("1234567890123456,")}1]`,
  "numbers with a wrong end": `[${fill("1234567890123456e")}`,
  "empty texts": `[1234567890123456,${fill('"",')}1]`,
  "empty arrays": `[1234567890123456,${fill("[],")}1]`,
  signs: `[1234567890123456,${fill("-")}`,
  nesting: `[1234567890123456,${fill("[")}`,
};

describe("work of the REST path against the size of what comes", () => {
  for (const [name, text] of Object.entries(HOSTILE))
    it(`reads a megabyte of ${name} in one pass`, () => {
      try {
        parsedBytes(Buffer.from(text));
        parseExactJson(text);
      } catch (error) {
        assert.ok(error instanceof VariscaleError, String(error));
      }
    });

  it("keeps the digits of long integers, and all else as it is", () => {
    const long = fc.bigInt({ min: 10n ** 15n, max: 2n ** 64n - 1n });
    const { tree } = fc.letrec(tie => ({
      tree: fc.oneof({ maxDepth: 3 }, tie("leaf"), fc.array(tie("tree")), fc.dictionary(fc.string(), tie("tree"))),
      leaf: fc.oneof(
        long,
        long.map(value => -value),
        fc.string({ unit: fc.constantFrom('"', "\\", "1234567890123456", "a", "ü", ",", "{") }),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constant(null),
      ),
    }));
    const write = (value: unknown): string => {
      if (typeof value === "bigint") return String(value);
      if (Array.isArray(value)) return `[${value.map(write)}]`;
      if (typeof value !== "object" || value === null) return JSON.stringify(value);
      return `{${Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`)}}`;
    };
    const mark = (value: unknown): unknown => {
      if (typeof value === "bigint") return String(value).length < 16 ? Number(value) : { "#": String(value) };
      if (Array.isArray(value)) return value.map(mark);
      if (typeof value !== "object" || value === null) return JSON.parse(JSON.stringify(value));
      return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mark(member)]));
    };
    fc.assert(
      fc.property(tree, value => {
        const read = (text: string): string => JSON.stringify(parseExactJson(text));
        const marked = JSON.stringify(mark(value));
        // A double that is written with 16 to 20 digits is a whole number, too.
        if (!/[:[,]-?[1-9]\d{15,}[,\]}]/.test(marked)) assert.equal(read(write(value)), marked);
      }),
      { numRuns: 2000 },
    );
  });

  it("counts at least what JSON of any kind becomes", () => {
    const names = Array.from({ length: 9000 }, (_, i) => i.toString(36));
    const kinds = {
      numbers: `[${fill("0,")}0]`,
      fractions: `[${fill("0.1,")}0]`,
      arrays: `[${fill("[],")}0]`,
      "nested arrays": `[${fill("[[0,1]],")}0]`,
      texts: `[${Array.from({ length: 150_000 }, (_, i) => `"${i.toString(36)}"`)}]`,
      "long integers": `[${fill("1234567890123456,")}0]`,
      members: `{${names.map(name => `"${name}":0`)}}`,
      objects: `[${names.slice(0, 4900).map(name => `{"${name}":0}`)}]`,
    };
    const script = `
      const { parseExactJson } = await import(${JSON.stringify(new URL("../../variant-switcher/exact-json.js", import.meta.url).href)});
      const texts = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
      const grown = texts.map(text => {
        gc();
        const before = process.memoryUsage().heapUsed;
        const parsed = parseExactJson(text);
        gc();
        return process.memoryUsage().heapUsed - before + (parsed === null ? 1 : 0);
      });
      process.stdout.write(JSON.stringify(grown));`;
    const child = spawnSync(
      process.execPath,
      ["--expose-gc", "--input-type=commonjs", "-e", `(async () => {${script}})()`],
      {
        input: JSON.stringify(Object.values(kinds)),
        encoding: "utf8",
      },
    );
    const grown = JSON.parse(child.stdout) as number[];
    for (const [i, [kind, text]] of Object.entries(kinds).entries()) {
      const counted = parsedBytes(Buffer.from(text));
      assert.ok(counted + MIB / 4 >= (grown[i] ?? Number.NaN), `${kind}: ${grown[i]} bytes, ${counted} counted`);
      assert.ok(counted <= 25 * text.length, `${kind}: ${counted} bytes of ${text.length}`);
    }
  });

  it("copies a body twice at most, into little more memory than has arrived, whatever its pieces", async () => {
    class CountingPool extends BufferPool {
      taken = 0;
      held = 0;
      override take(bytes: number): ArrayBuffer {
        const buffer = super.take(bytes);
        this.taken += buffer.byteLength;
        this.held += buffer.byteLength;
        return buffer;
      }
      override give(buffer: ArrayBuffer): boolean {
        this.held -= buffer.byteLength;
        return super.give(buffer);
      }
    }
    const pieces = fc.array(fc.oneof(fc.nat(10), fc.nat(5000), fc.nat(200_000)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(pieces, async lengths => {
        const buffers = new CountingPool(64 * MIB);
        const held = new ByteBudget(64 * MIB).hold();
        const body = new PassThrough();
        let outcome: BodyOutcome | undefined;
        const options = { maxBytes: 64 * MIB, held, bodies: new OpenBodies(buffers) };
        const reader = new BodyReader(body, options, ended => {
          outcome = ended;
        });
        let sent = 0;
        for (const length of lengths) {
          body.write(Buffer.alloc(length, sent % 251));
          sent += length;
          assert.equal(held.bytes, sent);
          assert.ok(buffers.held <= 2 * sent + 64 * KIB, `${buffers.held} bytes for ${sent}`);
        }
        body.end();
        await new Promise(resolve => body.once("close", resolve));
        assert.ok(outcome instanceof Buffer);
        assert.equal(outcome.length, sent);
        assert.ok(buffers.taken <= 4 * sent + 132 * KIB, `${buffers.taken} bytes were taken for ${sent}`);
        reader.stop();
        assert.equal(buffers.held, 0);
      }),
      { numRuns: 100 },
    );
  });

  it("inflates no more than there is room for", async () => {
    for (const maxBytes of [MIB, 4 * MIB]) {
      let charged = 0;
      const inflate = inflateBody(gzipSync(Buffer.alloc(64 * MIB)), "gzip", maxBytes, bytes => {
        charged += bytes;
        return null;
      });
      await assert.rejects(inflate, RequestTooLarge);
      assert.ok(charged <= maxBytes, `${charged} of ${maxBytes} bytes`);
    }
    let pieces = 0;
    const refusal = new VariscaleError("resource_exhausted", "no room");
    const inflate = inflateBody(gzipSync(Buffer.alloc(64 * MIB)), "gzip", 64 * MIB, () =>
      ++pieces < 3 ? null : refusal,
    );
    await assert.rejects(inflate, /no room/);
    assert.equal(pieces, 3);
  });

  it("counts each element of BYTES once, and what it becomes as a text", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.nat(100).map(elements => new Uint8Array(4 * elements)),
    );
    fc.assert(
      fc.property(bytes, given => {
        try {
          assert.ok(countBytesElements(given) <= given.length / 4);
        } catch (error) {
          assert.match(String(error), /is cut off/);
        }
      }),
    );
    const contract: StageContract = {
      inputs: [{ name: "t", datatype: "BYTES", shape: [-1, -1] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
    };
    const elements = 100_000;
    const parameters = { binary_data_size: 4 * elements };
    const head = JSON.stringify({ inputs: [{ name: "t", datatype: "BYTES", shape: [1, elements], parameters }] });
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(4 * elements)]);
    for (const times of [1, 2]) {
      let charged = 0;
      const reader = new RestReader(contract, () => 64 * MIB);
      // The second time the head is known.
      for (let i = 0; i < times; i++) {
        charged = 0;
        reader.read(body, head.length, given => {
          charged += given;
          return null;
        });
      }
      assert.ok(charged >= 100 * elements, `${charged} bytes`);
    }
    const narrow = new RestReader(contract, () => MIB);
    assert.throws(() => narrow.read(body, head.length, () => null), RequestTooLarge);
  });

  it("reads one long JSON in each turn of the event loop", async () => {
    const reader = new RestReader({ inputs: [], outputs: [] }, () => MIB);
    let turn = 0;
    let isOver = false;
    const countTurns = (): void => {
      turn++;
      if (!isOver) setImmediate(countTurns);
    };
    countTurns();
    const turns = await Promise.all(
      Array.from({ length: 5 }, async () => {
        await reader.findTurn(100_000);
        return turn;
      }),
    );
    isOver = true;
    assert.equal(new Set(turns).size, 5, turns.join());
    assert.equal(reader.findTurn(1000), null);
  });

  it("has room for what half of the memory that is left holds, and for a small request however little that is", () => {
    const limits = (leftMiB: number) => new RequestLimits({ queue: { maxBytes: 64 * MIB } } as never, () => leftMiB);
    assert.deepEqual(
      [1000, 100, 20, 1, 0].map(leftMiB => limits(leftMiB).maxParsedBytes / MIB),
      [128, 50, 10, 1, 1],
    );
    assert.equal(limits(0).budget.maxBytes, 65 * MIB);
  });

  it("refuses structures that no request has, before they are parsed", () => {
    const names = Array.from({ length: 10_001 }, (_, i) => `"${i}":0`).join();
    assert.throws(() => parsedBytes(Buffer.from("[".repeat(33))), /nested deeper than 32/);
    assert.throws(() => parsedBytes(Buffer.from(`{${names}}`)), /more than 10000/);
    assert.ok(parsedBytes(Buffer.from(`["${"[".repeat(33)}", "\\"${"[{:".repeat(9000)}"]`)) > 0);
  });
});

describe("a switcher that is asked for much", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;

  before(async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
  });
  after(async () => {
    await switcher.close();
    folder.delete();
  });

  const post = async (path: string, body: string | Buffer, headers = {}): Promise<readonly [number, string]> => {
    const sent = typeof body === "string" ? body : new Uint8Array(body);
    const response = await switcher.http(path, { method: "POST", headers, body: sent });
    return [response.status, await response.text()];
  };
  const inferPath = "/v2/models/affine/infer";

  it("refuses JSON that becomes much, also compressed and also where it is alone", async () => {
    const arrays = `[${fill("[],", 3 * MIB)}0]`;
    const gzip = { "content-encoding": "gzip" };
    for (const [body, headers] of [
      [arrays, {}],
      [gzipSync(arrays), gzip],
    ] as const) {
      const [status, text] = await post(inferPath, body, headers);
      assert.equal(status, 413);
      assert.match(text, /would take \d+ bytes once it is parsed, there is room for \d+\. Send fewer rows/);
    }
    assert.equal((await switcher.infer([1])).status, 200);
    assert.match(await switcher.metrics(), /switcher_request_bytes\{stage="affine"\} 0\n/);
  });

  it("answers escaped quotes without end with 400", async () => {
    const [status] = await post(inferPath, HOSTILE["escaped quotes in a text without end"] ?? "");
    assert.equal(status, 400);
  });

  it("takes little for its repository, and refuses loads before it reads what is asked for", async () => {
    const [indexStatus, text] = await post("/v2/repository/index", " ".repeat(64 * KIB + 1));
    assert.equal(indexStatus, 413);
    assert.match(text, /must not have more than 65536 bytes/);
    for (const change of ["load", "unload"])
      assert.equal((await post(`/v2/repository/models/affine/${change}`, "no JSON"))[0], 403);
  });

  it("cuts messages that quote what it was sent", async () => {
    const datatype = "x".repeat(100_000);
    const [status, text] = await post(inferPath, JSON.stringify({ inputs: [{ name: "x", datatype, shape: [1, 2] }] }));
    assert.equal(status, 400);
    assert.ok(text.length < 1200, `${text.length} characters`);
  });
});
