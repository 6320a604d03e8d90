import type { AccuracyMethod } from "../domain/accuracy-method.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { accuracyOf } from "../optimizer/accuracy.ts";
import type { DriftErrors } from "../profiler/estimate-drifts.ts";
import { type Figure, figure } from "./figure.ts";

/** Each measured combination as it would be predicted had it alone not been measured: mean absolute error, in points. */
export function heldOutMae(pipeline: Pipeline, method: AccuracyMethod = pipeline.accuracy.method): number {
  const { combinations } = pipeline.accuracy;
  const errors = combinations.map(left => {
    const others = combinations.filter(other => other !== left);
    const model = accuracyOf({ ...pipeline, accuracy: { ...pipeline.accuracy, method, combinations: others } });
    return Math.abs(model.of(pipeline.stages.map(stage => left.variants[stage.name] ?? "")) - left.accuracy);
  });
  return (100 * errors.reduce((sum, error) => sum + error, 0)) / errors.length;
}

/** Of the measurements that come with the pipelines. */
export function heldOutFigure(pipelines: readonly Pipeline[]): Figure {
  const errors = pipelines.map(pipeline => [pipeline.key.name, round(heldOutMae(pipeline))] as const);
  return figure("pipelines.accuracy.heldOutMae", Math.max(...errors.map(([, error]) => error)), {
    against: Object.fromEntries(errors),
    note: "points; the pipeline where it is worst; a combination is predicted from all others as plans would",
  });
}

/** Of drifts that were measured now, by pipeline. */
export function driftFigures(
  runs: readonly (readonly [pipeline: string, Readonly<Record<string, DriftErrors>>])[],
): Figure[] {
  const all = runs.flatMap(([pipeline, errors]) =>
    Object.entries(errors).map(([drift, error]) => [`${pipeline}/${drift}`, error] as const),
  );
  const ratios = all.map(([name, error]) => [name, round(error.estimate / error.static)] as const);
  const labelled = all.map(([name, error]) => [name, round(100 * (error.labelled ?? Number.NaN))] as const);
  const note = "the model that estimates has not seen the drift; the drift where it is worst";
  return [
    figure("pipelines.drift.errorRatio", Math.max(...ratios.map(([, ratio]) => ratio)), {
      against: Object.fromEntries(ratios),
      note: `error of the estimate without labels over that of the accuracy measured before; ${note}`,
    }),
    figure("pipelines.drift.labelledPoints", Math.max(...labelled.map(([, points]) => points)), {
      against: Object.fromEntries(labelled),
      note: `error of the estimate with 100 labels; ${note}`,
    }),
  ];
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
