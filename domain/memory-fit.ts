import { VariscaleError } from "./errors.ts";
import type { Pipeline, Stage } from "./pipeline.ts";

/** A switcher takes about this much memory beside the sessions of its models. */
const SWITCHER_MIB = 60;
/** Memory is proposed in whole multiples of this. */
const STEP_MIB = 64;

/**
 * The memory of a stage's pods, and what a session of each variant takes that has run its largest measured batch; null: not measured, or in
 * another server's memory.
 */
export interface StageMemory {
  readonly name: string;
  readonly memoryMiB: number;
  /** A replica starts with it. */
  readonly defaultVariant: string;
  readonly variants: readonly { readonly name: string; readonly sessionMiB: number | null }[];
}

/** A variant that pods of its stage have too little memory for. */
export interface UnfitVariant {
  readonly stage: string;
  readonly variant: string;
  /** A sentence with the sizes, and what to set. */
  readonly message: string;
}

/**
 * Variants that don't fit into the memory of a pod. While a switcher switches, the session that serves stays until the other one is loaded, so
 * that any two variants must fit beside each other. The default variant is kept wherever it fits alone, and what does not fit beside it is left out;
 * of the others the largest one is left out until any two of them fit.
 */
export function findUnfit(stage: StageMemory): readonly UnfitVariant[] {
  const sizes = measuredSizes(stage);
  const kept = sizes.find(one => one.name === stage.defaultVariant && neededMiB(one.sessionMiB, 0) <= stage.memoryMiB);
  const others = sizes.filter(one => one !== kept);
  const unfit: UnfitVariant[] = [];
  for (const [i, { name, sessionMiB }] of others.entries()) {
    const next = others[i + 1];
    const beside = kept && kept.sessionMiB >= (next?.sessionMiB ?? 0) ? kept : next;
    if (neededMiB(sessionMiB, beside?.sessionMiB ?? 0) <= stage.memoryMiB) break;
    const second = beside ? `, and ${beside.name}, which may serve while it is loaded, ${mib(beside.sessionMiB)}` : "";
    unfit.push({
      stage: stage.name,
      variant: name,
      message: `${stage.name}/${name} does not fit into memory and is left out: its session takes ${mib(sessionMiB)}${second}, the switcher itself about ${mib(SWITCHER_MIB)}, but \`memoryMiB\` of stage ${stage.name} is ${stage.memoryMiB}. Set \`memoryMiB: ${enoughMiB(stage)}\`, or remove the variant.`,
    });
  }
  return unfit;
}

/** The least `memoryMiB` to propose with which every measured variant of the stage fits. */
export function enoughMiB(stage: Pick<StageMemory, "variants">): number {
  return STEP_MIB * Math.ceil(leastMiB(stage) / STEP_MIB);
}

/** Memory with which any two measured variants of the stage just fit beside each other. */
export function leastMiB(stage: Pick<StageMemory, "variants">): number {
  const [largest, second] = measuredSizes(stage);
  return neededMiB(largest?.sessionMiB ?? 0, second?.sessionMiB ?? 0);
}

const known = new WeakMap<Stage, readonly UnfitVariant[]>();

/** Variants of a pipeline that don't fit into the memory of their stage, in its order. */
export function unfitVariants({ stages }: Pick<Pipeline, "stages">): readonly UnfitVariant[] {
  return stages.flatMap(stage => {
    const found =
      known.get(stage) ??
      findUnfit({
        ...stage,
        variants: stage.variants.map(({ name, driver, profile }) => ({
          name,
          sessionMiB: driver === "onnx" ? (profile?.memoryMiB ?? null) : null,
        })),
      });
    known.set(stage, found);
    return found;
  });
}

/**
 * Tells which variants are left out because the pods of their stage have too little memory for them.
 *
 * @throws failed_precondition where all measured variants of a stage are left out: nothing can be served.
 */
export function sayUnfit(pipeline: Pipeline, say: (line: string) => void): void {
  const unfit = unfitVariants(pipeline);
  for (const { name, variants } of pipeline.stages) {
    const messages = unfit.filter(({ stage }) => stage === name).map(({ message }) => message);
    if (messages.length > 0 && messages.length === variants.filter(({ profile }) => profile !== null).length)
      throw new VariscaleError(
        "failed_precondition",
        `no variant of stage ${name} fits into memory, so that nothing can be served. ${messages.join(" ")}`,
      );
    for (const message of messages) say(message);
  }
}

/** The same by stage, as the optimiser is told of variants that it may not use. */
export function excludeUnfit(
  pipeline: Pick<Pipeline, "stages">,
  excluded: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> {
  const all: Record<string, readonly string[]> = { ...excluded };
  for (const { stage, variant } of unfitVariants(pipeline)) all[stage] = [...new Set([...(all[stage] ?? []), variant])];
  return all;
}

function measuredSizes({
  variants,
}: Pick<StageMemory, "variants">): readonly { readonly name: string; readonly sessionMiB: number }[] {
  return variants
    .flatMap(({ name, sessionMiB }) => (sessionMiB === null ? [] : [{ name, sessionMiB }]))
    .toSorted((a, b) => b.sessionMiB - a.sessionMiB);
}

function neededMiB(session: number, beside: number): number {
  return SWITCHER_MIB + session + beside;
}

function mib(size: number): string {
  return `${Math.ceil(size)} MiB`;
}
