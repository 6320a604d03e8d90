import { VariscaleError } from "../domain/errors.ts";
import type { HttpAnswer } from "../runtime/http-client.ts";
import { HttpFailure } from "../runtime/http-failure.ts";
import type { OpenOptions, OpenSession } from "./driver.ts";
import { askModelServer } from "./model-claims.ts";
import { decodeRemoteResponse, encodeRemoteRequest, remoteTensors } from "./remote-codec.ts";
import { RemoteModel } from "./remote-model.ts";
import type { RunResult } from "./session.ts";
import { type Loaded, type Refused, refuse, SUPERSEDED, type TransferredTensor } from "./session-messages.ts";
import { contractMismatch } from "./verify-contract.ts";

/** As for a thread: a server that does not answer for this long, or 20 times what is expected, is taken for hung. */
const MIN_WATCHDOG_MS = 10_000;
const DESCRIBE_MS = 10_000;
const WATCHDOG_FACTOR = 20;
/** No more of an answer to inference is read: gateways take no more, either. */
const MOST_ANSWER_BYTES = 256 * 1024 * 1024;

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
  const { base, name } = addressModel(variant);
  const describe = async (path: "/v2" | `/v2/models/${string}`): Promise<Readonly<Record<string, unknown>>> => {
    const { status, body } = await askModelServer({ method: "GET", url: `${base}${path}`, timeoutMs: DESCRIBE_MS });
    if (status >= 300 && status < 400)
      throw new VariscaleError("unavailable", `${path} is redirected (status ${status}), which is not followed`);
    return JSON.parse(body.toString("utf8")) as Readonly<Record<string, unknown>>;
  };
  const model = RemoteModel.at(base, name);
  try {
    const { status, text } = await model.load();
    if (status !== 200) {
      void model.release();
      const reason = `${variant.model} can't be loaded by ${base}: ${status} ${text.slice(0, 300)}`;
      return refuse(status === 404 ? "model_missing" : "model_invalid", reason);
    }
    const { extensions } = await describe("/v2");
    const isBinary = Array.isArray(extensions) && extensions.includes("binary_tensor_data");
    return new RemoteSession({
      variant: variant.name,
      base,
      url: `${base}/v2/models/${name}`,
      model,
      form: isBinary ? "binary" : "json",
      tensors: readTensors(options.contract, await describe(`/v2/models/${name}`)),
      minWatchdogMs: minWatchdogMs ?? MIN_WATCHDOG_MS,
    });
  } catch (error) {
    void model.release();
    return refuse("model_missing", `${base} does not answer: ${reasonOf(error)}`);
  }
}

/**
 * Compares what the server says of a model with the contract, and has it load nothing. A server may know nothing of a model before it has loaded
 * it, which counts as missing; one that is ready can be opened without a load.
 */
export async function lookAtRemote(
  options: Pick<OpenOptions, "variant" | "contract">,
): Promise<"ready" | "fits" | Refused> {
  const { variant, contract } = options;
  const { base, name } = addressModel(variant);
  try {
    if (await RemoteModel.at(base, name).isReady(DESCRIBE_MS)) return "ready";
    const url = `${base}/v2/models/${name}`;
    const { status, body } = await askModelServer({ method: "GET", url, timeoutMs: DESCRIBE_MS });
    if (status !== 200)
      return refuse("model_missing", `${base} has ${variant.model} not ready and does not describe it: ${status}`);
    const metadata = JSON.parse(body.toString("utf8")) as Readonly<Record<string, unknown>>;
    const mismatch = contractMismatch(contract, readTensors(contract, metadata));
    return mismatch === null ? "fits" : refuse("contract_mismatch", `${variant.name}: ${mismatch}`);
  } catch (error) {
    return refuse("model_missing", `${base} does not answer: ${reasonOf(error)}`);
  }
}

function addressModel({ url, model }: OpenOptions["variant"]): { readonly base: string; readonly name: string } {
  return { base: (url ?? "").replace(/\/$/, ""), name: encodeURIComponent(model) };
}

/** A server that does not describe a model leaves it to the warm-up to find out whether it keeps the contract. */
function readTensors(
  contract: OpenOptions["contract"],
  metadata: Readonly<Record<string, unknown>>,
): RemoteOptions["tensors"] {
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
  /** Milliseconds of calls since its last answer that were broken off because nobody waited for them any more. */
  #silentMs = 0;

  constructor(options: RemoteOptions) {
    this.variant = options.variant;
    this.model = options.tensors;
    this.#options = options;
  }

  get isLost(): boolean {
    return this.#lost;
  }

  async run(
    inputs: readonly TransferredTensor[],
    outputs: readonly string[],
    expectedMs: number,
    leftMs = Number.POSITIVE_INFINITY,
  ): Promise<RunResult> {
    const { base, url, form, minWatchdogMs } = this.#options;
    const watchdogMs = Math.max(minWatchdogMs, WATCHDOG_FACTOR * expectedMs);
    // A server that is always cut short may be slow or dead: then one call has the time to show which.
    const isCutShort = leftMs < watchdogMs && this.#silentMs < watchdogMs;
    const timeoutMs = Math.ceil(Math.max(1, isCutShort ? leftMs : watchdogMs));
    let answer: HttpAnswer;
    const startMs = performance.now();
    try {
      const { body, headerBytes } = encodeRemoteRequest(inputs, outputs, form, timeoutMs);
      const headers =
        headerBytes === null
          ? { "content-type": "application/json" }
          : {
              "content-type": "application/octet-stream",
              "inference-header-content-length": String(headerBytes),
            };
      const bounds = { timeoutMs, maxBytes: MOST_ANSWER_BYTES };
      answer = await askModelServer({ method: "POST", url: `${url}/infer`, headers, body, ...bounds });
    } catch (error) {
      if (!(error instanceof HttpFailure)) return { kind: "failed", message: VariscaleError.from(error).message };
      if (error.kind === "tooLarge") return { kind: "unserved", reason: `${base}: ${error.detail}` };
      if (error.kind === "timedOut" && isCutShort) {
        const leastMs = performance.now() - startMs;
        this.#silentMs += leastMs;
        return { kind: "expired", leastMs, reason: `${base} did not answer in time` };
      }
      return this.#lose(`${base} does not answer: ${error.detail}`, error.kind === "notConnected");
    }
    const serviceMs = performance.now() - startMs;
    this.#silentMs = 0;
    const { status, headers, body } = answer;
    if (status < 200 || status > 299) return await this.#failure(status, body.toString("utf8").slice(0, 300));
    try {
      const header = headers["inference-header-content-length"];
      const tensors = decodeRemoteResponse(body, header === undefined ? null : Number(header));
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
    const { base, model, minWatchdogMs } = this.#options;
    if (!(await model.isReady(minWatchdogMs).catch(() => false)))
      return this.#lose(`${base} has not the model ready any more: ${status} ${text}`, true);
    if (REQUEST_FAULTS.includes(status)) return { kind: "failed", message: `${status} ${text}` };
    return { kind: "unserved", reason: `${base} answered ${status} ${text}` };
  }

  #lose(reason: string, isNotRun: boolean): RunResult {
    this.#lost = true;
    return { kind: "lost", reason, isNotRun };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof HttpFailure ? error.detail : VariscaleError.from(error).message;
}
