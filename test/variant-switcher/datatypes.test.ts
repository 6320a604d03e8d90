import assert from "node:assert/strict";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import type { Datatype } from "../../domain/tensor.ts";
import type { ModelInferResponse__Output } from "../../proto/generated/inference/ModelInferResponse.ts";
import { bytesPerElement } from "../../runtime/tensor-data.ts";
import { encodeBytesElements } from "../../variant-switcher/bytes-elements.ts";
import { elementsToJson, hasJsonForm } from "../../variant-switcher/json-elements.ts";
import { contentsOf } from "../../variant-switcher/typed-contents.ts";
import { InferenceClient } from "../support/inference-client.ts";
import { writeModel } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { SERVED, TENSORS_CONTRACT, tensorsModel } from "../support/tensors-stage.ts";

/** Bytes of `count` elements, from any bits to any text; JSON has no form for numbers that are not finite. */
function anyBytes(datatype: Datatype, count: number, form: "raw" | "json"): fc.Arbitrary<Uint8Array> {
  const many = <T>(element: fc.Arbitrary<T>) => fc.array(element, { minLength: count, maxLength: count });
  if (datatype === "BYTES")
    return many(fc.string({ unit: "binary", maxLength: 20 }).map(text => text.replaceAll("\0", ""))).map(texts =>
      encodeBytesElements(texts.map(text => Buffer.from(text))),
    );
  if (datatype === "BOOL") return many(fc.nat(1)).map(bits => Uint8Array.from(bits));
  const finite = { noNaN: true, noDefaultInfinity: true };
  if (form === "json" && datatype === "FP32")
    return many(fc.float(finite)).map(numbers => new Uint8Array(Float32Array.from(numbers).buffer));
  if (form === "json" && datatype === "FP64")
    return many(fc.double(finite)).map(numbers => new Uint8Array(Float64Array.from(numbers).buffer));
  const length = count * bytesPerElement(datatype);
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** One tensor of each datatype. */
function anyTensors(form: "raw" | "json", rows: number) {
  return fc.record(Object.fromEntries(SERVED.map(datatype => [datatype, anyBytes(datatype, 2 * rows, form)])));
}

describe("tensors of every datatype", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;
  let client: InferenceClient;

  before(async () => {
    switcher = await TestSwitcher.startReady({
      ...affineConfig(folder.path),
      stage: "tensors",
      contract: TENSORS_CONTRACT,
      variants: [writeModel(folder.path, "echo", tensorsModel())],
      defaultVariant: "echo",
    });
    client = new InferenceClient(switcher.switcher.ports.grpc);
    // More rows than fit into one batch, so that tensors are cut apart and put together again.
    assert.equal((await switcher.pin("echo", 2)).status, 200);
  });
  after(async () => {
    client.close();
    await switcher.close();
    folder.delete();
  });

  const bytesOf = (tensors: Record<string, Uint8Array>, datatype: string) => tensors[datatype] ?? new Uint8Array();
  const infer = async (header: object, binary: readonly Uint8Array[]) => {
    const json = Buffer.from(JSON.stringify(header));
    const response = await fetch(switcher.inferUrl, {
      method: "POST",
      headers: { "inference-header-content-length": String(json.length) },
      body: new Uint8Array(Buffer.concat([json, ...binary])),
    });
    const body = Buffer.from(await response.arrayBuffer());
    assert.equal(response.status, 200, body.toString());
    return { body, headerBytes: Number(response.headers.get("inference-header-content-length") ?? body.length) };
  };

  it("come back as they were sent: REST, binary", async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors("raw", 3), async tensors => {
        const inputs = SERVED.map(datatype => ({
          name: `x_${datatype}`,
          datatype,
          shape: [3, 2],
          parameters: { binary_data_size: bytesOf(tensors, datatype).length },
        }));
        const binary = SERVED.map(datatype => bytesOf(tensors, datatype));
        const { body, headerBytes } = await infer({ inputs, parameters: { binary_data_output: true } }, binary);
        assert.deepEqual(body.subarray(headerBytes), Buffer.concat(binary));
      }),
      { numRuns: 40 },
    );
  });

  it("come back as they were sent: REST, JSON, half precision beside it", async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors("json", 3), async tensors => {
        const withText = SERVED.map(datatype => {
          const bytes = bytesOf(tensors, datatype);
          const head = `{"name":"x_${datatype}","datatype":"${datatype}","shape":[3,2]`;
          if (!hasJsonForm(datatype)) return `${head},"parameters":{"binary_data_size":${bytes.length}}}`;
          return `${head},"data":${elementsToJson(datatype, bytes)}}`;
        });
        const json = Buffer.from(`{"inputs":[${withText}]}`);
        const half = bytesOf(tensors, "FP16");
        const response = await fetch(switcher.inferUrl, {
          method: "POST",
          headers: { "inference-header-content-length": String(json.length) },
          body: new Uint8Array(Buffer.concat([json, half])),
        });
        const body = Buffer.from(await response.arrayBuffer());
        assert.equal(response.status, 200, body.toString());
        const headerBytes = Number(response.headers.get("inference-header-content-length"));
        const text = body.subarray(0, headerBytes).toString();
        for (const datatype of SERVED.filter(hasJsonForm)) {
          const expected = `"name":"y_${datatype}","datatype":"${datatype}","shape":[3,2],"data":`;
          assert.ok(
            text.includes(expected + elementsToJson(datatype, bytesOf(tensors, datatype))),
            `${datatype}: ${text}`,
          );
        }
        assert.deepEqual(body.subarray(headerBytes), Buffer.from(half));
      }),
      { numRuns: 40 },
    );
  });

  it("come back as they were sent: gRPC, raw", async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors("raw", 3), async tensors => {
        const response = await client.call<ModelInferResponse__Output>("ModelInfer", {
          modelName: "tensors",
          inputs: SERVED.map(datatype => ({ name: `x_${datatype}`, datatype, shape: [3, 2] })),
          rawInputContents: SERVED.map(datatype => bytesOf(tensors, datatype)),
        });
        assert.deepEqual(
          response.rawOutputContents,
          SERVED.map(datatype => Buffer.from(bytesOf(tensors, datatype))),
        );
        assert.deepEqual(
          response.outputs.map(output => [output.name, output.datatype, output.shape, output.contents]),
          SERVED.map(datatype => [`y_${datatype}`, datatype, ["3", "2"], null]),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("come back as they were sent: gRPC, typed contents", async () => {
    const typed = SERVED.filter(hasJsonForm);
    await switcher.close();
    const contract = {
      inputs: TENSORS_CONTRACT.inputs.filter(({ datatype }) => datatype !== "FP16"),
      outputs: TENSORS_CONTRACT.outputs.filter(({ datatype }) => datatype !== "FP16"),
    };
    switcher = await TestSwitcher.startReady({
      ...affineConfig(folder.path),
      stage: "tensors",
      contract,
      variants: [writeModel(folder.path, "typed", tensorsModel(typed))],
      defaultVariant: "typed",
    });
    client.close();
    client = new InferenceClient(switcher.switcher.ports.grpc);
    await fc.assert(
      fc.asyncProperty(anyTensors("raw", 2), async tensors => {
        const contents = typed.map(datatype => contentsOf(datatype, bytesOf(tensors, datatype)));
        const { outputs, rawOutputContents } = await client.call<ModelInferResponse__Output>("ModelInfer", {
          modelName: "tensors",
          inputs: typed.map((datatype, i) => ({
            name: `x_${datatype}`,
            datatype,
            shape: [2, 2],
            contents: contents[i],
          })),
        });
        assert.deepEqual(rawOutputContents, []);
        for (const [i, { contents: found }] of outputs.entries())
          for (const [member, values] of Object.entries(contents[i] ?? {}))
            assert.deepEqual(
              plain(found?.[member as "fp32Contents"]),
              plain(values as unknown[]),
              `${typed[i]} ${member}`,
            );
      }),
      { numRuns: 40 },
    );
  });
});

/** Buffers and views of the same bytes are the same. */
function plain(values: readonly unknown[] | undefined): unknown {
  return values?.map(value => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value));
}
