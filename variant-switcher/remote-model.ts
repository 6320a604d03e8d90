/** Loading may compile a model. A server that takes longer is taken for hung. */
const LOAD_WATCHDOG_MS = 120_000;
const UNLOAD_WATCHDOG_MS = 10_000;

/** One for each model of each server. */
const models = new Map<string, RemoteModel>();

/** What a server said to a load. */
export interface LoadAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * A model of another server. It is unloaded when its last user has let go of it. What is asked of the server about it goes one after the
 * other, also where nobody waits for it any more: an unload that met a load on its way would leave the model in that server's memory, or
 * take it from whoever uses it next.
 */
export class RemoteModel {
  readonly #repositoryUrl: string;
  #users = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(repositoryUrl: string) {
    this.#repositoryUrl = repositoryUrl;
  }

  /** `name` is part of a URL already. */
  static at(base: string, name: string): RemoteModel {
    const url = `${base}/v2/repository/models/${name}`;
    const known = models.get(url) ?? new RemoteModel(url);
    models.set(url, known);
    return known;
  }

  /** Loads it for one more user, who has to let go of it whatever comes of the load. Throws where the server does not answer. */
  load(): Promise<LoadAnswer> {
    this.#users++;
    return this.#inTurn(() => this.#post("load", LOAD_WATCHDOG_MS));
  }

  /** Resolves when the server has unloaded it, where that was the last user, or when it does not answer. */
  release(): Promise<void> {
    this.#users--;
    return this.#inTurn(async () => {
      if (this.#users > 0) return;
      // A server that is gone has unloaded everything.
      await this.#post("unload", UNLOAD_WATCHDOG_MS).catch(() => undefined);
      if (this.#users === 0) models.delete(this.#repositoryUrl);
    });
  }

  async #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(ask);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async #post(what: "load" | "unload", watchdogMs: number): Promise<LoadAnswer> {
    const signal = AbortSignal.timeout(watchdogMs);
    const response = await fetch(`${this.#repositoryUrl}/${what}`, { method: "POST", body: "{}", signal });
    return { status: response.status, text: await response.text() };
  }
}
