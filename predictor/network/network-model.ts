import { FEATURES, type FeatureSet } from "../features.ts";
import type { Target } from "../target.ts";
import { createWeights, type NetworkWeights, PART_NAMES, weightSizes } from "./network-weights.ts";

/** Changes whenever older models would be misread or their features are others. */
const MODEL_VERSION = 2;
/** More networks than this are no ensemble but a mistake. */
const MOST_MEMBERS = 16;

export interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

/** Networks for one horizon, and the scales of what goes in and what comes out, in the Anscombe domain. */
export interface HorizonModel {
  readonly horizonSeconds: number;
  readonly inputMeans: Float32Array;
  readonly inputDeviations: Float32Array;
  /** Outcomes of each target were spread like this, relative to the level. */
  readonly outcomes: Readonly<Record<Target["name"], Scale>>;
  /** Their predictions are averaged. */
  readonly members: readonly NetworkWeights[];
}

/** Everything that a network forecasts with. */
export interface ForecastModel {
  readonly features: FeatureSet;
  /** By rising horizon. */
  readonly horizons: readonly HorizonModel[];
}

/** The model as plain JSON; weights are base64 of little-endian 32-bit floats. */
export function modelToJson(model: ForecastModel): unknown {
  return {
    version: MODEL_VERSION,
    features: model.features,
    horizons: model.horizons.map(horizon => ({
      horizonSeconds: horizon.horizonSeconds,
      inputMeans: encode(horizon.inputMeans),
      inputDeviations: encode(horizon.inputDeviations),
      outcomes: horizon.outcomes,
      members: horizon.members.map(weights =>
        Object.fromEntries(PART_NAMES.map(name => [name, encode(weights[name])])),
      ),
    })),
  };
}

export type ParsedModel =
  | { readonly model: ForecastModel; readonly problem: null }
  | { readonly model: null; readonly problem: string };

/** The model if it is whole and every number in it can be calculated with; never a throw. */
export function parseModel(value: unknown): ParsedModel {
  try {
    return { model: parse(value), problem: null };
  } catch (error) {
    if (error instanceof ModelProblem) return { model: null, problem: error.message };
    throw error;
  }
}

class ModelProblem extends Error {}

function parse(value: unknown): ForecastModel {
  if (!isRecord(value)) throw new ModelProblem("it is no object");
  if (value["version"] !== MODEL_VERSION)
    throw new ModelProblem(`its version is ${show(value["version"])}, not ${MODEL_VERSION}`);
  const set = value["features"];
  if (set !== "recent" && set !== "seasonal")
    throw new ModelProblem(`its features are ${show(set)}, neither recent nor seasonal`);
  const list = value["horizons"];
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_MEMBERS)
    throw new ModelProblem("its horizons are no list of 1 to 16");
  const horizons = list.map((one, i) => parseHorizon(one, FEATURES[set], `horizons[${i}]`));
  for (const [i, { horizonSeconds }] of horizons.entries())
    if (horizonSeconds <= (horizons[i - 1]?.horizonSeconds ?? 0))
      throw new ModelProblem(`horizons[${i}].horizonSeconds is ${horizonSeconds}, not above the one before`);
  return { features: set, horizons };
}

function parseHorizon(value: unknown, inputs: number, at: string): HorizonModel {
  if (!isRecord(value)) throw new ModelProblem(`${at} is no object`);
  const { horizonSeconds, outcomes, members } = value;
  if (!Number.isSafeInteger(horizonSeconds)) throw new ModelProblem(`${at}.horizonSeconds is no whole number`);
  if (!isRecord(outcomes)) throw new ModelProblem(`${at}.outcomes is no object`);
  const inputDeviations = decode(value["inputDeviations"], inputs, `${at}.inputDeviations`);
  if (inputDeviations.some(deviation => deviation <= 0))
    throw new ModelProblem(`${at}.inputDeviations are not all above 0`);
  if (!Array.isArray(members) || members.length === 0 || members.length > MOST_MEMBERS)
    throw new ModelProblem(`${at}.members are no list of 1 to 16`);
  return {
    horizonSeconds: Number(horizonSeconds),
    inputMeans: decode(value["inputMeans"], inputs, `${at}.inputMeans`),
    inputDeviations,
    outcomes: {
      peak: parseScale(outcomes["peak"], `${at}.outcomes.peak`),
      rate: parseScale(outcomes["rate"], `${at}.outcomes.rate`),
    },
    members: members.map((member, i) => parseMember(member, inputs, `${at}.members[${i}]`)),
  };
}

function parseScale(value: unknown, at: string): Scale {
  if (!isRecord(value)) throw new ModelProblem(`${at} is no object`);
  const { mean, deviation } = value;
  if (!Number.isFinite(mean)) throw new ModelProblem(`${at}.mean is no number`);
  if (!(Number.isFinite(deviation) && Number(deviation) > 0)) throw new ModelProblem(`${at}.deviation is not above 0`);
  return { mean: Number(mean), deviation: Number(deviation) };
}

function parseMember(value: unknown, inputs: number, at: string): NetworkWeights {
  if (!isRecord(value)) throw new ModelProblem(`${at} is no object`);
  const sizes = weightSizes(inputs);
  return createWeights(name => decode(value[name], sizes[name], `${at}.${name}`));
}

function encode(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

function decode(value: unknown, length: number, at: string): Float32Array {
  if (typeof value !== "string") throw new ModelProblem(`${at} is no text`);
  const bytes = Buffer.from(value, "base64");
  if (bytes.length !== 4 * length)
    throw new ModelProblem(`${at} has ${bytes.length} bytes, not ${4 * length} for ${length} numbers`);
  const values = new Float32Array(length);
  Buffer.from(values.buffer).set(bytes);
  if (!values.every(Number.isFinite)) throw new ModelProblem(`${at} has a value that is no finite number`);
  return values;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 40) ?? "missing";
}
