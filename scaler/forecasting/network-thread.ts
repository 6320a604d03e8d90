import type { DeferredNetwork, NetworkQuestion } from "../../predictor/network/network.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import { RestartableThread } from "../threads/restartable-thread.ts";
import type { NetworkBatch, NetworkReply, NetworkRequest } from "./network-messages.ts";

const DEFAULT_WORKER = new URL("./network-worker.js", import.meta.url);
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 128 };
/** It is asked once a second, and counts these and not the time, as a clock may be set. A first answer waits for tfjs to load. */
const HUNG_AFTER_ASKS = 60;
const AGAIN_AFTER_ASKS = 60;

export interface NetworkThreadOptions {
  readonly onOpened: (opened: NetworkReply & { readonly kind: "opened" }) => void;
  /** Called with every answer; null: it works. Until it does, forecasts do without networks. */
  readonly onProblem: (problem: string | null) => void;
  /** The script of the thread. */
  readonly workerUrl?: URL;
}

interface Asked {
  readonly network: DeferredNetwork;
  readonly question: NetworkQuestion;
}

/** One thread that computes what the networks of all pipelines predict, a second after the other. It is started by the first question. */
export class NetworkThread {
  readonly #options: NetworkThreadOptions;
  readonly #thread: RestartableThread<NetworkRequest, NetworkReply>;
  /** The models that the thread has, by the numbers that it knows them by. */
  readonly #models = new Map<ForecastModel, number>();
  #nextId = 1;
  /** The rows that it computes now, batch by batch; null: none. */
  #asked: readonly (readonly Asked[])[] | null = null;
  /** How often it was to be asked since it was asked, or since it was lost. */
  #waited = 0;
  #isLost = false;
  #isClosed = false;

  constructor(options: NetworkThreadOptions) {
    this.#options = options;
    this.#thread = new RestartableThread({
      script: options.workerUrl ?? DEFAULT_WORKER,
      resourceLimits: RESOURCE_LIMITS,
      onReply: reply => this.#take(reply),
      onLost: reason => this.#lose(reason),
    });
  }

  /**
   * Asks what is new, and tells the networks when it is there. While an answer is due nothing is asked, and the questions wait.
   *
   * @param networks all that there are, once a second.
   * @returns whether an answer is due now.
   */
  ask(networks: readonly DeferredNetwork[]): boolean {
    if (this.#isClosed) return false;
    this.#waited += 1;
    if (this.#asked !== null && this.#waited > HUNG_AFTER_ASKS)
      void this.#thread.end(`it said nothing for ${HUNG_AFTER_ASKS} s`);
    if (this.#isLost && this.#waited > AGAIN_AFTER_ASKS) this.#isLost = false;
    if (this.#isLost) return false;
    if (this.#asked !== null) return true;
    const batches = groupQuestions(networks);
    if (batches.length === 0) return false;
    const inUse = new Set(networks.map(({ model }) => model));
    const forgotten = [...this.#models].filter(([model]) => !inUse.has(model));
    for (const [model] of forgotten) this.#models.delete(model);
    const models: { id: number; model: ForecastModel }[] = [];
    const request = batches.map((asked): NetworkBatch => {
      const { network, question } = asked[0] as Asked;
      const known = this.#models.get(network.model);
      const id = known ?? this.#nextId++;
      if (known === undefined) models.push({ id, model: network.model });
      this.#models.set(network.model, id);
      return { model: id, horizon: question.horizon, inputs: joinRows(asked) };
    });
    this.#asked = batches;
    this.#waited = 0;
    this.#thread.post(
      { models, forgotten: forgotten.map(([, id]) => id), batches: request },
      request.map(({ inputs }) => inputs.buffer),
    );
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread.end("the scaler stops");
  }

  #take(reply: NetworkReply): void {
    switch (reply.kind) {
      case "opened":
        this.#options.onOpened(reply);
        break;
      case "failed":
        void this.#thread.end(reply.message);
        break;
      case "predicted":
        this.#takeOutputs(reply.outputs);
        break;
      default:
        reply satisfies never;
    }
  }

  #takeOutputs(outputs: readonly (Float32Array | string)[]): void {
    let problem: string | null = null;
    for (const [i, asked] of (this.#asked ?? []).entries()) {
      const rows = outputs[i] ?? "there is no answer";
      if (typeof rows === "string")
        problem = `a network of forecasts can't be computed: ${rows}; forecasts go on without it`;
      else for (const [row, { network, question }] of asked.entries()) network.answer(question, rows, row);
    }
    this.#asked = null;
    this.#options.onProblem(problem);
  }

  #lose(reason: string): void {
    this.#models.clear();
    this.#asked = null;
    this.#isLost = true;
    this.#waited = 0;
    if (this.#isClosed) return;
    this.#options.onProblem(
      `the networks of forecasts can't be computed: ${reason}; forecasts go on without them, it is tried again in ${AGAIN_AFTER_ASKS} s`,
    );
  }
}

/** The questions of all, together where one horizon of one model computes them. */
function groupQuestions(networks: readonly DeferredNetwork[]): readonly (readonly Asked[])[] {
  const groups = new Map<ForecastModel, Map<number, Asked[]>>();
  for (const network of networks)
    for (const question of network.takeQuestions()) {
      const byHorizon = groups.get(network.model) ?? new Map<number, Asked[]>();
      groups.set(network.model, byHorizon);
      const asked = byHorizon.get(question.horizon) ?? [];
      byHorizon.set(question.horizon, asked);
      asked.push({ network, question });
    }
  return [...groups.values()].flatMap(byHorizon => [...byHorizon.values()]);
}

function joinRows(asked: readonly Asked[]): Float32Array<ArrayBuffer> {
  const width = asked[0]?.question.row.length ?? 0;
  const inputs = new Float32Array(asked.length * width);
  for (const [i, { question }] of asked.entries()) inputs.set(question.row, i * width);
  return inputs;
}
