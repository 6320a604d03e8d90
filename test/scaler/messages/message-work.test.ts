import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { VariscaleError } from "../../../domain/errors.ts";
import type { SwitcherReport__Output } from "../../../proto/generated/variscale/switcher/v1/SwitcherReport.ts";
import { parseTriggerMetadata } from "../../../scaler/metadata.ts";
import { parseReport } from "../../../scaler/switcher-messages.ts";

/** An error goes into logs, Events and the answer. */
const MOST_TOLD = 2500;

/** Counts what is read of a message: every member and every entry, as often as it is looked at. */
class CountedReads {
  count = 0;

  of<T>(value: T): T {
    if (typeof value !== "object" || value === null) return value;
    return new Proxy(value, {
      get: (target, key, receiver) => {
        this.count++;
        return this.of(Reflect.get(target, key, receiver));
      },
      ownKeys: target => {
        const keys = Reflect.ownKeys(target);
        this.count += keys.length;
        return keys;
      },
    });
  }
}

/** Members and entries of a message, those within others included. */
function countValues(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, part) => sum + countValues(part), 1);
}

/** Parses a message and tells how much of it was read, and what was said of it; null: it was taken. */
function take<T extends object>(message: T, parse: (message: T) => unknown): { reads: number; said: string | null } {
  const reads = new CountedReads();
  try {
    parse(reads.of(message));
    return { reads: reads.count, said: null };
  } catch (error) {
    assert.ok(error instanceof VariscaleError && error.code === "invalid_argument", String(error));
    return { reads: reads.count, said: error.message };
  }
}

const number = fc.oneof(fc.double(), fc.maxSafeNat(), fc.constant(-1), fc.constant(1));
/** Names as they should be, and texts up to what a message has room for. */
const text = fc.oneof(
  fc.constantFrom("heavy", "shop", "__proto__", "-", ""),
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.tuple(fc.constantFrom("a", ".", "a-", "-.", "ü", '"', "\\"), fc.nat(20_000)).map(([part, n]) => part.repeat(n)),
);
/** Lists of a handful, and such that few different entries fill. */
const list = <T>(entry: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> =>
  fc.oneof(
    fc.array(entry, { maxLength: 5 }),
    fc.tuple(entry, fc.nat(6000)).map(([one, n]) => Array.from({ length: n }, () => one)),
  );
const version = fc.option(fc.record({ epoch: number, counter: number }));

const hello = fc.record({
  protocolVersions: list(number),
  ...{ namespace: text, pipeline: text, stage: text, pod: text, address: text, softwareVersion: text },
  ...{ cores: number, memoryMib: number, applied: version, variant: text, ready: fc.boolean() },
  ...{ residentVariants: list(text), missingVariants: list(text) },
});
const status = fc.record({
  ...{ applied: version, variant: text, batch: number, ready: fc.boolean(), residentVariants: list(text) },
  ...{ protecting: fc.boolean(), pin: fc.option(fc.record({ variant: text, batch: number, expiresInMs: number })) },
  ...{ queuedRows: number, queueAgeMs: number, offeredRows: number, servedRows: number, droppedRows: number },
  ...{ switches: number, memoryMib: number, missingVariants: list(text) },
  serviceTimes: list(fc.record({ variant: text, rows: number, batches: number, totalMs: number })),
  variants: list(fc.record({ variant: text, state: text, reason: text, loadMs: number, memoryMib: number })),
});
const report = fc.oneof(
  hello.map(one => ({ report: "hello", hello: one })),
  status.map(one => ({ report: "status", status: one })),
  fc.record({ version, switchMs: number }).map(one => ({ report: "ack", ack: one })),
  fc.record({ version, code: text, message: text }).map(one => ({ report: "nack", nack: one })),
  fc.record({ value: text }).map(one => ({ report: "token", token: one })),
  fc.constant({}),
) as unknown as fc.Arbitrary<SwitcherReport__Output>;

describe("the work that messages to a scaler make, against their size", () => {
  it("reads each value of a switcher's message a few times, and says in few words what is wrong", () => {
    fc.assert(
      fc.property(report, message => {
        const { reads, said } = take(message, parseReport);
        const values = countValues(message);
        assert.ok(reads <= 4 * values + 100, `${reads} reads of ${values} values`);
        assert.ok((said ?? "").length <= MOST_TOLD, said ?? "");
      }),
      { numRuns: 100 },
    );
  });

  it("reads each key of a trigger's metadata a few times and none where there are too many, and says in few words what is wrong", () => {
    const key = fc.oneof(fc.constantFrom("pipeline", "stage", "pipelineFromEnv", "enableTLS", "unsafeSsl"), text);
    const few = fc.dictionary(key, text, { maxKeys: 64, noNullPrototype: false });
    const many = fc
      .tuple(text, fc.integer({ min: 65, max: 5000 }))
      .map(([value, n]) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`key${i}`, value])));
    fc.assert(
      fc.property(fc.oneof(few, many), metadata => {
        const { reads, said } = take(metadata, parseTriggerMetadata);
        const keys = Object.keys(metadata).length;
        assert.ok(reads <= (keys > 64 ? keys : 3 * keys + 4), `${reads} reads of ${keys} keys`);
        assert.ok((said ?? "").length <= MOST_TOLD, said ?? "");
      }),
      { numRuns: 100 },
    );
  });
});
