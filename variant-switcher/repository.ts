import { VariscaleError } from "../domain/errors.ts";
import type { SwitcherConfig } from "./config.ts";
import { ConfigValue } from "./config-value.ts";
import { parseJson } from "./exact-json.ts";
import type { VariantStatus } from "./status.ts";
import { findDesired, listIncoming } from "./switching/state.ts";
import type { Switching } from "./switching/switching.ts";

/** How long what a load has set holds against the scaler. */
const LOAD_TTL_MS = 3600 * 1000;

export interface RepositoryOptions {
  readonly config: Pick<SwitcherConfig, "stage" | "modelControl">;
  readonly switching: Switching;
  /** Whether the variant's session has a batch. */
  readonly isRunning: (variant: string) => boolean;
  /** Gives up a resident session that does not serve. */
  readonly drop: (variant: string) => Promise<void>;
  readonly variants: () => readonly VariantStatus[];
}

/** One version of the model, as RepositoryIndex lists it. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: "READY" | "LOADING" | "UNAVAILABLE";
  readonly reason: string;
}

/**
 * The model-repository extension over the Switch state machine: the stage is the model, its variants are the versions. A load is a
 * pin, so it interrupts nothing; a load of what is served already reads the file anew. Only with `modelControl: explicit`.
 */
export class Repository {
  readonly #options: RepositoryOptions;

  constructor(options: RepositoryOptions) {
    this.#options = options;
  }

  index(filter: "all" | "ready"): readonly IndexEntry[] {
    const name = this.#options.config.stage;
    const all = this.#options.variants().map(({ variant, state, reason }): IndexEntry => {
      const ready =
        state === "serving" || state === "resident" ? "READY" : state === "loading" ? "LOADING" : "UNAVAILABLE";
      return { name, version: variant, state: ready, reason: ready === "UNAVAILABLE" ? reason || state : reason };
    });
    return filter === "ready" ? all.filter(({ state }) => state === "READY") : all;
  }

  /** Throws `aborted` with the reason when it can't be loaded: what served before serves on. */
  async load(model: string, parameters: LoadParameters): Promise<void> {
    const { switching } = this.#options;
    this.#check(model);
    const [desired] = findDesired(switching.state) ?? [];
    const variant = parameters.variant ?? switching.servedVariant ?? desired?.variant;
    if (variant === undefined) throw new VariscaleError("unavailable", "it is not decided yet what is to be served");
    this.#known(variant);
    const outcome =
      variant === switching.servedVariant
        ? await switching.ask({ kind: "reload" })
        : await switching.ask({ kind: "pin", variant, batch: desired?.maxBatch ?? 1, ttlMs: LOAD_TTL_MS });
    if (outcome.kind === "refused") throw new VariscaleError("aborted", `${outcome.code}: ${outcome.message}`);
  }

  /** Frees the memory of a variant that does not serve. Throws `failed_precondition` for the one that does. */
  async unload(model: string, parameters: Pick<LoadParameters, "variant">): Promise<void> {
    this.#check(model);
    const { switching } = this.#options;
    const served = switching.servedVariant;
    const { variant } = parameters;
    if (variant === null || variant === served)
      throw new VariscaleError(
        "failed_precondition",
        `${model} serves ${served ?? "nothing"} and is never left without a model. Load another variant, or drain the switcher.`,
      );
    this.#known(variant);
    if (
      findDesired(switching.state)
        ?.slice(1)
        .some(rung => rung.variant === variant)
    )
      throw new VariscaleError(
        "failed_precondition",
        `${model} serves ${variant} when there is much to do. Load another variant first, which pins it.`,
      );
    if (listIncoming(switching.state).includes(variant))
      throw new VariscaleError(
        "failed_precondition",
        `${model} is about to serve ${variant}. Load another variant first.`,
      );
    if (this.#options.isRunning(variant))
      throw new VariscaleError("failed_precondition", `${model} runs a batch of ${variant} right now. Try again.`);
    switching.tell({ kind: "giveUp", variant });
    await this.#options.drop(variant);
  }

  #known(variant: string): void {
    const known = this.#options.variants().map(status => status.variant);
    if (!known.includes(variant))
      throw new VariscaleError("not_found", `there is no version ${variant}, only ${known.join(", ")}`);
  }

  /** Throws `permission_denied` where only the scaler and the admin endpoint may load and unload. */
  checkControl(): void {
    if (this.#options.config.modelControl !== "explicit")
      throw new VariscaleError(
        "permission_denied",
        "loading and unloading is left to the scaler and the admin endpoint; set modelControl to explicit to allow it here",
      );
  }

  #check(model: string): void {
    const { stage } = this.#options.config;
    if (model !== stage) throw new VariscaleError("not_found", `there is no model ${model}, only ${stage}`);
    this.checkControl();
  }
}

export interface LoadParameters {
  /** Null: the one that is served. */
  readonly variant: string | null;
}

/**
 * The parameters of a load or unload. The variant is named by `variant`, or as Triton has it by a `config` in JSON with one version in
 * `version_policy.specific.versions`. Throws `invalid_argument`.
 */
export function loadParameters(parameters: Readonly<Record<string, unknown>>): LoadParameters {
  const { variant, config, unload_dependents: _dependents, ...others } = parameters;
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new VariscaleError(
      "invalid_argument",
      `the parameter ${other} is not known; models come from the model folder, known are variant and config`,
    );
  if (variant !== undefined) return { variant: new ConfigValue(variant, "variant", "load").text() };
  return { variant: config === undefined ? null : variantOfConfig(config) };
}

function variantOfConfig(config: unknown): string | null {
  const value = parseJson(new ConfigValue(config, "config", "load").text(), "config");
  const policy = (value as { version_policy?: { specific?: { versions?: unknown } } } | null)?.version_policy;
  if (policy === undefined) return null;
  const versions = new ConfigValue(policy?.specific?.versions, "version_policy.specific.versions", "load config");
  return versions.list(version => version.text("must be a variant's name"), 1, 1)[0] ?? null;
}
