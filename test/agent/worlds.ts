import { DEFAULT_LIMITS } from "../../agent/limits.ts";
import { OfflineWorld } from "../../agent/offline-world.ts";
import { AgentSession, type SessionOptions } from "../../agent/session.ts";
import type { TranscriptLine } from "../../agent/transcript.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { poissonLoad, scenario } from "../simulator/scenario.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

/** Two stages under a load that has lasted for two minutes. */
export function worldOf(pipeline: Pipeline = twoStages(), rateRps = 20, seconds = 600): OfflineWorld {
  const world = new OfflineWorld(
    scenario(
      pipeline,
      poissonLoad(seconds, () => rateRps),
      { maxCores: null },
    ),
  );
  world.advance(120);
  return world;
}

export interface OpenedSession {
  readonly session: AgentSession;
  readonly lines: TranscriptLine[];
}

export function sessionOn(world: OfflineWorld, more: Partial<SessionOptions> = {}): OpenedSession {
  const lines: TranscriptLine[] = [];
  const session = new AgentSession({
    port: world,
    mode: "advise",
    limits: DEFAULT_LIMITS,
    budget: { calls: 24, tokens: 100_000, seconds: 60 },
    ttlMs: 60_000,
    model: null,
    key: null,
    clockMs: () => performance.now(),
    write: line => lines.push(line),
    ...more,
  });
  return { session, lines };
}
