import { VariscaleError } from "./errors.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Profile } from "./profile-schema.ts";

/**
 * The pipeline as it is on a machine that takes `factor` times as long for everything: service, load and the gateway's own work.
 *
 * @throws VariscaleError invalid_argument where the factor is not a number above 0.
 */
export function scaleServiceTimes(pipeline: Pipeline, factor: number): Pipeline {
  if (!(factor > 0) || !Number.isFinite(factor))
    throw new VariscaleError("invalid_argument", `the speed factor must be a number above 0, is ${factor}`);
  const stages = pipeline.stages.map(stage => ({
    ...stage,
    variants: stage.variants.map(variant => ({
      ...variant,
      profile: variant.profile && scaleProfile(variant.profile, factor),
    })),
  }));
  return {
    ...pipeline,
    overhead: { latencyMs: pipeline.overhead.latencyMs * factor, cpuMs: pipeline.overhead.cpuMs * factor },
    stages,
  };
}

function scaleProfile(profile: Profile, factor: number): Profile {
  return {
    ...profile,
    loadMs: profile.loadMs * factor,
    points: profile.points.map(point => ({ ...point, latencyMs: point.latencyMs * factor })),
  };
}
