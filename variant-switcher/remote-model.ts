import { HttpFailure } from "../runtime/http-failure.ts";
import { askModelServer, type ModelClaimant, ModelClaims } from "./model-claims.ts";

/** Loading may compile a model. A server that takes longer is taken for hung. */
const LOAD_WATCHDOG_MS = 120_000;
const READY_WATCHDOG_MS = 10_000;

/** One for each model of each server. */
const models = new Map<string, RemoteModel>();

let claims: ModelClaimant = new ModelClaims().as("this process");

/** Where several processes share a server, one of them keeps the claims of all. Told before the first model is loaded. */
export function keepClaimsWith(keeper: ModelClaimant): void {
  claims = keeper;
}

/** The answer of a server to a load. */
export interface LoadAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * A model of another server, loaded unless the server has it ready already. What is asked of the server about it goes one after the
 * other, also where nobody waits for it any more: an unload that met a load on its way would leave the model in that server's memory, or
 * take it from its next user.
 */
export class RemoteModel {
  readonly #base: string;
  readonly #name: string;
  #users = 0;
  #isClaimed = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(base: string, name: string) {
    this.#base = base;
    this.#name = name;
  }

  /** `name` is part of a URL already. */
  static at(base: string, name: string): RemoteModel {
    const key = `${base} ${name}`;
    const known = models.get(key) ?? new RemoteModel(base, name);
    models.set(key, known);
    return known;
  }

  get #repositoryUrl(): string {
    return `${this.#base}/v2/repository/models/${this.#name}`;
  }

  /** Loads it for one more user, who has to let go of it whatever comes of the load. Throws where the server does not answer. */
  load(): Promise<LoadAnswer> {
    this.#users++;
    return this.#inTurn(() => this.#load());
  }

  /** Resolves when the server has unloaded it, where that was the last user and it was loaded for us, or when it does not answer. */
  release(): Promise<void> {
    this.#users--;
    return this.#inTurn(async () => {
      if (this.#users > 0 || !this.#isClaimed) return;
      this.#isClaimed = false;
      await claims.release(this.#repositoryUrl);
      if (this.#users === 0) models.delete(`${this.#base} ${this.#name}`);
    });
  }

  /** Whether the server has it ready. Throws where it does not answer. */
  async isReady(timeoutMs: number): Promise<boolean> {
    const url = `${this.#base}/v2/models/${this.#name}/ready`;
    return isSuccess((await askModelServer({ method: "GET", url, timeoutMs })).status);
  }

  async #load(): Promise<LoadAnswer> {
    const isFirst = !this.#isClaimed;
    if (isFirst) await claims.claim(this.#repositoryUrl);
    this.#isClaimed = true;
    // A load of a model that this process uses already is a reload: the server must read the model again.
    if (isFirst && (await this.isReady(READY_WATCHDOG_MS))) {
      claims.report(this.#repositoryUrl, "found");
      return { status: 200, text: "" };
    }
    try {
      const url = `${this.#repositoryUrl}/load`;
      const { status, body } = await askModelServer({ method: "POST", url, body: "{}", timeoutMs: LOAD_WATCHDOG_MS });
      if (isSuccess(status)) claims.report(this.#repositoryUrl, "loaded");
      return { status, text: body.toString("utf8") };
    } catch (error) {
      // The server may load it all the same, later, unless it surely was not asked.
      const isUnasked = error instanceof HttpFailure && error.kind === "notConnected";
      if (!isUnasked) claims.report(this.#repositoryUrl, "loaded");
      throw error;
    }
  }

  async #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(ask);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
