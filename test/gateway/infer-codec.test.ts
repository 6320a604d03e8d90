import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { DATATYPES, type StageContract } from "../../domain/tensor.ts";
import { decodeInferResponse, encodeInferRequest } from "../../gateway/infer-codec.ts";
import { formatShares, readRungs, sumRows } from "../../gateway/rows-by-variant.ts";
import type { Row } from "../../gateway/stage.ts";
import { bytesOf, bytesPerElement, elementsOf } from "../../runtime/tensor-data.ts";

const numeric = DATATYPES.filter(datatype => datatype !== "BYTES");

/** A request and a response have the same form, so what was encoded can be decoded when the contract is turned round. */
function roundTrip(contract: StageContract, rows: readonly Row[], padding: number): readonly Row[] {
  const encoded = encodeInferRequest({ inputs: contract.outputs, outputs: [] }, rows, {
    id: "i",
    timeoutMs: 10,
    sloTimeoutMs: 10,
  });
  const [header = new Uint8Array(), ...tensors] = encoded.parts;
  const parsed = JSON.parse(Buffer.from(header).toString()) as { inputs: unknown };
  const answer = Buffer.from(" ".repeat(padding) + JSON.stringify({ model_version: "v", outputs: parsed.inputs }));
  const body = Buffer.concat([answer, ...tensors]);
  assert.equal(encoded.headerBytes, header.byteLength);
  return decodeInferResponse({ contract, variants: [] }, rows.length, body, String(answer.byteLength)).outputs;
}

describe("the infer codec", () => {
  it("carries rows of every datatype, aligned or not", () => {
    const tensor = fc.record({ datatype: fc.constantFrom(...numeric), width: fc.integer({ min: 0, max: 5 }) });
    const property = fc.property(
      fc.array(tensor, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(8),
      fc.uint8Array({ minLength: 300, maxLength: 300 }),
      (tensors, count, padding, seed) => {
        const outputs = tensors.map((t, i) => ({ name: `t${i}`, datatype: t.datatype, shape: [-1, t.width, 1] }));
        const rows = Array.from({ length: count }, (_, index): Row => {
          const make = (t: (typeof tensors)[number], i: number) => {
            const bytes = seed.slice(index * 7 + i, index * 7 + i + t.width * bytesPerElement(t.datatype));
            return [`t${i}`, { datatype: t.datatype, shape: [t.width, 1], data: elementsOf(t.datatype, bytes) }];
          };
          return Object.fromEntries(tensors.map(make));
        });
        const decoded = roundTrip({ inputs: [], outputs }, rows, padding);
        decoded.forEach((row, index) => {
          for (const [name, { datatype, shape, data }] of Object.entries(row)) {
            const original = rows[index]?.[name];
            assert.deepEqual({ datatype, shape }, { datatype: original?.datatype, shape: original?.shape });
            assert.deepEqual(bytesOf(data), bytesOf(original!.data));
          }
        });
      },
    );
    fc.assert(property);
  });

  it("says how much time is left, never more of the SLO than at all, and at least a millisecond", () => {
    const timesFor = (timeoutMs: number, sloTimeoutMs: number) => {
      const { parts } = encodeInferRequest({ inputs: [], outputs: [] }, [], { id: "i", timeoutMs, sloTimeoutMs });
      return (JSON.parse(Buffer.from(parts[0]!).toString()) as { parameters: unknown }).parameters;
    };
    assert.deepEqual(timesFor(300.7, 99.9), { timeout_ms: 300, slo_timeout_ms: 99 });
    assert.deepEqual(timesFor(80, 200), { timeout_ms: 80, slo_timeout_ms: 80 });
    assert.deepEqual(timesFor(80, -5), { timeout_ms: 80, slo_timeout_ms: 1 });
    assert.deepEqual(timesFor(0.2, 0.1), { timeout_ms: 1, slo_timeout_ms: 1 });
  });

  it("throws a VariscaleError for whatever else a replica may answer", () => {
    const contract: StageContract = { inputs: [], outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }] };
    const output = fc.record(
      {
        name: fc.constantFrom("y", "z", 1),
        datatype: fc.constantFrom("FP32", "INT8", null),
        shape: fc.oneof(fc.constant([1, 2]), fc.array(fc.oneof(fc.integer(), fc.constant(null))), fc.string()),
        parameters: fc.oneof(
          fc.record({ binary_data_size: fc.oneof(fc.constant(8), fc.anything()) }),
          fc.constant(null),
        ),
      },
      { requiredKeys: [] },
    );
    const answer = fc.oneof(
      fc.json(),
      fc.record({ outputs: fc.array(output), parameters: fc.anything() }).map(value => JSON.stringify(value)),
    );
    let refused = 0;
    const property = fc.property(
      answer,
      fc.uint8Array({ maxLength: 20 }),
      fc.string({ maxLength: 5 }),
      (text, data, length) => {
        const header = Buffer.from(text ?? "");
        for (const headerLength of [String(header.byteLength), length, undefined]) {
          try {
            decodeInferResponse({ contract, variants: [] }, 1, Buffer.concat([header, data]), headerLength);
          } catch (error) {
            assert.ok(error instanceof VariscaleError, String(error));
            refused += 1;
          }
        }
      },
    );
    fc.assert(property, { numRuns: 500 });
    assert.ok(refused > 1000);
  });
});

describe("readRungs()", () => {
  const VARIANTS = ["small", "v4-256"];

  it("reads the rows that each variant served", () => {
    assert.deepEqual(
      readRungs("v4-256=6,small=2", 8, VARIANTS),
      new Map([
        ["v4-256", 6],
        ["small", 2],
      ]),
    );
  });

  for (const wrong of [
    undefined,
    8,
    "",
    "small",
    "small=8,",
    "small=0,v4-256=8",
    "small=-1,v4-256=9",
    "small=2.5,v4-256=5.5",
    "small=4,small=4",
    "small=4,other=4",
    "small=2,v4-256=5",
    "small=1e1",
    `small=8${" ".repeat(5000)}`,
  ])
    it(`ignores ${JSON.stringify(wrong)?.slice(0, 40)}`, () => {
      assert.equal(readRungs(wrong, 8, VARIANTS), null);
    });
});

describe("formatShares()", () => {
  it("names a variant alone as it is, and several with their shares, the one of most rows first", () => {
    assert.equal(formatShares(new Map([["a", 3]])), "a");
    assert.equal(
      formatShares(
        new Map([
          ["b", 1],
          ["a", 3],
        ]),
      ),
      "a:0.75+b:0.25",
    );
    assert.equal(
      formatShares(
        new Map([
          ["c", 1],
          ["b", 1],
          ["a", 1],
        ]),
      ),
      "a:0.333+b:0.333+c:0.333",
    );
    assert.equal(
      formatShares(
        new Map([
          ["a", 1],
          ["b", 9999],
        ]),
      ),
      "b:1+a:0.0001",
    );
  });
});

describe("sumRows()", () => {
  it("adds up what replicas served by the same variant", () => {
    const parts = [
      new Map([["a", 1]]),
      new Map([
        ["b", 2],
        ["a", 3],
      ]),
    ];
    assert.deepEqual(
      sumRows(parts),
      new Map([
        ["a", 4],
        ["b", 2],
      ]),
    );
  });
});
