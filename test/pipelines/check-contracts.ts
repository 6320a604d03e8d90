import assert from "node:assert/strict";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import type { Pipeline } from "../../domain/pipeline.ts";

const TYPES: Readonly<Record<string, string>> = { UINT8: "uint8", INT32: "int32", FP32: "float32" };

/** Opens the model of a variant. */
export async function openVariant(
  pipeline: Pipeline,
  folder: string,
  stage: string,
  variant: string,
): Promise<InferenceSession> {
  const found = pipeline.stages.find(({ name }) => name === stage)?.variants.find(({ name }) => name === variant);
  assert.ok(found, `${stage} ${variant}`);
  return InferenceSession.create(join(folder, found.model), { intraOpNumThreads: 1, logSeverityLevel: 3 });
}

/** Every variant of a stage has to have the stage's contract. */
export async function checkContracts(pipeline: Pipeline, folder: string): Promise<void> {
  for (const { name, contract, variants } of pipeline.stages) {
    for (const variant of variants) {
      const session = await openVariant(pipeline, folder, name, variant.name);
      const declared = [...session.inputMetadata, ...session.outputMetadata].map(metadata => {
        assert.ok(metadata.isTensor);
        const shape = metadata.shape.map(size => (typeof size === "number" ? size : -1));
        return { name: metadata.name, type: metadata.type, shape };
      });
      const wanted = [...contract.inputs, ...contract.outputs].map(tensor => ({
        name: tensor.name,
        type: TYPES[tensor.datatype],
        shape: [...tensor.shape],
      }));
      assert.deepEqual(declared, wanted, `${name} ${variant.name}`);
      await session.release();
    }
  }
}
