import { VariscaleError } from "../../domain/errors.ts";
import type { TensorContract } from "../../domain/tensor.ts";
import type { DescribedModel } from "./described-model.ts";

/** A stage to be, with the models that can serve it: they take and give the same tensors. */
export interface NewStage {
  readonly name: string;
  readonly inputs: readonly TensorContract[];
  readonly outputs: readonly TensorContract[];
  /** Under names that differ, over all stages. */
  readonly models: readonly DescribedModel[];
}

/**
 * Models that take and give the same are variants of one stage, unless the user says otherwise; stages are in the order of their
 * first model.
 *
 * @throws VariscaleError invalid_argument where a stage's models don't take and give the same.
 */
export function stagesOf(models: readonly DescribedModel[]): readonly NewStage[] {
  const groups = new Map<string, DescribedModel[]>();
  for (const model of models) {
    const key = model.stage === null ? contractText(model) : `=${model.stage}`;
    groups.set(key, [...(groups.get(key) ?? []), model]);
  }
  const stageNames = new Set(models.flatMap(({ stage }) => (stage === null ? [] : [stage])));
  const variantNames = new Set<string>();
  return [...groups.values()].map((group, i) => {
    const [first, ...others] = group as [DescribedModel, ...DescribedModel[]];
    checkSame(first, others);
    const stem = others.length === 0 ? first.name : `stage${i + 1}`;
    return {
      name: first.stage ?? unused(stem, stageNames),
      inputs: first.inputs,
      outputs: first.outputs,
      models: group.map(model => ({ ...model, name: unused(model.name, variantNames) })),
    };
  });
}

function checkSame(first: DescribedModel, others: readonly DescribedModel[]): void {
  for (const other of others)
    if (contractText(other) !== contractText(first))
      throw new VariscaleError(
        "invalid_argument",
        `stage ${first.stage}: all its models must take and give the same tensors, and ${first.name} has ${contractText(first)}, ${other.name} ${contractText(other)}. Put what differs into the model files, or name another stage.`,
      );
}

/** The name, or with a number where it is taken; it is taken from now on. */
function unused(name: string, taken: Set<string>): string {
  for (let i = 1; ; i++) {
    const free = i === 1 ? name : `${name.slice(0, 58)}-${i}`;
    if (taken.has(free)) continue;
    taken.add(free);
    return free;
  }
}

/** As `counts FP32[-1,512] → scores FP32[-1,4]`. */
function contractText({ inputs, outputs }: Pick<DescribedModel, "inputs" | "outputs">): string {
  const text = (tensors: readonly TensorContract[]): string =>
    tensors.map(({ name, datatype, shape }) => `${name} ${datatype}[${shape.join(",")}]`).join(", ");
  return `${text(inputs)} → ${text(outputs)}`;
}
