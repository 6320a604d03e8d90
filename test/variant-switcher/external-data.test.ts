import assert from "node:assert/strict";
import { describe, it } from "mocha";
import protobuf from "protobufjs/minimal.js";
import { usesExternalData } from "../../variant-switcher/external-data.ts";
import { affineModel } from "../support/models.ts";

type Field = readonly [number: number, value: Uint8Array];

function encode(...fields: readonly Field[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const [number, value] of fields) writer.uint32(number * 8 + 2).bytes(value);
  return writer.finish();
}

/** A tensor that is kept in another file: its field `external_data` says in which. */
const EXTERNAL = encode([8, Buffer.from("w")], [13, encode([1, Buffer.from("location")], [2, Buffer.from("w.bin")])]);
const INLINE = encode([8, Buffer.from("w")], [9, Buffer.alloc(4)]);

/** Models with this tensor in each of the places that ONNX has for one. */
const PLACES: Readonly<Record<string, (tensor: Uint8Array) => Uint8Array>> = {
  "an initializer": tensor => encode([7, encode([5, tensor])]),
  "a sparse initializer's values": tensor => encode([7, encode([15, encode([1, tensor])])]),
  "a sparse initializer's indices": tensor => encode([7, encode([15, encode([2, tensor])])]),
  "an attribute of a node": tensor => encode([7, encode([1, encode([5, encode([5, tensor])])])]),
  "a list in an attribute": tensor => encode([7, encode([1, encode([5, encode([10, tensor])])])]),
  "a sparse attribute": tensor => encode([7, encode([1, encode([5, encode([22, encode([1, tensor])])])])]),
  "a graph within a graph": tensor => encode([7, encode([1, encode([5, encode([6, encode([5, tensor])])])])]),
  "a node of a function": tensor => encode([25, encode([7, encode([5, encode([5, tensor])])])]),
  "a default value of a function's attribute": tensor => encode([25, encode([11, encode([5, tensor])])]),
  "a graph in a default value": tensor => encode([25, encode([11, encode([6, encode([5, tensor])])])]),
};

describe("usesExternalData()", () => {
  for (const [place, makeModel] of Object.entries(PLACES))
    it(`looks at ${place}`, () => {
      assert.equal(usesExternalData(makeModel(EXTERNAL)), true);
      assert.equal(usesExternalData(makeModel(INLINE)), false);
    });

  it("sees a location that is written in more bytes than it needs", () => {
    const tensor = Buffer.from([14 * 8, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
    assert.equal(usesExternalData(encode([7, encode([5, tensor])])), true);
    assert.equal(usesExternalData(encode([7, encode([5, Buffer.from([14 * 8, 0])])])), false);
  });

  it("is not led astray by a number of many bytes before the location", () => {
    const dataType = Buffer.from([2 * 8, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
    const tensor = Buffer.concat([dataType, EXTERNAL]);
    assert.equal(usesExternalData(encode([7, encode([5, tensor])])), true);
  });

  it("refuses what is cut off, groups, and graphs that are nested too deep", () => {
    const model = affineModel(2, 1);
    assert.throws(() => usesExternalData(model.subarray(0, model.length - 1)), /^Error: is cut off/);
    assert.throws(() => usesExternalData(Buffer.from([7 * 8 + 3])), /^Error: has no ONNX field/);
    let graph: Uint8Array = encode();
    for (let depth = 0; depth < 100; depth++) graph = encode([1, encode([5, encode([6, graph])])]);
    assert.throws(() => usesExternalData(encode([7, graph])), /^Error: graphs are nested deeper than 64/);
  });
});
