import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { VariscaleError } from "../domain/errors.ts";
import type { Datatype, StageContract, Tensor } from "../domain/tensor.ts";
import type { Row } from "../gateway/stage.ts";
import { fixUnreadable } from "../models/model-hashes.ts";
import { ORT_TYPES } from "../runtime/ort-types.ts";
import { bytesOf, elementCount, elementsOf } from "../runtime/tensor-data.ts";
import type { ModelSession } from "./model-session.ts";
import type { ModelFile } from "./model-source.ts";

type Feeds = Readonly<Record<string, OrtTensor>>;

/** @throws failed_precondition when the file is not there, is another one than the pipeline file says, or is no model. */
export async function openFile(source: ModelFile): Promise<ModelSession> {
  const { contract } = source;
  const model = await readModel(source);
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(model, {
      intraOpNumThreads: source.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      logSeverityLevel: 3,
    });
  } catch (error) {
    throw failure(
      `${source.path} can't be loaded: ${messageOf(error).replace(/\.*$/, "")}. Export it again, or prepare it where it comes from a recipe.`,
      error,
    );
  }
  const outputs = contract.outputs.map(output => output.name);
  const run = (feeds: Feeds) => session.run(feeds, outputs);
  return {
    prepared: rows => {
      const feeds = feedsOf(contract, rows);
      return () => run(feeds);
    },
    infer: async (rows, batch) => {
      const inferred: Row[] = [];
      for (let start = 0; start < rows.length; start += batch) {
        const chunk = rows.slice(start, start + batch);
        try {
          inferred.push(...rowsOf(contract, await run(feedsOf(contract, chunk)), chunk.length));
        } catch (error) {
          throw failure(`${source.path} can't be run as its stage's contract says: ${messageOf(error)}`, error);
        }
      }
      return inferred;
    },
    close: () => session.release(),
  };
}

async function readModel(source: ModelFile): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(source.path);
  } catch (error) {
    throw failure(`${source.path} can't be read: ${messageOf(error)}. ${fixUnreadable(error)}`, error);
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 === source.sha256) return bytes;
  throw failure(
    `${source.path} has sha256 ${sha256}, the pipeline file says ${source.sha256}. Prepare the model again, or correct the pipeline file.`,
  );
}

function feedsOf(contract: StageContract, rows: readonly Row[]): Feeds {
  const feeds: Record<string, OrtTensor> = {};
  for (const input of contract.inputs) {
    const tensors = rows.map(row => row[input.name]);
    const parts = tensors.map(tensor => (tensor ? bytesOf(tensor.data) : new Uint8Array()));
    const data = elementsOf(input.datatype, Buffer.concat(parts));
    feeds[input.name] = new OrtTensor(typeOf(input.datatype), data as OrtTensor["data"], [
      rows.length,
      ...(tensors[0]?.shape ?? []),
    ]);
  }
  return feeds;
}

function rowsOf(contract: StageContract, results: InferenceSession.ReturnType, count: number): Row[] {
  const rows = Array.from({ length: count }, (): Record<string, Tensor> => ({}));
  for (const { name, datatype } of contract.outputs) {
    const result = results[name];
    if (result === undefined || result.dims[0] !== count || result.type !== typeOf(datatype))
      throw new Error(
        `output \`${name}\` is ${result?.type} [${result?.dims}], must be ${datatype} with ${count} rows`,
      );
    const shape = result.dims.slice(1);
    const length = elementCount(shape);
    // A copy: the runtime may use the memory of an output again.
    const all = result.data as Uint8Array;
    rows.forEach((row, i) => {
      row[name] = { datatype, shape, data: all.slice(i * length, (i + 1) * length) };
    });
  }
  return rows;
}

function typeOf(datatype: Datatype): OrtTensor.Type {
  if (datatype === "BYTES" || datatype === "BF16")
    throw new VariscaleError("invalid_argument", `tensors of ${datatype} are not supported`);
  return ORT_TYPES[datatype];
}

function messageOf(error: unknown): string {
  return VariscaleError.from(error).message;
}

function failure(message: string, cause?: unknown): VariscaleError {
  return new VariscaleError("failed_precondition", message, { cause });
}
