import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { loadCode } from "../../gateway/load-code.ts";
import type { LabelledItem } from "../../gateway/stage.ts";
import { pipelineFileAt, type ReadOptions, readPipeline } from "../../runtime/read-pipeline.ts";
import { leftOutLine, prepare } from "../prepare-models.ts";
import type { UpOptions } from "../up/up.ts";
import { calibrate } from "./calibrate.ts";
import { type DemoRates, demoRates } from "./demo-rates.ts";
import { readItems } from "./load-client.ts";
import type { ScenarioOptions } from "./scenario.ts";

/** The pipeline's SLO and loop on the demo's time scale: minutes stand for hours. */
const INTERVAL_MS = 2000;
const SCALE_DOWN_MS = 2000;
/** Labelled items that are sent in turn: as many as come with a pipeline. */
const ITEMS = 100;

export interface SettingOptions {
  readonly pipelinePath: string;
  readonly modelFolder: (pipeline: Pipeline) => string;
  readonly machineCores: number;
  /** A measurement of the machine takes so long. */
  readonly calibrationMs: number;
  /** The speed factor that an earlier run measured on this machine; null: it is measured. */
  readonly speedFactor: number | null;
  readonly say: (line: string) => void;
}

/** A pipeline on this machine: its models are there, its service times are those of this machine, and loads fit its capacity. */
export interface DemoSetting {
  /** The pipeline as `read([])` has it. */
  readonly pipeline: Pipeline;
  readonly speedFactor: number;
  readonly rates: DemoRates;
  readonly items: readonly LabelledItem[];
  readonly evaluation: ScenarioOptions["evaluation"];
  /** The pipeline with `path=value` pairs beside those of the demo's time scale. */
  read(set: readonly string[]): Pipeline;
  /** The same, for what is started. */
  upOptions(set: readonly string[]): Pick<UpOptions, "file" | "read" | "modelFolder" | "machineCores" | "stateDir">;
  /** The machine's service time over the profiled one, as it is now. */
  measureSpeed(): Promise<number>;
}

/** @throws VariscaleError failed_precondition for a pipeline without labelled items, or that is too light or too heavy for the machine. */
export async function prepareSetting(options: SettingOptions): Promise<DemoSetting> {
  const { machineCores, say } = options;
  const file = pipelineFileAt(options.pipelinePath);
  const whole = readPipeline(file);
  const code = await loadCode(whole, file);
  const { evaluation } = code;
  if (!evaluation)
    throw new VariscaleError(
      "failed_precondition",
      `${whole.code} has no \`evaluation\`: the demo needs labelled items`,
    );
  const modelFolder = options.modelFolder(whole);
  say(`preparing models in ${modelFolder}`);
  const { leftOut } = await prepare(
    whole,
    file,
    modelFolder,
    model => model.kind === "prepared" && say(`  prepared ${model.file}`),
  );
  const without = leftOutLine(leftOut, file);
  if (without) say(without);
  const profiled = readPipeline(file, { leaveOut: leftOut });
  const measureSpeed = () => calibrate(profiled, modelFolder, machineCores, options.calibrationMs);
  if (options.speedFactor === null) say("measuring this machine");
  const speedFactor = options.speedFactor ?? (await measureSpeed());
  const timeScale = [
    `spec.mode=active`,
    `spec.intervalMs=${INTERVAL_MS}`,
    `spec.stabilisation.scaleDownMs=${SCALE_DOWN_MS}`,
    `spec.slo.latencyMs=${Math.round(profiled.slo.latencyMs * Math.max(1, speedFactor))}`,
  ];
  const readOptions = (set: readonly string[]): ReadOptions => ({
    set: [...timeScale, ...set],
    speedFactor,
    leaveOut: leftOut,
  });
  const pipeline = readPipeline(file, readOptions([]));
  const rates = demoRates(pipeline, machineCores);
  say(
    `speed factor ${speedFactor.toFixed(2)}; SLO ${pipeline.slo.latencyMs} ms; within it ${machineCores} cores serve ${rates.heaviestCapacityRps.toFixed(1)} rps with the heaviest variants and ${rates.lightestCapacityRps.toFixed(1)} rps with the lightest; peak ${rates.peakRps.toFixed(1)} rps`,
  );
  return {
    pipeline,
    speedFactor,
    rates,
    items: await readItems(code, ITEMS),
    evaluation,
    read: set => readPipeline(file, readOptions(set)),
    upOptions: set => ({ file, read: readOptions(set), modelFolder, machineCores, stateDir: null }),
    measureSpeed,
  };
}
