import { DeferredNetwork } from "../../predictor/network/network.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import type { StoredModel, TrainingRecord } from "./model-store.ts";

/** The model that a pipeline forecasts with: its own where it has one, else the bundled one. */
export class ModelInUse {
  readonly #bundled: ForecastModel | null;
  #stored: StoredModel | null;
  #network: DeferredNetwork | null;

  /** @param bundled null: without a model of its own the pipeline forecasts without a network. */
  constructor(bundled: ForecastModel | null, stored: StoredModel | null) {
    this.#bundled = bundled;
    this.#stored = stored;
    this.#network = this.#createNetwork();
  }

  /** The thread that computes networks answers this one every second; null: there is no model. */
  get network(): DeferredNetwork | null {
    return this.#network;
  }

  get name(): "own" | "bundled" | "none" {
    if (this.own) return "own";
    return this.#bundled ? "bundled" : "none";
  }

  /** The pipeline's own model; null: it has none, or it was worse than the bundled one. */
  get own(): ForecastModel | null {
    return this.#stored?.model ?? null;
  }

  /** The last training; null: there was none. */
  get training(): TrainingRecord | null {
    return this.#stored?.training ?? null;
  }

  /** Takes what came of a training; the network is another one from now on. */
  replace(stored: StoredModel): void {
    this.#stored = stored;
    this.#network = this.#createNetwork();
  }

  #createNetwork(): DeferredNetwork | null {
    const model = this.own ?? this.#bundled;
    return model && new DeferredNetwork(model);
  }
}
