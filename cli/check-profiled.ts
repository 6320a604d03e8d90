import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";

/**
 * A stage of which no variant was measured can't be planned: whatever was chosen for it would be a guess.
 *
 * @param file as the user named it.
 * @throws failed_precondition naming the stages.
 */
export function checkProfiled(pipeline: Pipeline, file: string): void {
  const unmeasured = pipeline.stages.filter(stage => stage.variants.every(variant => variant.profile === null));
  if (unmeasured.length === 0) return;
  const names = unmeasured.map(stage => stage.name).join(", ");
  const [stages, them] = unmeasured.length === 1 ? ["stage", "it"] : ["stages", "them"];
  throw new VariscaleError(
    "failed_precondition",
    `no variant of ${stages} ${names} in ${file} was measured, so nothing can be planned for ${them}. ${howToMeasure(pipeline, file)}`,
  );
}

/** What is missing of what was measured, and what makes it. */
export function howToMeasure({ measurements }: Pipeline, file: string): string {
  const command = `\`variscale profile ${file}\``;
  if (measurements === null) return `Run ${command}, and name the measurements file in \`spec.measurements\`.`;
  return measurements.isThere
    ? `Its measurements file, ${measurements.file}, does not have them: ${command} writes it anew.`
    : `Its measurements file, ${measurements.file}, is not there: ${command} writes it.`;
}
