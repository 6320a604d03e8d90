import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { generateLoad } from "../load/generate-load.ts";
import { type OpenModel, openModel } from "../predictor/network/open-model.ts";
import { readBundledModel } from "../scaler/forecasting/bundled-model.ts";
import { simulate } from "../simulator/simulation.ts";
import type { SimulationOptions } from "../simulator/simulation-run.ts";
import { askedParts } from "./asked-parts.ts";
import { e1Cases } from "./experiments/e1-cells.ts";
import { e1Figures } from "./experiments/e1-figures.ts";
import { ipaLoads } from "./experiments/ipa-loads.ts";
import { KeptRows } from "./experiments/kept-rows.ts";
import { rowsOf } from "./experiments/run-cases.ts";
import { type Figure, figure } from "./figure.ts";
import { IPA_PIPELINES, ipaPipeline } from "./ipa-pipelines.ts";
import { pipelineWith } from "./optimizer-instances.ts";

const ROUNDS = 9;
/** Of a single stage beside SimPy: servers and how busy they are. */
const SERVERS = 8;
const UTILISATION = 0.8;
const SERVICE_MS = 10;
const REQUESTS = 400_000;

const PARTS = ["e1", "engine"] as const;

/**
 * What E1 comes to at five times the mean latency; requests a second that the simulator works off: a whole scenario with its control loop,
 * and one stage beside SimPy. `rows`: a file of simulations of E1 that are not run again.
 */
export async function simulatorSuite(only: readonly string[] | null, rows: string | null): Promise<Figure[]> {
  const parts = { e1: () => experimentFigures(rows), engine: engineFigures };
  const figures: Figure[] = [];
  for (const part of askedParts(only, PARTS)) figures.push(...(await parts[part]()));
  return figures;
}

async function experimentFigures(rows: string | null): Promise<Figure[]> {
  const { note, loads } = await ipaLoads(null, process.argv.includes("--short"));
  const cases = e1Cases(loads, { sloFactors: [5], seed: 1 });
  return e1Figures(await rowsOf("e1", cases, note, new KeptRows(rows)), note);
}

async function engineFigures(): Promise<Figure[]> {
  const model = await openModel(readBundledModel());
  const whole = median(Array.from({ length: ROUNDS }, (_, i) => rate(ipaScenario(i + 1, model))));
  const stage = median(Array.from({ length: ROUNDS }, (_, i) => rate(singleStage(i + 1))));
  const simpy = simpyRate();
  const note = `${SERVERS} servers with exponential times at ${UTILISATION}, ${REQUESTS} requests, median of ${ROUNDS} rounds`;
  return [
    figure("engine.requestsPerSecond", round(whole.rps), {
      against: { requests: whole.requests, seconds: round(whole.seconds) },
      note: `IPA's video pipeline at 1,000 rps for 20 minutes with the control loop and its forecaster; median of ${ROUNDS} rounds`,
    }),
    figure("engine.vsSimpy", simpy === null ? null : round(stage.rps / simpy), {
      against: { oursRps: round(stage.rps), simpyRps: round(simpy ?? 0) },
      note: simpy === null ? "there is no Python with SimPy here: pip install simpy" : note,
    }),
  ];
}

interface Rate {
  readonly rps: number;
  readonly requests: number;
  readonly seconds: number;
}

function rate(options: SimulationOptions): Rate {
  const startMs = performance.now();
  simulate(options);
  const seconds = (performance.now() - startMs) / 1000;
  const requests = options.load.ratesRps.reduce((sum, one) => sum + one, 0);
  return { rps: requests / seconds, requests, seconds };
}

function ipaScenario(seed: number, model: OpenModel): SimulationOptions {
  const [video] = IPA_PIPELINES;
  if (!video) throw new Error("IPA has no pipeline");
  const pipeline = ipaPipeline(video, { policy: "default", slaShare: 0.2 });
  const components = [{ kind: "wander", memorySeconds: 600, sigma: 0.1 }] as const;
  return {
    ...COMMON,
    pipeline: { ...pipeline, mode: "active" },
    load: generateLoad({ baseRps: 1000, groupSize: 1, components }, 1200, seed),
    model,
    seed,
  };
}

const COMMON = {
  warmUpSeconds: 0,
  history: [],
  forecast: "variscale",
  cluster: { syncMs: 15_000, tolerance: 0, podStartMs: 8000, cooldownMs: 30_000, nodes: null },
  maxCores: null,
  timeoutMs: null,
  windowSeconds: 10,
  killEveryMs: null,
} as const;

/** The control loop runs here too, with one thing that it may do. */
function singleStage(seed: number): SimulationOptions {
  const contract = {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
  };
  const pipeline = pipelineWith(
    {
      slo: { latencyMs: 1e6 },
      objective: { policy: "static" },
      stages: [
        {
          name: "stage",
          replicas: { min: SERVERS, max: SERVERS },
          defaultVariant: "only",
          contract,
          variants: [
            {
              name: "only",
              model: "only.onnx",
              sha256: "c".repeat(64),
              accuracy: 1,
              profile: { cores: 1, points: [{ batch: 1, latencyMs: SERVICE_MS, scv: 1 }] },
            },
          ],
        },
      ],
    },
    "single",
  );
  const baseRps = (UTILISATION * SERVERS * 1000) / SERVICE_MS;
  return {
    ...COMMON,
    pipeline: { ...pipeline, mode: "active" },
    load: generateLoad({ baseRps, groupSize: 1, components: [] }, Math.round(REQUESTS / baseRps), seed),
    model: null,
    cluster: { ...COMMON.cluster, podStartMs: 0 },
    seed,
  };
}

/** Requests a second of the same stage in SimPy; null: it is not there. */
function simpyRate(): number | null {
  const script = fileURLToPath(new URL("../../bench/simpy_stage.py", import.meta.url));
  const args = [script, SERVERS, UTILISATION, SERVICE_MS, REQUESTS, ROUNDS].map(String);
  for (const python of [process.env["VARISCALE_PYTHON"], "python3"]) {
    if (python === undefined) continue;
    const { status, stdout } = spawnSync(python, args, { encoding: "utf8" });
    if (status === 0) return Number(stdout);
  }
  return null;
}

function median(rates: readonly Rate[]): Rate {
  const sorted = rates.toSorted((a, b) => a.rps - b.rps);
  return sorted[Math.floor(sorted.length / 2)] as Rate;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
