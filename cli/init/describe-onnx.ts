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
    const message = `--model ${path} can't be read: ${VariscaleError.from(error).message}. Name an ONNX file that this user may read.`;
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
      `--model ${path} is no ONNX model that can be loaded: ${readReason(error)}. ${adviseExport(path, VariscaleError.from(error).message)}`,
      { cause: error },
    );
  }
}

/** The runtime puts signatures of its C++ functions and paths of its source before what a user can read. */
function readReason(error: unknown): string {
  const { message } = VariscaleError.from(error);
  return message.replace(/\/?\S*\/onnxruntime\/\S+:\d+ .*?\) /gs, "").replace(/\.+\s*$/, "");
}

/** Says how to mend a model that the runtime refuses, by the reason that it gives. */
function adviseExport(path: string, reason: string): string {
  if (!/\.onnx$/i.test(path)) return "Name an ONNX file: export the model with skl2onnx, torch.onnx or tf2onnx first.";
  const opset = /opset (\d+) is under development.*?(?:till|up to) opset (\d+)/is.exec(reason)?.[2];
  if (/opset/i.test(reason))
    return `Export it with an older operator set: \`target_opset=${opset ?? 21}\` (skl2onnx), \`opset_version=${opset ?? 21}\` (torch).`;
  if (/IR version/i.test(reason)) {
    const most = /max supported IR version: (\d+)/i.exec(reason)?.[1] ?? "10";
    return `Write it with an older IR version: \`model.ir_version = ${most}\` in Python, then \`onnx.save\`.`;
  }
  if (/external|model_path must not be empty/i.test(reason))
    return 'Export it as one file, without external data: `onnx.save(onnx.load("m.onnx"), "m1.onnx")` makes one.';
  if (/not a registered function|no op registered|fatal error: .*:.*\(/i.test(reason))
    return "It uses an operator that onnxruntime does not have: export it without custom operators.";
  if (/protobuf|parse/i.test(reason)) return "The file is cut short or is another format: export or copy it again.";
  return "Check it with `onnx.checker.check_model`, and export it again.";
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
