import type { HttpAnswer, HttpClient } from "../runtime/http-client.ts";

/** How long another server may take to unload a model. */
const UNLOAD_WATCHDOG_MS = 10_000;
/** Servers close connections that are idle for as little as 5 s. */
const IDLE_MS = 4000;
/** Answers that describe or control a model are short. */
const MOST_CONTROL_BYTES = 1024 * 1024;

/** One user of models in other servers. `url` is that of a model in its server's repository. */
export interface ModelClaimant {
  /** The user is about to use the model. Resolves when no unload of it is on its way. */
  claim(url: string): Promise<void>;
  /** `found`: the server had it ready before we asked for it. `loaded`: the server loads it, or did so, because we asked. */
  report(url: string, origin: ModelOrigin): void;
  /** The user has no use for the model any more. Resolves when the server has unloaded it, where that was ours to ask for. */
  release(url: string): Promise<void>;
}

export type ModelOrigin = "found" | "loaded";

interface ClaimedModel {
  readonly users: Set<string>;
  origin: ModelOrigin | null;
  /** The newest unload. */
  unload: Promise<void>;
}

/**
 * Leaves other servers as they were found: a model is unloaded when its last user has released it, and only where it was one of them who
 * had it loaded. A model that was there before stays, also where its server was restarted meanwhile and we had to load it.
 */
export class ModelClaims {
  /** Bounded by the models that pipeline files name. */
  readonly #models = new Map<string, ClaimedModel>();

  /** One of several users, told apart by their names. */
  as(user: string): ModelClaimant {
    return {
      claim: async url => {
        const model = this.#models.get(url) ?? { users: new Set(), origin: null, unload: Promise.resolve() };
        this.#models.set(url, model);
        model.users.add(user);
        await model.unload;
      },
      report: (url, origin) => {
        const model = this.#models.get(url);
        if (model) model.origin ??= origin;
      },
      release: url => this.#release(user, url),
    };
  }

  /** A user has ended, perhaps without a word. */
  async releaseAll(user: string): Promise<void> {
    await Promise.all([...this.#models.keys()].map(url => this.#release(user, url)));
  }

  async #release(user: string, url: string): Promise<void> {
    const model = this.#models.get(url);
    if (!model?.users.delete(user) || model.users.size > 0 || model.origin !== "loaded") return;
    model.origin = null;
    model.unload = unload(url);
    await model.unload;
  }
}

/** A call of a server that has models for us. */
export interface ModelServerCall {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs: number;
  /** A longer answer is refused. Default 1 MiB. */
  readonly maxBytes?: number;
}

let client: Promise<HttpClient> | null = null;

/** Asks a server that has models for us. Throws HttpFailure where there is no whole answer. */
export async function askModelServer(call: ModelServerCall): Promise<HttpAnswer> {
  client ??= openClient();
  return await (await client).request({ maxBytes: MOST_CONTROL_BYTES, ...call, url: new URL(call.url) });
}

/** The client's code is loaded with the first call: a pod without such a server needs less memory. */
async function openClient(): Promise<HttpClient> {
  const { HttpClient } = await import("../runtime/http-client.ts");
  return new HttpClient({ idleMs: IDLE_MS });
}

async function unload(url: string): Promise<void> {
  try {
    await askModelServer({ method: "POST", url: `${url}/unload`, body: "{}", timeoutMs: UNLOAD_WATCHDOG_MS });
  } catch {
    // A server that is gone has unloaded everything.
  }
}
