import { VariscaleError } from "../domain/errors.ts";
import type { StageContract, Tensor } from "../domain/tensor.ts";
import type { Row } from "../gateway/stage.ts";
import { bytesOf, bytesPerElement, elementCount, elementsOf } from "../runtime/tensor-data.ts";
import { isRefused, type OpenSession } from "../variant-switcher/driver.ts";
import type { NamedTensor } from "../variant-switcher/raw-tensor.ts";
import { openRemote } from "../variant-switcher/remote-session.ts";
import type { TransferredTensor } from "../variant-switcher/session-messages.ts";
import type { ModelSession } from "./model-session.ts";
import { nameOf, type RemoteModel } from "./model-source.ts";

/** A server that does not answer a batch for this long is taken for hung. */
const WATCHDOG_MS = 60_000;

/**
 * A variant that another server runs, by the client that a switcher has for it: what is measured is what a switcher would see, the way
 * there and back included. The server loads the model by its model-repository extension, and unloads it at the end, unless it
 * had it before.
 *
 * @throws failed_precondition when the server does not answer, or does not load the model.
 */
export async function openServed(source: RemoteModel): Promise<ModelSession> {
  const { contract, model, url } = source;
  const variant = { name: model, driver: "remote", model, url, sha256: null, loadMs: null, memoryMiB: null } as const;
  const options = { variant: { ...variant, points: [] }, contract, modelFolder: "", threads: 1 };
  const session = await openRemote({ ...options, minWatchdogMs: WATCHDOG_MS }, new AbortController().signal);
  if (isRefused(session))
    throw new VariscaleError(
      "failed_precondition",
      `${nameOf(source)} can't be measured: ${session.message}. Start that server so that it loads models when it is asked to.`,
    );
  const names = contract.outputs.map(({ name }) => name);
  const run = (inputs: readonly TransferredTensor[]) => runOnce(source, session, inputs, names);
  return {
    prepared: rows => {
      const inputs = batchOf(contract, rows);
      return () => run(inputs);
    },
    infer: async (rows, batch) => {
      const inferred: Row[] = [];
      for (let start = 0; start < rows.length; start += batch)
        inferred.push(...(await inferHalved(source, run, rows.slice(start, start + batch))));
      return inferred;
    },
    close: () => session.close(),
  };
}

/** @throws invalid_argument when the model refuses this batch, failed_precondition when it gives no answer. */
async function runOnce(
  source: RemoteModel,
  session: OpenSession,
  inputs: readonly TransferredTensor[],
  names: readonly string[],
): Promise<readonly NamedTensor[]> {
  const result = await session.run(inputs, names, 0);
  if (result.kind === "ran") return result.outputs;
  if (result.kind === "failed")
    throw new VariscaleError("invalid_argument", `${nameOf(source)} refuses a batch: ${result.message}`);
  throw new VariscaleError("failed_precondition", `${nameOf(source)} has no answer: ${result.reason}`);
}

/** A server's largest batch is not known: one that it refuses is sent in two halves. */
async function inferHalved(
  source: RemoteModel,
  run: (inputs: readonly TransferredTensor[]) => Promise<readonly NamedTensor[]>,
  rows: readonly Row[],
): Promise<readonly Row[]> {
  let outputs: readonly NamedTensor[];
  try {
    outputs = await run(batchOf(source.contract, rows));
  } catch (error) {
    if (VariscaleError.from(error).code !== "invalid_argument" || rows.length < 2) throw error;
    const middle = Math.ceil(rows.length / 2);
    const first = await inferHalved(source, run, rows.slice(0, middle));
    return [...first, ...(await inferHalved(source, run, rows.slice(middle)))];
  }
  return rowsOf(source, outputs, rows.length);
}

/** Puts rows together into one batch. */
function batchOf({ inputs }: StageContract, rows: readonly Row[]): readonly TransferredTensor[] {
  return inputs.map(({ name, datatype }) => {
    const tensors = rows.map(row => row[name]);
    const all = Buffer.concat(tensors.map(tensor => (tensor ? bytesOf(tensor.data) : new Uint8Array())));
    const data = new Uint8Array(all).buffer;
    const shape = [rows.length, ...(tensors[0]?.shape ?? [])];
    return { name, datatype, shape, data, bytes: data.byteLength };
  });
}

/** Takes a batch of outputs apart. @throws failed_precondition for what breaks the contract. */
function rowsOf(source: RemoteModel, outputs: readonly NamedTensor[], count: number): readonly Row[] {
  const rows = Array.from({ length: count }, (): Record<string, Tensor> => ({}));
  for (const { name, datatype } of source.contract.outputs) {
    const output = outputs.find(one => one.name === name);
    if (output?.datatype !== datatype || output.shape[0] !== count)
      throw new VariscaleError(
        "failed_precondition",
        `${nameOf(source)} does not keep its stage's contract: output \`${name}\` is ${output?.datatype} [${output?.shape}], must be ${datatype} with ${count} rows`,
      );
    const shape = output.shape.slice(1);
    const length = elementCount(shape) * bytesPerElement(datatype);
    rows.forEach((row, i) => {
      // A copy, for the answer is larger than one row of it.
      row[name] = { datatype, shape, data: elementsOf(datatype, output.bytes.slice(i * length, (i + 1) * length)) };
    });
  }
  return rows;
}
