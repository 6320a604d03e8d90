import { brokenConstraint } from "../agent/broken-constraint.ts";
import { DEFAULT_LIMITS } from "../agent/limits.ts";
import { runModel } from "../agent/llm-loop.ts";
import { OfflineWorld } from "../agent/offline-world.ts";
import { AgentSession } from "../agent/session.ts";
import { CLUSTER } from "../agent/simulated-change.ts";
import { mostCarriedRps, tuningLoad } from "../agent/tuning-load.ts";
import { fetchBounded } from "../cli/fetch-json.ts";
import { measuredPart } from "../cli/simulate/measured-part.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { openModel } from "../predictor/network/open-model.ts";
import { readPipeline } from "../runtime/read-pipeline.ts";
import { readBundledModel } from "../scaler/forecasting/bundled-model.ts";
import { type Figure, figure } from "./figure.ts";
import { startRandomModel } from "./random-model.ts";

const TICKS = 1000;
const SHORT_TICKS = 100;
/** Ticks before the model is first asked. */
const FIRST = 30;
const SEED = 11;

/**
 * Ticks whose plan breaks a constraint that a plan without an agent keeps, while a model that answers at random may act at every tick: by the
 * whole path of HTTP endpoint, tool loop, check and control loop, in the simulator.
 */
export async function agentViolations(): Promise<Figure> {
  const ticks = process.argv.includes("--short") ? SHORT_TICKS : TICKS;
  const file = measuredPart(readPipeline("pipelines/id-card"), "id-card").pipeline;
  const rps = 0.4 * mostCarriedRps(file);
  const objective = { ...file.objective, minAccuracy: 0.3, maxCores: 24 };
  // Planned anew at every tick.
  const pipeline: Pipeline = { ...file, mode: "active", intervalMs: 1000, objective };
  const world = new OfflineWorld({
    pipeline,
    load: tuningLoad(SEED, rps, FIRST + ticks + 1),
    warmUpSeconds: 0,
    history: [],
    model: await openModel(readBundledModel()),
    forecast: "variscale",
    cluster: CLUSTER,
    maxCores: null,
    timeoutMs: null,
    windowSeconds: 10,
    killEveryMs: null,
    seed: SEED,
  });
  const model = await startRandomModel(pipeline, SEED);
  const limits = { ...DEFAULT_LIMITS, leastQuantile: 0.5 };
  const counts = { decisions: 0, tuned: 0, accepted: 0, refused: 0, nonsense: 0 };
  let violations = 0;
  world.advance(FIRST);
  try {
    for (let tick = 0; tick < ticks; tick++) {
      const session = new AgentSession({
        port: world,
        mode: "act",
        limits,
        budget: { calls: 3, tokens: 10_000, seconds: 60 },
        ttlMs: 5000,
        model: null,
        key: null,
        clockMs: () => performance.now(),
        write: line => {
          if (line.kind === "call" && line.tool !== "get_state") counts.nonsense += 1;
        },
      });
      const options = { endpoint: model.url, model: "random", key: null, mode: "act", limits, seconds: 60 } as const;
      await runModel(session, { ...options, fetch: fetchBounded });
      const accepted = session.proposals.filter(({ verdict }) => verdict.accepted).length;
      counts.accepted += accepted;
      counts.refused += session.proposals.length - accepted;
      world.advance(1);
      const { board } = world;
      if (!board) continue;
      counts.decisions += board.given === null ? 0 : 1;
      counts.tuned += board.reasons.includes("tuned") ? 1 : 0;
      if (brokenConstraint(world.situationNow(), board) !== null) violations += 1;
    }
  } finally {
    model.close();
  }
  const note = `${ticks} ticks of the id-card pipeline at ${rps.toPrecision(3)} requests a second on average, with a least accuracy and most cores`;
  return figure("agent.constraintViolations", violations, { against: counts, note, isWhole: ticks === TICKS });
}
