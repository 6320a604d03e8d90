import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { after, before, describe, it } from "mocha";
import type { ModelInferResponse__Output } from "../../proto/generated/inference/ModelInferResponse.ts";
import { InferenceClient } from "../support/inference-client.ts";
import { writeModel } from "../support/models.ts";
import { encodeModel } from "../support/onnx-model.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

/** 1, -2, 0.5 and the largest number of each form. */
const NUMBERS = [1, -2, 0.5, 65_504];
const floats = Buffer.from(Float32Array.from(NUMBERS).buffer);
const halves = Buffer.from(Uint16Array.from([0x3c00, 0xc000, 0x3800, 0x7bff]).buffer);
/** ONNX's numbers of datatypes. */
const [FLOAT, FLOAT16] = [1, 10];

const tensor = (name: string, type: "FP16" | "FP32") => ({ name, datatype: type, shape: [-1, 4] });
const value = (name: string, type: "FP16" | "FP32") => ({ name, type, shape: ["rows", 4] });

/** Turns numbers into halves, and back. */
const MODELS = {
  narrow: {
    contract: { inputs: [tensor("x", "FP32")], outputs: [tensor("half", "FP16"), tensor("same", "FP32")] },
    model: encodeModel({
      inputs: [value("x", "FP32")],
      outputs: [value("half", "FP16"), value("same", "FP32")],
      nodes: [
        { op: "Cast", inputs: ["x"], outputs: ["half"], attributes: { to: FLOAT16 } },
        { op: "Identity", inputs: ["x"], outputs: ["same"] },
      ],
      weights: {},
    }),
  },
  widen: {
    contract: { inputs: [tensor("half", "FP16")], outputs: [tensor("y", "FP32")] },
    model: encodeModel({
      inputs: [value("half", "FP16")],
      outputs: [value("y", "FP32")],
      nodes: [{ op: "Cast", inputs: ["half"], outputs: ["y"], attributes: { to: FLOAT } }],
      weights: {},
    }),
  },
};

for (const [stage, { contract, model }] of Object.entries(MODELS))
  describe(`numbers of half precision: ${stage}`, () => {
    const folder = new TestFolder();
    let switcher: TestSwitcher;
    let client: InferenceClient;

    before(async () => {
      const variants = [writeModel(folder.path, "cast", model)];
      switcher = await TestSwitcher.startReady(
        affineConfig(folder.path, { stage, contract, variants, defaultVariant: "cast" }),
      );
      client = new InferenceClient(switcher.switcher.ports.grpc);
    });
    after(async () => {
      client.close();
      await switcher.close();
      folder.delete();
    });

    const post = async (request: object, binary: Buffer | null = null) => {
      const json = Buffer.from(JSON.stringify(request));
      const response = await fetch(switcher.inferUrl, {
        method: "POST",
        headers: binary === null ? {} : { "inference-header-content-length": String(json.length) },
        body: new Uint8Array(binary === null ? json : Buffer.concat([json, binary])),
      });
      const body = Buffer.from(await response.arrayBuffer());
      const headerBytes = Number(response.headers.get("inference-header-content-length") ?? body.length);
      const head = JSON.parse(body.subarray(0, headerBytes).toString()) as {
        error?: string;
        outputs?: { name: string; data?: number[] }[];
      };
      const data = Object.fromEntries((head.outputs ?? []).map(output => [output.name, output.data]));
      return { status: response.status, error: head.error, data, binary: body.subarray(headerBytes) };
    };
    const call = (request: object) =>
      client.call<ModelInferResponse__Output>("ModelInfer", { modelName: stage, ...request });

    if (stage === "narrow") {
      const inputs = [{ name: "x", datatype: "FP32", shape: [1, 4], data: NUMBERS }];

      it("come as binary data beside JSON where the request does not say how", async () => {
        const answer = await post({ inputs });
        assert.deepEqual(answer.data, { half: undefined, same: NUMBERS });
        assert.deepEqual(answer.binary, halves);
      });

      it("come as binary data where it is asked for, and are left out where they are not", async () => {
        const wanted = { name: "half", parameters: { binary_data: true } };
        assert.deepEqual((await post({ inputs, outputs: [wanted] })).binary, halves);
        const all = await post({ inputs, outputs: [{ name: "half" }], parameters: { binary_data_output: true } });
        assert.deepEqual(all.binary, halves);
        const other = await post({ inputs, outputs: [{ name: "same" }] });
        assert.deepEqual([other.data, other.binary.length], [{ same: NUMBERS }, 0]);
      });

      for (const parameters of [{}, { binary_data: false }])
        it(`are refused as JSON: ${JSON.stringify(parameters)}`, async () => {
          const { status: found, error } = await post({ inputs, outputs: [{ name: "half", parameters }] });
          assert.equal(found, 400);
          assert.match(error ?? "", /output "half" is FP16, which has no JSON form; ask for it with binary_data: true/);
        });

      it("come as raw contents, all of them, whatever the inputs came as", async () => {
        const x = { name: "x", datatype: "FP32", shape: [1, 4] };
        const answers = [
          await call({ inputs: [{ ...x, contents: { fp32Contents: NUMBERS } }] }),
          await call({ inputs: [x], rawInputContents: [floats] }),
        ];
        for (const { outputs, rawOutputContents } of answers) {
          assert.deepEqual(rawOutputContents, [halves, floats]);
          assert.deepEqual(
            outputs.map(({ name, contents }) => [name, contents]),
            [
              ["half", null],
              ["same", null],
            ],
          );
        }
      });

      it("leave typed contents to whoever asks for none of them", async () => {
        const inputs = [{ name: "x", datatype: "FP32", shape: [1, 4], contents: { fp32Contents: NUMBERS } }];
        const { outputs, rawOutputContents } = await call({ inputs, outputs: [{ name: "same" }] });
        assert.deepEqual([outputs[0]?.contents?.fp32Contents, rawOutputContents], [NUMBERS, []]);
      });
      return;
    }

    const half = { name: "half", datatype: "FP16", shape: [1, 4] };

    it("are taken as binary data, and answered as JSON where the outputs have one", async () => {
      const answer = await post({ inputs: [{ ...half, parameters: { binary_data_size: 8 } }] }, halves);
      assert.deepEqual([answer.status, answer.data], [200, { y: NUMBERS }], answer.error);
    });

    it("are taken as raw contents", async () => {
      const { rawOutputContents } = await call({ inputs: [half], rawInputContents: [halves] });
      assert.deepEqual(rawOutputContents, [floats]);
    });

    it("are refused as JSON and as typed contents, and the refusal says what to do", async () => {
      const { status: found, error } = await post({ inputs: [{ ...half, data: NUMBERS }] });
      assert.equal(found, 400);
      assert.match(error ?? "", /input "half": FP16 can't be given as JSON; send it as binary data/);
      const inputs = [{ ...half, contents: { fp32Contents: NUMBERS } }];
      const [code, details] = await client.failure("ModelInfer", { modelName: stage, inputs });
      assert.equal(code, status.INVALID_ARGUMENT);
      assert.match(details, /input "half" is FP16, which has no contents; send it in raw_input_contents/);
    });
  });
