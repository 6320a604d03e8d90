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
  const { switch: switched, otherCores } = profile;
  return {
    ...profile,
    ...scaleTimes(profile, factor),
    ...(switched && {
      switch: {
        coldMs: switched.coldMs * factor,
        ...(switched.residentMs !== undefined && { residentMs: switched.residentMs * factor }),
      },
    }),
    ...(otherCores && { otherCores: otherCores.map(other => ({ ...other, ...scaleTimes(other, factor) })) }),
  };
}

function scaleTimes({ loadMs, points, fit }: Pick<Profile, "loadMs" | "points" | "fit">, factor: number) {
  return {
    loadMs: loadMs * factor,
    points: points.map(({ throughputRps, ...point }) => ({
      ...point,
      latencyMs: point.latencyMs * factor,
      ...(throughputRps !== undefined && { throughputRps: throughputRps / factor }),
    })),
    ...(fit && { fit: { ...fit, fixedMs: fit.fixedMs * factor, rowMs: fit.rowMs * factor } }),
  };
}
