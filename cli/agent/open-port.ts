import { setTimeout as sleep } from "node:timers/promises";
import { OfflineWorld } from "../../agent/offline-world.ts";
import type { AgentPort } from "../../agent/port.ts";
import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { openModel } from "../../predictor/network/open-model.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { readLoadInput } from "../load-input.ts";
import { casesFor } from "../simulate/cases.ts";
import { measuredPart } from "../simulate/measured-part.ts";
import { PLAIN_CASE } from "../simulate/plain-case.ts";
import type { AgentFlags } from "./agent-flags.ts";

export interface OpenedPort {
  readonly port: AgentPort;
  /** Lets time pass between two rounds; false: there is no more of it. */
  readonly pass: (seconds: number, signal: AbortSignal) => Promise<boolean>;
}

/** Of a running scaler (`--url`), or of the pipeline in the simulator. */
export async function openPort(
  pipeline: Pipeline,
  file: string,
  flags: AgentFlags,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<OpenedPort> {
  const isGivenLoad = flags.csv !== undefined || flags.prometheus !== undefined || flags.generate !== undefined;
  if (flags.url === undefined) return openOffline(measuredPart(pipeline, file).pipeline, flags, env, say);
  if (isGivenLoad)
    throw new VariscaleError(
      "invalid_argument",
      "--url is a running scaler, which has its own load: leave out the load, or --url",
    );
  const { openScalerPort } = await import("./scaler-port.ts");
  const port = await openScalerPort(pipeline, flags.url, flags, env);
  return { port, pass: (seconds, signal) => sleep(seconds * 1000, true, { signal }).catch(() => false) };
}

async function openOffline(
  pipeline: Pipeline,
  flags: AgentFlags,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<OpenedPort> {
  const load = await readLoadInput(flags, env, say);
  const later = (flags.rounds - 1) * flags.every;
  const [first] = await casesFor(pipeline, load, {
    ...PLAIN_CASE,
    length: flags.length + later,
    warmUp: 0,
  });
  if (!first) throw new VariscaleError("internal", "there is nothing to simulate");
  const { ownModel, policy: _, ...options } = first;
  const world = new OfflineWorld({ ...options, model: await openModel(ownModel ?? readBundledModel()) });
  const isLong = world.advance(options.load.ratesRps.length - later);
  if (!isLong && later > 0)
    throw new VariscaleError(
      "invalid_argument",
      `${load.name}: too short for ${flags.rounds} rounds every ${flags.every} s`,
    );
  return { port: world, pass: async seconds => world.advance(seconds) };
}
