import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { withoutVariants } from "../../domain/without-variants.ts";
import { howToMeasure } from "../check-profiled.ts";

/**
 * What of a pipeline can be simulated: nothing is known of how long variants take that were not measured, such as those of packages that
 * are not installed. Plans are made without them as well.
 *
 * @param file as the user named it.
 * @throws VariscaleError invalid_argument where a stage's default variant is one of them.
 */
export function measuredPart(
  pipeline: Pipeline,
  file: string,
): { readonly pipeline: Pipeline; readonly leftOut: readonly string[] } {
  const leftOut = pipeline.stages.flatMap(({ name, variants }) =>
    variants.filter(({ profile }) => profile === null).map(variant => `${name}/${variant.name}`),
  );
  for (const { name, defaultVariant } of pipeline.stages)
    if (leftOut.includes(`${name}/${defaultVariant}`))
      throw new VariscaleError(
        "invalid_argument",
        `stage \`${name}\`: its default variant \`${defaultVariant}\` has no profile, so nothing is known of how long it takes. ${howToMeasure(pipeline, file)} Or name another one as \`defaultVariant\`.`,
      );
  return { pipeline: withoutVariants(pipeline, leftOut), leftOut };
}
