/**
 * The thread of one session. onnxruntime-node reads, loads and runs on the thread that calls it, so it is called here and
 * the main thread only moves bytes. One request at a time; the first one loads the model, and so does the first one after a release.
 */
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type * as OnnxRuntime from "onnxruntime-node";
import { VariscaleError } from "../domain/errors.ts";
import type { Datatype, TensorData } from "../domain/tensor.ts";
import { ORT_TYPES } from "../runtime/ort-types.ts";
import { elementsOf } from "../runtime/tensor-data.ts";
import { decodeBytesElements, encodeBytesElements } from "./bytes-elements.ts";
import { readModel } from "./model-file.ts";
import { inNative } from "./native-flag.ts";
import {
  type LoadRequest,
  type ModelTensor,
  type RunRequest,
  refuse,
  type SessionReply,
  type SessionRequest,
  type SessionWorkerData,
  type TransferredTensor,
} from "./session-messages.ts";
import { type Alike, ReplyWriter, RequestReader } from "./session-wire.ts";

// An import would start the parser that looks for a CommonJS module's names, a megabyte in every thread.
const require = createRequire(import.meta.url);
const { InferenceSession, Tensor } = require("onnxruntime-node") as typeof OnnxRuntime;

/** An option of onnxruntime's own, by the parts of its name. */
const WITHOUT_SPINNING = { session: { intra_op: { allow_spinning: "0" } } };

const DATATYPES = new Map(Object.entries(ORT_TYPES).map(([datatype, type]) => [type as string, datatype as Datatype]));

/** The runtime wants half-precision numbers in a Float16Array where the engine has one. */
const Halves = (globalThis as { Float16Array?: Uint16ArrayConstructor }).Float16Array ?? Uint16Array;

const nativeFlag = () => (workerData as SessionWorkerData).native;
const port = parentPort;
let session: OnnxRuntime.InferenceSession | null = null;
let last: Promise<void> = Promise.resolve();
const requests = new RequestReader();
const replies = new ReplyWriter();
port?.on("message", (message: SessionRequest | Alike) => {
  const request = requests.read(message);
  last = last.then(() => answer(request));
});

function answer(request: SessionRequest): Promise<void> {
  return handle(request).then(
    reply => {
      const transfer = reply.kind === "ran" ? [...reply.outputs.map(({ data }) => data), ...reply.spare] : [];
      replies.send(reply, message => port?.postMessage(message, transfer));
    },
    (error: unknown) =>
      port?.postMessage({ kind: "failed", message: VariscaleError.from(error).message } satisfies SessionReply),
  );
}

function handle(request: SessionRequest): Promise<SessionReply> {
  switch (request.kind) {
    case "load":
      return load(request);
    case "run":
      return run(request);
    case "release":
      return release();
    default:
      return request satisfies never;
  }
}

async function load(request: LoadRequest): Promise<SessionReply> {
  const model = readModel(request.modelFolder, request.model, request.sha256);
  if (model.kind === "refused") return model;
  const fileBytes = model.bytes.length;
  try {
    const options = {
      intraOpNumThreads: request.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      logSeverityLevel: 3,
      ...(request.threads > 1 && request.isShared && { extra: WITHOUT_SPINNING }),
    } as const;
    session = await inNative(nativeFlag(), () => InferenceSession.create(model.bytes, options));
  } catch (error) {
    return refuse("model_invalid", `${request.model} can't be loaded: ${VariscaleError.from(error).message}`);
  }
  forget(model.bytes);
  return {
    kind: "loaded",
    inputs: session.inputMetadata.map(describe),
    outputs: session.outputMetadata.map(describe),
    fileBytes,
  };
}

async function run(request: RunRequest): Promise<SessionReply> {
  if (session === null) return { kind: "failed", message: "no model is loaded" };
  const model = session;
  const feeds: Record<string, OnnxRuntime.Tensor> = {};
  for (const input of request.inputs) feeds[input.name] = tensorFor(input);
  const startMs = performance.now();
  const results = await inNative(nativeFlag(), () => model.run(feeds, request.outputs));
  const serviceMs = performance.now() - startMs;
  const outputs = request.outputs.map(name => transferable(name, results[name]));
  return { kind: "ran", outputs, spare: request.inputs.map(({ data }) => data), serviceMs };
}

/** Gives the memory back at once: the runtime has a copy, and a thread that allocates next to nothing may never collect its garbage. */
function forget({ buffer }: Uint8Array<ArrayBuffer>): void {
  buffer.resize(0);
}

async function release(): Promise<SessionReply> {
  const model = session;
  session = null;
  if (model) await inNative(nativeFlag(), () => model.release());
  return { kind: "released" };
}

function tensorFor(input: TransferredTensor): OnnxRuntime.Tensor {
  const { datatype, shape } = input;
  if (datatype === "BF16") throw new Error(`${input.name} is BF16, which onnxruntime's binding does not take`);
  return new Tensor(ORT_TYPES[datatype], elementsFor(input) as OnnxRuntime.Tensor["data"], shape);
}

function elementsFor({ datatype, data, bytes }: TransferredTensor): TensorData | readonly string[] {
  if (datatype === "FP16") return new Halves(data, 0, bytes / 2);
  const view = new Uint8Array(data, 0, bytes);
  return datatype === "BYTES" ? textsOf(view) : elementsOf(datatype, view);
}

/** The runtime's text is UTF-8 that a NUL ends: other bytes would come out changed. */
function textsOf(bytes: Uint8Array): string[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return decodeBytesElements(bytes).map(element => {
    if (element.includes(0)) throw new Error("text must not have a NUL, which ends it for onnxruntime");
    return decoder.decode(element);
  });
}

function transferable(name: string, tensor: OnnxRuntime.Tensor | undefined): TransferredTensor {
  const datatype = tensor && DATATYPES.get(tensor.type);
  if (!tensor || !datatype) throw new Error(`the output ${name} is no tensor that the protocol has a datatype for`);
  const view = (
    datatype === "BYTES"
      ? encodeBytesElements((tensor.data as readonly string[]).map(text => Buffer.from(text, "utf8")))
      : tensor.data
  ) as Uint8Array<ArrayBuffer>;
  const whole = view.byteOffset === 0 && view.byteLength === view.buffer.byteLength;
  const data = whole ? view.buffer : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return { name, datatype, shape: tensor.dims, data, bytes: view.byteLength };
}

function describe(metadata: OnnxRuntime.InferenceSession.ValueMetadata): ModelTensor {
  if (!metadata.isTensor) return { name: metadata.name, datatype: null, shape: [] };
  return {
    name: metadata.name,
    datatype: DATATYPES.get(metadata.type) ?? null,
    shape: metadata.shape.map(dimension => (typeof dimension === "number" ? dimension : -1)),
  };
}
