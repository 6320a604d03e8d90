import type { Pipeline } from "../domain/pipeline.ts";
import type { MeasurementsInput, ReceivedCounts } from "../domain/profile-schema.ts";
import { accuracyOf } from "../optimizer/accuracy.ts";
import { bothRightByOthers, recoveryOf, type StageErrors, stageErrors } from "../optimizer/stage-errors.ts";
import { percent } from "./number-text.ts";

/** A table of texts for people; a dash where nothing was measured. */
export interface TextTable {
  readonly header: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

type Accuracy = NonNullable<MeasurementsInput["accuracy"]>;

const ERRORS = [
  "variants",
  "stage before right",
  "right after that",
  "right after a wrong one",
  "both right",
  "Fréchet's bounds",
  "with ρ of the others",
  "recovery r",
  "κ",
  "ρ",
] as const;

/**
 * How errors of each stage hang together with those of the stage before: a line for every choice of variants up to the stage. Files of
 * before these were counted have a line for each combination, without numbers.
 */
export function stageErrorTable({ stages, combinations, received }: Accuracy): TextTable {
  const known = (received ?? []).flatMap(counts => {
    const accuracy = stages?.[counts.stage]?.[counts.variants[counts.stage] ?? ""]?.accuracy ?? Number.NaN;
    const errors = stageErrors(counts, accuracy);
    return errors ? [{ stage: counts.stage, errors }] : [];
  });
  const lines = known.map(({ stage, errors }) => {
    const others = known.filter(other => other.stage === stage && other.errors !== errors);
    return errorLine(
      errors,
      others.map(other => other.errors),
    );
  });
  const unknown = (combinations ?? []).map(({ variants }) => [textOf(variants), ...ERRORS.slice(1).map(() => "–")]);
  return { header: ERRORS, lines: received === undefined ? unknown : lines };
}

function errorLine(errors: StageErrors, others: readonly StageErrors[]): readonly string[] {
  return [
    textOf(errors.variants),
    ...[errors.before, errors.afterRight, errors.afterWrong, errors.both].map(percent),
    errors.bounds.map(percent).join(" to "),
    percent(bothRightByOthers(errors, others)),
    percent(errors.recovery),
    decimal(errors.agreement, 3),
    decimal(errors.correlation, 2),
  ];
}

/**
 * What is computed from the stages alone beside what was measured, for every combination: as a product, and as a Markov chain with the
 * recovery of each stage over all combinations.
 *
 * @param received null: was not counted, so that there is no chain.
 */
export function predictionTable(pipeline: Pipeline, received: readonly ReceivedCounts[] | null): TextTable {
  const product = modelOf(pipeline, "product");
  const markov = received === null ? null : modelOf(withRecovery(pipeline, received), "markov");
  const lines = pipeline.accuracy.combinations.map(({ variants, accuracy, interval }) => {
    const names = pipeline.stages.map(stage => variants[stage.name] ?? "");
    const computed = [product.of(names), markov?.of(names) ?? Number.NaN];
    return [
      textOf(variants),
      percent(accuracy),
      interval ? interval.map(percent).join(" to ") : "–",
      ...computed.flatMap(value => [percent(value), difference(value - accuracy)]),
    ];
  });
  const header = ["variants", "measured", "95 % interval", "product", "too high by", "Markov", "too high by"];
  return { header, lines: [...lines, meanLine(lines.length, pipeline, product, markov)] };
}

type Model = ReturnType<typeof accuracyOf>;

/** Mean absolute error of both. */
function meanLine(count: number, pipeline: Pipeline, ...models: readonly (Model | null)[]): readonly string[] {
  const errors = models.map(model => {
    const each = pipeline.accuracy.combinations.map(({ variants, accuracy }) =>
      Math.abs((model?.of(pipeline.stages.map(stage => variants[stage.name] ?? "")) ?? Number.NaN) - accuracy),
    );
    return each.reduce((sum, error) => sum + error, 0) / count;
  });
  return [
    "mean absolute error",
    "",
    "",
    ...errors.flatMap(error => ["", Number.isNaN(error) ? "–" : (100 * error).toFixed(1)]),
  ];
}

function modelOf(pipeline: Pipeline, method: Pipeline["accuracy"]["method"]): Model {
  return accuracyOf({ ...pipeline, accuracy: { ...pipeline.accuracy, method } });
}

function withRecovery(pipeline: Pipeline, received: readonly ReceivedCounts[]): Pipeline {
  const stages = pipeline.stages.map(stage => {
    const recovery = recoveryOf(received, stage.name);
    return { ...stage, recovery: Number.isNaN(recovery) ? 0 : recovery };
  });
  return { ...pipeline, stages };
}

function textOf(variants: Readonly<Record<string, string>>): string {
  return Object.values(variants).join(" → ");
}

function decimal(value: number, digits: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(digits).replace("-", "−");
}

/** In points. */
function difference(share: number): string {
  if (Number.isNaN(share)) return "–";
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;
}
