/** How long another server may take to unload a model. */
const UNLOAD_WATCHDOG_MS = 10_000;

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

async function unload(url: string): Promise<void> {
  const signal = AbortSignal.timeout(UNLOAD_WATCHDOG_MS);
  try {
    const response = await fetch(`${url}/unload`, { method: "POST", body: "{}", signal });
    await response.arrayBuffer();
  } catch {
    // A server that is gone has unloaded everything.
  }
}
