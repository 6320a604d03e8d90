import { VariscaleError } from "../domain/errors.ts";
import type { OpenOptions, OpenSession } from "./driver.ts";
import { decodeRemoteResponse, encodeRemoteRequest, remoteTensors } from "./remote-codec.ts";
import type { RunResult } from "./session.ts";
import type { Loaded, Refused, TransferredTensor } from "./session-messages.ts";

/** As for a thread: a server that does not answer for this long, or 20 times what is expected, is taken for hung. */
const MIN_WATCHDOG_MS = 10_000;
const LOAD_WATCHDOG_MS = 120_000;
const WATCHDOG_FACTOR = 20;

/** The server, or its model, is not there: bad gateway, unavailable, gateway timeout. */
const GONE_STATUSES = [502, 503, 504];

/** Sessions by the model that they stand for: it is unloaded when the last one ends. */
const users = new Map<string, number>();

/**
 * The driver `remote`: the model runs in another server of the Open Inference Protocol V2 in the same pod, Triton or MLServer for example,
 * which loads and unloads it by its model-repository extension.
 */
export async function openRemote(options: OpenOptions, signal: AbortSignal): Promise<OpenSession | Refused> {
  const { variant, minWatchdogMs } = options;
  const base = (variant.url ?? "").replace(/\/$/, "");
  const model = encodeURIComponent(variant.model);
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(`${base}/v2/${path}`, {
      ...init,
      signal: AbortSignal.any([signal, AbortSignal.timeout(LOAD_WATCHDOG_MS)]),
    });
  const refused = (code: Refused["code"], message: string): Refused => ({ kind: "refused", code, message });
  const key = `${base} ${model}`;
  try {
    const loaded = await ask(`repository/models/${model}/load`, { method: "POST", body: "{}" });
    const reason = await loaded.text();
    if (!loaded.ok)
      return refused(
        loaded.status === 404 ? "model_missing" : "model_invalid",
        `${variant.model} can't be loaded by ${base}: ${loaded.status} ${reason.slice(0, 300)}`,
      );
    const server = (await (await ask("")).json()) as { readonly extensions?: readonly string[] };
    const metadata = (await (await ask(`models/${model}`)).json()) as Readonly<Record<string, unknown>>;
    return new RemoteSession({
      variant: variant.name,
      base,
      model,
      key,
      form: server.extensions?.includes("binary_tensor_data") ? "binary" : "json",
      tensors: tensorsOf(options, metadata),
      minWatchdogMs: minWatchdogMs ?? MIN_WATCHDOG_MS,
    });
  } catch (error) {
    if (signal.aborted) return refused("superseded", "a newer Switch came in between");
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
  readonly model: string;
  readonly key: string;
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
    users.set(options.key, (users.get(options.key) ?? 0) + 1);
  }

  get isLost(): boolean {
    return this.#lost;
  }

  async run(inputs: readonly TransferredTensor[], outputs: readonly string[], expectedMs: number): Promise<RunResult> {
    const { base, model, form, minWatchdogMs } = this.#options;
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
      response = await fetch(`${base}/v2/models/${model}/infer`, { method: "POST", headers, body, signal });
      answer = Buffer.from(await response.arrayBuffer());
    } catch (error) {
      if (error instanceof VariscaleError) return { kind: "failed", message: error.message };
      this.#lost = true;
      return { kind: "lost", reason: `${base} does not answer: ${reasonOf(error)}` };
    }
    const serviceMs = performance.now() - startMs;
    if (GONE_STATUSES.includes(response.status)) {
      this.#lost = true;
      return { kind: "lost", reason: `${base} answered ${response.status}` };
    }
    if (!response.ok) return { kind: "failed", message: `${response.status} ${answer.toString("utf8").slice(0, 300)}` };
    try {
      const header = response.headers.get("inference-header-content-length");
      const tensors = decodeRemoteResponse(answer, header === null ? null : Number(header));
      return { kind: "ran", outputs: tensors, spare: inputs.map(({ data }) => data), serviceMs };
    } catch (error) {
      return { kind: "failed", message: reasonOf(error) };
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#unload();
    return this.#closed;
  }

  async #unload(): Promise<void> {
    this.#lost = true;
    const { base, model, key } = this.#options;
    const left = (users.get(key) ?? 1) - 1;
    if (left > 0) {
      users.set(key, left);
      return;
    }
    users.delete(key);
    // A server that is gone has unloaded everything.
    await fetch(`${base}/v2/repository/models/${model}/unload`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(MIN_WATCHDOG_MS),
    }).then(
      response => response.arrayBuffer(),
      () => undefined,
    );
  }
}

/** What fetch() throws says why in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : { message: String(error), cause: undefined };
  return cause instanceof Error && cause.message !== "" ? `${message}: ${cause.message}` : message;
}
