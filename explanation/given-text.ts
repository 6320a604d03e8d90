import type { Given } from "../optimizer/given.ts";
import { number, percent } from "./number-text.ts";

/** What a plan was made with, as a heading and lines below it, or what is not known of that. */
export function givenText(given: Given | null): { readonly heading: string; readonly lines: readonly string[] } {
  if (given === null)
    return {
      heading:
        "not known: the policy, pins, limits, bounds and excluded variants it was made with; prices are those of the file alone",
      lines: [],
    };
  const { policy, minAccuracy, limits } = given;
  const lines = [
    ...given.pins.map(({ stage, variant, batch, replicas }) => {
      const parts = [
        ...(variant === null ? [] : [variant]),
        ...(batch === null ? [] : [`batch ${batch}`]),
        ...(replicas === null ? [] : [`${replicas} replicas`]),
      ];
      return `${stage} pinned to ${parts.join(", ")}`;
    }),
    ...(given.weights
      ? [`weights of ${given.weights.accuracy} for accuracy and ${given.weights.cost} for a core, not the file's`]
      : []),
    ...(given.accuracies ? ["accuracies as answers showed them to be, not as they were measured"] : []),
    ...Object.entries(given.rowFactors ?? {}).map(
      ([stage, factor]) => `${stage} with ${number(factor)} times the rows that were measured, as requests make them`,
    ),
    ...Object.entries(given.excluded).map(([stage, variants]) => `${stage} without ${variants.join(", ")}`),
    ...notInstalledText(given),
    ...Object.entries(given.bounds).map(([stage, { min, max }]) => `${stage} with ${min} to ${max} replicas`),
    ...Object.entries(given.scaling ?? {}).map(
      ([stage, { current, toleranceUp }]) => `${stage} by an HPA at ${current} with a tolerance of ${toleranceUp}`,
    ),
    ...Object.entries(given.combine ?? {}).map(([stage, combining]) =>
      combining.kind === "vote"
        ? `${stage} by votes, errors correlated by ${combining.correlation}`
        : `${stage} split over two variants`,
    ),
    ...(minAccuracy === null ? [] : [`an accuracy of ${percent(minAccuracy)} at least`]),
    ...(limits.cores === null ? [] : [`${limits.cores} cores at most`]),
    ...(limits.machineCores === null ? [] : [`${limits.machineCores} cores of one machine`]),
    ...(given.risenRps === undefined
      ? []
      : [
          `more replicas, as far as there may be, for the ${number(given.risenRps)} rps that may come; prices are without them`,
        ]),
    ...(given.attainmentFactor === undefined
      ? []
      : [`${number(given.attainmentFactor)} times the load, as fewer requests were answered in time than plans said`]),
    ...(given.trial
      ? [
          `a trial until ${new Date(given.trial.untilMs).toISOString()}: ${Object.values(given.trial.variants).join(" → ")} may be right in up to ${percent(given.trial.mostAccuracy)} (${percent(given.trial.accuracy)} by estimate), the plan is in ${percent(given.trial.plannedAccuracy)}`,
        ]
      : []),
    ...(policy === "reactive" ? ["what its HPA remembers is not recorded"] : []),
  ];
  return { heading: `made with the policy ${policy}${lines.length > 0 ? ":" : ""}`, lines };
}

function notInstalledText({ notInstalled = {} }: Given): readonly string[] {
  const names = Object.entries(notInstalled).flatMap(([stage, variants]) => variants.map(name => `${stage}/${name}`));
  if (names.length === 0) return [];
  return [
    `pods have no model file of ${names.join(", ")}: \`variscale models install PIPELINE --model-folder FOLDER\` gets those of packages, \`variscale models prepare\` all others, or build the image with \`--build-arg MODELS=NAME\``,
  ];
}
