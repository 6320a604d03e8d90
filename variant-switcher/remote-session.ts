import { VariscaleError } from "../domain/errors.ts";
import type { OpenOptions, OpenSession } from "./driver.ts";
import { decodeRemoteResponse, encodeRemoteRequest, remoteTensors } from "./remote-codec.ts";
import { RemoteModel } from "./remote-model.ts";
import type { RunResult } from "./session.ts";
import { type Loaded, type Refused, SUPERSEDED, type TransferredTensor } from "./session-messages.ts";

/** As for a thread: a server that does not answer for this long, or 20 times what is expected, is taken for hung. */
const MIN_WATCHDOG_MS = 10_000;
const DESCRIBE_MS = 10_000;
const WATCHDOG_FACTOR = 20;

/** What a server that has the model says of a request that is at fault itself: MLServer says 422. */
const REQUEST_FAULTS = [400, 413, 422];

/**
 * The driver `remote`: the model runs in another server of the Open Inference Protocol V2 in the same pod, Triton or MLServer for example,
 * which loads and unloads it by its model-repository extension.
 */
export async function openRemote(options: OpenOptions, signal: AbortSignal): Promise<OpenSession | Refused> {
  if (signal.aborted) return SUPERSEDED;
  const opening = open(options);
  const aborted = new Promise<Refused>(resolve => {
    signal.addEventListener("abort", () => resolve(SUPERSEDED), { once: true });
  });
  const first = await Promise.race([opening, aborted]);
  if (!signal.aborted) return first;
  // The server ends a load also where nobody waits for it, and only then can it unload the model.
  void opening.then(session => ("kind" in session ? undefined : session.close()));
  return SUPERSEDED;
}

async function open(options: OpenOptions): Promise<RemoteSession | Refused> {
  const { variant, minWatchdogMs } = options;
  const base = (variant.url ?? "").replace(/\/$/, "");
  const name = encodeURIComponent(variant.model);
  const refused = (code: Refused["code"], message: string): Refused => ({ kind: "refused", code, message });
  const describe = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const response = await fetch(`${base}/v2/${path}`, { signal: AbortSignal.timeout(DESCRIBE_MS) });
    return (await response.json()) as Readonly<Record<string, unknown>>;
  };
  const model = RemoteModel.at(base, name);
  try {
    const { status, text } = await model.load();
    if (status !== 200) {
      void model.release();
      const reason = `${variant.model} can't be loaded by ${base}: ${status} ${text.slice(0, 300)}`;
      return refused(status === 404 ? "model_missing" : "model_invalid", reason);
    }
    const { extensions } = await describe("");
    const isBinary = Array.isArray(extensions) && extensions.includes("binary_tensor_data");
    return new RemoteSession({
      variant: variant.name,
      base,
      url: `${base}/v2/models/${name}`,
      model,
      form: isBinary ? "binary" : "json",
      tensors: tensorsOf(options, await describe(`models/${name}`)),
      minWatchdogMs: minWatchdogMs ?? MIN_WATCHDOG_MS,
    });
  } catch (error) {
    void model.release();
    return refused("model_missing", `${base} does not answer: ${reasonOf(error)}`);
  }
}

/** A server that does not describe a model leaves it to the warm-up to find out whether it keeps the contract. */
function tensorsOf({ contract }: OpenOptions, metadata: Readonly<Record<string, unknown>>): RemoteOptions["tensors"] {
  const inputs = remoteTensors(metadata["inputs"]);
  const outputs = remoteTensors(metadata["outputs"]);
  return {
    inputs: inputs.length > 0 ? inputs : contract.inputs,
    outputs: outputs.length > 0 ? outputs : contract.outputs,
    fileBytes: 0,
  };
}

interface RemoteOptions {
  readonly variant: string;
  readonly base: string;
  /** Of the model. */
  readonly url: string;
  readonly model: RemoteModel;
  readonly form: "binary" | "json";
  readonly tensors: Pick<Loaded, "inputs" | "outputs" | "fileBytes">;
  readonly minWatchdogMs: number;
}

class RemoteSession implements OpenSession {
  readonly variant: string;
  readonly model: RemoteOptions["tensors"];
  readonly #options: RemoteOptions;
  #lost = false;
  #closed: Promise<void> | null = null;

  constructor(options: RemoteOptions) {
    this.variant = options.variant;
    this.model = options.tensors;
    this.#options = options;
  }

  get isLost(): boolean {
    return this.#lost;
  }

  async run(inputs: readonly TransferredTensor[], outputs: readonly string[], expectedMs: number): Promise<RunResult> {
    const { base, url, form, minWatchdogMs } = this.#options;
    let response: Response;
    let answer: Buffer;
    const startMs = performance.now();
    try {
      const { body, headerBytes } = encodeRemoteRequest(inputs, outputs, form);
      const headers =
        headerBytes === null
          ? { "content-type": "application/json" }
          : {
              "content-type": "application/octet-stream",
              "inference-header-content-length": String(headerBytes),
            };
      const signal = AbortSignal.timeout(Math.max(minWatchdogMs, WATCHDOG_FACTOR * expectedMs));
      response = await fetch(`${url}/infer`, { method: "POST", headers, body, signal });
      answer = Buffer.from(await response.arrayBuffer());
    } catch (error) {
      if (error instanceof VariscaleError) return { kind: "failed", message: error.message };
      return this.#lose(`${base} does not answer: ${reasonOf(error)}`);
    }
    const serviceMs = performance.now() - startMs;
    if (!response.ok) return await this.#failure(response.status, answer.toString("utf8").slice(0, 300));
    try {
      const header = response.headers.get("inference-header-content-length");
      const tensors = decodeRemoteResponse(answer, header === null ? null : Number(header));
      return { kind: "ran", outputs: tensors, spare: inputs.map(({ data }) => data), serviceMs };
    } catch (error) {
      return { kind: "unserved", reason: reasonOf(error) };
    }
  }

  close(): Promise<void> {
    this.#lost = true;
    this.#closed ??= this.#options.model.release();
    return this.#closed;
  }

  /** A server that was started anew does not have the model any more: it says 404 or, if it is a Triton, 400. */
  async #failure(status: number, text: string): Promise<RunResult> {
    const { base } = this.#options;
    if (!(await this.#isReady())) return this.#lose(`${base} has not the model ready any more: ${status} ${text}`);
    if (REQUEST_FAULTS.includes(status)) return { kind: "failed", message: `${status} ${text}` };
    return { kind: "unserved", reason: `${base} answered ${status} ${text}` };
  }

  #isReady(): Promise<boolean> {
    const { url, minWatchdogMs } = this.#options;
    return fetch(`${url}/ready`, { signal: AbortSignal.timeout(minWatchdogMs) }).then(
      async response => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
  }

  #lose(reason: string): RunResult {
    this.#lost = true;
    return { kind: "lost", reason };
  }
}

/** What fetch() throws says why in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : { message: String(error), cause: undefined };
  return cause instanceof Error && cause.message !== "" ? `${message}: ${cause.message}` : message;
}
