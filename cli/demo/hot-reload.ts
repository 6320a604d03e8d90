import { VariscaleError } from "../../domain/errors.ts";
import { leastMiB } from "../../domain/memory-fit.ts";
import { formatKey, type Pipeline } from "../../domain/pipeline.ts";
import type { Up } from "../up/up.ts";
import type { RequestRecord } from "./request-record.ts";
import type { ScenarioOptions } from "./scenario.ts";
import { playScenario } from "./scenario.ts";
import type { Check } from "./verdict.ts";

/** A pin takes about two seconds: the scaler's next tick, the load, and the report that says so. */
const RELOAD_MS = 9000;
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

/** The course of a run in which variants were pinned one after the other. */
export interface PinnedRun {
  /** The variants that the ladder had in memory before the first pin. */
  readonly inMemory: readonly string[];
  readonly reloads: readonly Reload[];
  /** The answers to pins that the scaler refused. */
  readonly refusals: readonly string[];
  readonly records: readonly Pick<RequestRecord, "outcome">[];
}

type PlayedWith = Pick<ScenarioOptions, "items" | "evaluation" | "timeoutMs" | "onStart"> & {
  readonly pipeline: Pipeline;
  readonly up: (overrides: readonly string[]) => ScenarioOptions["up"];
  readonly rateRps: number;
};

/**
 * Serves by the ladder, for which memory is short, and pins the second, the third and again the first variant while requests come. A pinned stage is
 * given the pinned variant alone, so the variants in memory change in a known order: each time the one that served longest ago has to make
 * room, and a file is read while the other one serves.
 */
export async function playHotReload(chosen: ReloadStage, { rateRps, up, pipeline, ...given }: PlayedWith) {
  const [first, second, third] = chosen.variants;
  const index = pipeline.stages.findIndex(({ name }) => name === chosen.stage);
  const count = Math.ceil((RELOAD_MS / 1000) * rateRps);
  const arrivalsMs = Array.from({ length: count }, (_, i) => (i * RELOAD_MS) / count);
  const left = [second, third, first];
  const reloads: Reload[] = [];
  const refusals: string[] = [];
  let inMemory: readonly string[] = [];
  let pinned: Reload | null = null;
  const { records } = await playScenario({
    ...given,
    up: up([
      "spec.serving.rule=ladder",
      `spec.stages[${index}].defaultVariant=${first}`,
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
      const next = view && pinned === null ? left.shift() : undefined;
      if (next === undefined || !view) return;
      if (inMemory.length === 0) inMemory = view.residentVariants;
      pinned = { variant: next, wasInMemory: view.residentVariants.includes(next) };
      void pin(running, pipeline, chosen.stage, next).then(refusal => {
        if (refusal !== null) refusals.push(refusal);
      });
    },
  });
  return judgeHotReload(chosen, { inMemory, reloads, refusals, records });
}

/** Asks the scaler as an operator would. The result says why it refuses, and is null where it does not. */
async function pin({ scaler }: Up, { key }: Pipeline, stage: string, variant: string): Promise<string | null> {
  const url = `http://127.0.0.1:${scaler.ports.http}/api/v1/pipelines/${formatKey(key)}/pin`;
  const body = JSON.stringify({ stage, variant, ttlMs: PIN_MS, by: "demo", reason: "shows hot reload" });
  try {
    const answer = await fetch(url, { method: "PUT", body });
    const text = await answer.text();
    return answer.ok ? null : `${variant} could not be pinned: ${answer.status} ${text}`;
  } catch (error) {
    return `${variant} could not be pinned: ${VariscaleError.from(error).message}`;
  }
}

/**
 * Judges whether hot reload was seen: nothing is lost, no pin is refused, and a pinned variant is read from its file and serves. It stays open only
 * where a slow machine does not come to the last pin.
 */
export function judgeHotReload(
  { stage, memoryMiB, variants }: ReloadStage,
  { inMemory, reloads, refusals, records }: PinnedRun,
): Check {
  const unanswered = records.filter(({ outcome }) => outcome !== "served").length;
  const isLost = records.some(({ outcome }) => outcome === "lost");
  const isFileRead = reloads.some(({ wasInMemory }) => !wasInMemory);
  const missing = variants.length - reloads.length;
  const isShown = !isLost && refusals.length === 0 && isFileRead && missing <= 1;
  const served = reloads.map(
    ({ variant, wasInMemory }) => `${variant} ${wasInMemory ? "from memory" : "read from its file"}`,
  );
  const pins = [served.join(", ") || "no pinned variant served", ...refusals].join("; ");
  return {
    name: "hot reload where memory is short",
    passed: isShown && missing === 1 ? null : isShown,
    detail: `${stage} with ${memoryMiB} MiB, for two variants: the ladder had ${inMemory.join(", ") || "nothing"} in memory; pinned: ${pins}; ${unanswered} of ${records.length} requests unanswered`,
  };
}
