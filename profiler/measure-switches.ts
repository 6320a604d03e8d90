import type { Pipeline, Stage, Variant } from "../domain/pipeline.ts";
import type { Profile, SwitchTimes } from "../domain/profile-schema.ts";
import { startMeasuringSwitcher } from "./measuring-switcher.ts";
import { median } from "./median.ts";

/** Of each kind. */
const SWITCHES = 3;

/**
 * What a Switch takes in a running switcher, by its own clock: from another variant of the stage to this one, with load, check,
 * warm-up and hand-over, and when it is resident. Medians of three.
 *
 * @param profiles of the stage's variants: by them the switcher sees what its memory holds.
 * @returns null where the stage has no other variant that is a file, or this one is none.
 * @throws failed_precondition where the switcher refuses, as for too little memory.
 */
export async function measureSwitches(
  { key }: Pick<Pipeline, "key">,
  stage: Stage,
  variant: Variant,
  profiles: Readonly<Record<string, Profile>>,
  modelFolder: string,
): Promise<SwitchTimes | null> {
  const others = stage.variants.filter(({ name, sha256 }) => name !== variant.name && sha256 !== null);
  const other = others.find(({ name }) => name === stage.defaultVariant) ?? others[0];
  if (other === undefined || variant.sha256 === null) return null;
  const switcher = await startMeasuringSwitcher({
    pipeline: key,
    stage: stage.name,
    pod: "profile",
    contract: stage.contract,
    variants: [other, variant].map(({ name, driver, model, sha256 }) => ({
      ...{ name, driver, model, sha256 },
      loadMs: profiles[name]?.loadMs ?? null,
      memoryMiB: profiles[name]?.memoryMiB ?? null,
      points: profiles[name]?.points.map(({ batch, latencyMs, scv }) => ({ batch, latencyMs, scv })) ?? [],
    })),
    defaultVariant: other.name,
    modelFolder,
    cores: stage.cores,
    memoryMiB: stage.memoryMiB,
    modelControl: "explicit",
    golden: stage.golden.filter(({ variant: of }) => of === other.name || of === variant.name),
    logLevel: "error",
  });
  try {
    const cold: number[] = [];
    const resident: number[] = [];
    for (let i = 0; i < SWITCHES; i++) {
      cold.push((await switcher.switchTo(variant.name)).switchMs);
      await switcher.switchTo(other.name);
      const again = await switcher.switchTo(variant.name);
      // Memory for one session alone: it was loaded again.
      if (!again.steps.some(({ step }) => step === "load")) resident.push(again.switchMs);
      await switcher.switchTo(other.name);
      await switcher.unload(variant.name);
    }
    return { coldMs: median(cold), ...(resident.length > 0 && { residentMs: median(resident) }) };
  } finally {
    switcher.close();
  }
}
