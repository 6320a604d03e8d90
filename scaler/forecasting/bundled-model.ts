import { readFileSync } from "node:fs";
import { VariscaleError } from "../../domain/errors.ts";
import { type ForecastModel, parseModel } from "../../predictor/network/network-model.ts";

const PATH = new URL("../../predictor/bundled-model.json", import.meta.url);

/**
 * The model that comes with the package: of the recent past alone, trained on generated loads (scripts/train-bundled-model.mjs).
 * Throws VariscaleError where the package is damaged.
 */
export function readBundledModel(): ForecastModel {
  const { model, problem } = parseModel(JSON.parse(readFileSync(PATH, "utf8")));
  if (model) return model;
  throw new VariscaleError("internal", `${PATH.pathname} can't be used: ${problem}; install the package again`);
}
