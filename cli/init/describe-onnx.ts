import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { VariscaleError } from "../../domain/errors.ts";
import type { Datatype, TensorContract } from "../../domain/tensor.ts";
import { ORT_TYPES } from "../../runtime/ort-types.ts";
import { type DescribedModel, nameFrom } from "./described-model.ts";
import { contractOf } from "./tensor-contract.ts";

const MIB = 1024 * 1024;

/**
 * Loads an ONNX file and reads what it takes and gives.
 *
 * @param given a path, or `stage=path`.
 * @throws VariscaleError not_found or invalid_argument.
 */
export async function describeOnnx(given: string): Promise<DescribedModel> {
  const [, stage = null, path = given] = /^([a-z0-9][-a-z0-9.]*)=(.+)$/.exec(given) ?? [];
  const bytes = await readModel(path);
  const beforeBytes = process.memoryUsage.rss();
  const session = await openSession(path, bytes);
  const sessionMiB = Math.max(0, process.memoryUsage.rss() - beforeBytes) / MIB;
  try {
    const { inputMetadata, outputMetadata } = session;
    return {
      stage,
      name: nameFrom(basename(path, extname(path))),
      inputs: inputMetadata.map(value => tensorOf(path, "input", value)),
      outputs: outputMetadata.map(value => tensorOf(path, "output", value)),
      source: {
        kind: "file",
        path,
        sha256: createHash("sha256").update(bytes).digest("hex"),
        bytes: bytes.length,
        sessionMiB,
      },
    };
  } finally {
    await session.release();
  }
}

async function readModel(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const message = `--model ${path} can't be read: ${VariscaleError.from(error).message}`;
    throw new VariscaleError("not_found", message, { cause: error });
  }
}

/** From the bytes: a model with data in other files could not be served either. */
async function openSession(path: string, bytes: Buffer): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  } catch (error) {
    throw new VariscaleError(
      "invalid_argument",
      `--model ${path} is no ONNX model that can be loaded: ${VariscaleError.from(error).message.replace(/\.+$/, "")}. Export it as one file, without external data.`,
      { cause: error },
    );
  }
}

const DATATYPES = new Map<string, Datatype>(
  Object.entries(ORT_TYPES).map(([datatype, type]) => [type, datatype as Datatype]),
);

function tensorOf(path: string, what: string, value: InferenceSession.ValueMetadata): TensorContract {
  const where = `--model ${path}: ${what} \`${value.name}\``;
  if (!value.isTensor)
    throw new VariscaleError("invalid_argument", `${where} is no tensor: stages take and give tensors`);
  const datatype = DATATYPES.get(value.type);
  if (datatype === undefined || datatype === "BYTES")
    throw new VariscaleError("invalid_argument", `${where} has type ${value.type}, which stages can't take or give`);
  return contractOf(where, value.name, datatype, value.shape);
}
