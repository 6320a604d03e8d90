import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pipelineFileAt, readPipeline } from "../../runtime/read-pipeline.ts";
import { ownPipelines, pathOfPipeline } from "../own-pipelines.ts";
import { demoRates } from "./demo-rates.ts";

export interface StartToEndOptions {
  /** One that comes with the package, or the folder of another one. */
  readonly pipeline: string;
  /** Where everything that the run writes goes. */
  readonly folder: string;
  readonly short: boolean;
  readonly machineCores: number;
  /** Options of `demo` that are passed on to it. */
  readonly demoArgs: readonly string[];
}

/** One milestone: commands that a user could give, one after the other. */
export interface Step {
  readonly name: string;
  readonly what: string;
  /** Made when the step begins: later ones depend on what earlier ones wrote. */
  readonly commands: () => readonly (readonly string[])[];
}

/** A short run measures so little that its accuracies can't rank variants. */
interface Effort {
  readonly profileItems: number;
  readonly windowMs: number;
  readonly driftItems: number;
}
const SHORT: Effort = { profileItems: 4, windowMs: 100, driftItems: 3 };
const WHOLE: Effort = { profileItems: 50, windowMs: 400, driftItems: 20 };

/** Entry rates of the others in the plan of all pipelines together. */
const FLEET_RPS: Readonly<Record<string, number>> = { "id-card": 4, video: 20, audio: 10, "question-answering": 2 };

/** What the project does, in the order in which one would set it up. */
export function startToEndSteps(options: StartToEndOptions): readonly Step[] {
  const { pipeline, folder, short, machineCores, demoArgs } = options;
  const { profileItems, windowMs, driftItems } = short ? SHORT : WHOLE;
  const given = pathOfPipeline(pipeline);
  const measured = join(folder, "pipeline");
  // What a whole run has measured is what it goes on with.
  const used = short ? given : measured;
  const own = ownPipelines();
  return [
    {
      name: "set-up",
      what: "Set up the pipelines: make their models, check them",
      commands: () => {
        mkdirSync(measured, { recursive: true });
        copyFileSync(pipelineFileAt(given), join(measured, "pipeline.yaml"));
        const all = own.includes(pipeline) ? own.map(pathOfPipeline) : [given, ...own.map(pathOfPipeline)];
        return all.map(path => ["models", "prepare", path]);
      },
    },
    {
      name: "measure",
      what: `Collect metrics and accuracy of ${pipeline}: service times, memory, fan-out, ${profileItems} labelled items for every combination${short ? "; a short run goes on with what was measured before" : ""}`,
      commands: () => [
        [
          ...["profile", measured, "--fresh", "--accept-noise"],
          ...["--items", String(profileItems), "--window-ms", String(windowMs)],
        ],
      ],
    },
    {
      name: "drift",
      what: `Set up assertions and what sees drift: ${driftItems} items of every drift for every combination`,
      commands: () => [["drift", measured, "--fresh", "--items", String(driftItems)]],
    },
    {
      name: "optimise",
      what: "Optimise: the best plan at a low and at a high load, and of all pipelines together",
      commands: () => {
        const { lowRps, peakRps } = demoRates(readPipeline(used), machineCores);
        const planAt = (rateRps: number, picture: string) => [
          ...["plan", used, "--rps", rateRps.toFixed(1), "--machine-cores", String(machineCores)],
          ...["--picture", join(folder, picture)],
        ];
        const fleet = own.map(name => `${name === pipeline ? used : pathOfPipeline(name)}=${FLEET_RPS[name] ?? 1}`);
        return [planAt(lowRps, "low-load.svg"), planAt(peakRps, "high-load.svg"), ["fleet", ...fleet]];
      },
    },
    {
      name: "serve",
      what: "Serve and adapt: a load that rises and falls, against the best fixed variants, with the live page",
      commands: () => [["demo", "--pipeline", used, ...(short ? ["--short"] : []), ...demoArgs]],
    },
    {
      name: "report",
      what: "Write the technical report",
      commands: () => [["report", "--folder", folder]],
    },
  ];
}
