import { leastMiB } from "../../domain/memory-fit.ts";
import { formatKey, type Pipeline } from "../../domain/pipeline.ts";
import type { Up } from "../up/up.ts";
import { staticOverrides } from "./demo-rates.ts";
import type { RequestRecord } from "./request-record.ts";
import type { ScenarioOptions } from "./scenario.ts";
import { playScenario } from "./scenario.ts";
import type { Check } from "./verdict.ts";

const RELOAD_MS = 6000;
/** A pin that nobody takes back ends by itself after the run. */
const PIN_MS = 60_000;

/** A stage whose pods get memory for two of three of its variants. */
export interface ReloadStage {
  readonly stage: string;
  readonly memoryMiB: number;
  /** Those that take the least memory, the smallest first. It starts with the first one. */
  readonly variants: readonly [string, string, string];
}

/** The first stage with three variants whose memory was measured; null: there is none. */
export function findReloadStage({ stages }: Pipeline): ReloadStage | null {
  for (const { name, variants } of stages) {
    const measured = variants.flatMap(({ name: variant, driver, profile }) =>
      driver === "onnx" && profile?.memoryMiB ? [{ name: variant, sessionMiB: profile.memoryMiB }] : [],
    );
    const [first, second, third] = measured.toSorted((a, b) => a.sessionMiB - b.sessionMiB);
    if (!first || !second || !third) continue;
    // Any two fit with room to spare, and so much is missing for all three.
    const memoryMiB = Math.round(leastMiB({ variants: [first, second, third] }) + first.sessionMiB / 2);
    return { stage: name, memoryMiB, variants: [first.name, second.name, third.name] };
  }
  return null;
}

/** A pin whose variant the stage's replica then served. */
export interface Reload {
  readonly variant: string;
  /** It was in memory when it was pinned: no file had to be read. */
  readonly wasInMemory: boolean;
}

type PlayedWith = Pick<ScenarioOptions, "items" | "evaluation" | "timeoutMs" | "onStart"> & {
  readonly pipeline: Pipeline;
  readonly up: (overrides: readonly string[]) => ScenarioOptions["up"];
  readonly rateRps: number;
};

/**
 * Pins the second, the third and again the first variant of a stage while requests come. Each time the one that served longest ago has to make
 * room, and a file is read while the other one serves.
 */
export async function playHotReload(chosen: ReloadStage, { rateRps, up, pipeline, ...given }: PlayedWith) {
  const [first, second, third] = chosen.variants;
  const index = pipeline.stages.findIndex(({ name }) => name === chosen.stage);
  const count = Math.ceil((RELOAD_MS / 1000) * rateRps);
  const arrivalsMs = Array.from({ length: count }, (_, i) => (i * RELOAD_MS) / count);
  const left = [second, third, first];
  const reloads: Reload[] = [];
  let pinned: Reload | null = null;
  const { records } = await playScenario({
    ...given,
    up: up([
      ...staticOverrides(pipeline, { [chosen.stage]: first }),
      `spec.stages[${index}].memoryMiB=${chosen.memoryMiB}`,
      `spec.stages[${index}].replicas.max=1`,
    ]),
    arrivalsMs,
    warmUpMs: [],
    onProgress: (_atMs, running) => {
      const [view] = running.scaler.switchers(pipeline.key).filter(({ stage }) => stage === chosen.stage);
      if (pinned && view?.variant === pinned.variant) {
        reloads.push(pinned);
        pinned = null;
      }
      const next = pinned === null ? left.shift() : undefined;
      if (next === undefined || !view) return;
      pinned = { variant: next, wasInMemory: view.residentVariants.includes(next) };
      void pin(running, pipeline, chosen.stage, next);
    },
  });
  return describe(chosen, reloads, records);
}

/** Asks the scaler as an operator would. A pin that it refuses is seen by what is served. */
async function pin({ scaler }: Up, { key }: Pipeline, stage: string, variant: string): Promise<void> {
  await fetch(`http://127.0.0.1:${scaler.ports.http}/api/v1/pipelines/${formatKey(key)}/pin`, {
    method: "PUT",
    body: JSON.stringify({ stage, variant, ttlMs: PIN_MS, by: "demo", reason: "shows hot reload" }),
  }).catch(() => undefined);
}

function describe(
  { stage, memoryMiB, variants }: ReloadStage,
  reloads: readonly Reload[],
  records: readonly RequestRecord[],
): Check {
  const unanswered = records.filter(({ outcome }) => outcome !== "served").length;
  const isLost = records.some(({ outcome }) => outcome === "lost");
  const all = reloads.length === variants.length;
  const said = reloads.map(({ variant, wasInMemory }) => `${variant} ${wasInMemory ? "from memory" : "read anew"}`);
  return {
    name: "hot reload where memory is short",
    // A slow machine may not come to the last one.
    passed: isLost ? false : all && reloads.some(({ wasInMemory }) => !wasInMemory) ? true : null,
    detail: `${stage} with ${memoryMiB} MiB, for two of ${variants.join(", ")}: served ${[variants[0], ...said].join(", ")}; ${unanswered} of ${records.length} requests unanswered`,
  };
}
