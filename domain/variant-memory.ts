import { VariscaleError } from "./errors.ts";
import type { Pipeline, Stage, Variant } from "./pipeline.ts";

/** A switcher without any session takes about this much; what a variant needs comes on top. */
const SWITCHER_BASE_MIB = 60;

/** Says why a variant can't be served within its stage's memory by what was measured, with both numbers; null where it may fit. */
export function explainMemoryShort({ memoryMiB }: Stage, { name, profile }: Variant): string | null {
  const neededMiB = profile?.memoryMiB;
  if (neededMiB === undefined || neededMiB + SWITCHER_BASE_MIB <= memoryMiB) return null;
  return `${name} needs about ${Math.ceil(neededMiB)} MiB beside the ${SWITCHER_BASE_MIB} MiB of the switcher; a replica of the stage has memoryMiB ${memoryMiB}. Give the stage more memoryMiB.`;
}

/**
 * Variants that can't be served within their stages' memory, as sentences.
 *
 * @throws VariscaleError failed_precondition where one of them is the default variant of its stage, with which every replica starts.
 */
export function findTooLarge({ stages }: Pipeline): readonly string[] {
  return stages.flatMap(stage =>
    stage.variants.flatMap(variant => {
      const short = explainMemoryShort(stage, variant);
      if (short === null) return [];
      const message = `stage ${stage.name}: ${short}`;
      if (variant.name !== stage.defaultVariant) return [message];
      throw new VariscaleError("failed_precondition", `${message} It is the default variant: no replica could start.`);
    }),
  );
}
