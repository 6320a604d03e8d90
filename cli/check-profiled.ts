import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";

/**
 * A stage of which no variant was measured can't be planned: whatever was chosen for it would be a guess.
 *
 * @throws failed_precondition naming the stages.
 */
export function checkProfiled(pipeline: Pipeline, file: string): void {
  const unmeasured = pipeline.stages.filter(stage => stage.variants.every(variant => variant.profile === null));
  if (unmeasured.length === 0) return;
  const names = unmeasured.map(stage => stage.name).join(", ");
  throw new VariscaleError(
    "failed_precondition",
    `no variant of ${unmeasured.length === 1 ? "stage" : "stages"} ${names} in ${file} was measured, so nothing can be planned for ${unmeasured.length === 1 ? "it" : "them"}. Run \`variscale profile ${file}\`, and name the measurements file in \`spec.measurements\`.`,
  );
}
