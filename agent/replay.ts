import { changeSchema } from "./change.ts";
import type { AgentLimits } from "./limits.ts";
import type { Situation } from "./situation.ts";
import type { ProposalLine, TranscriptLine } from "./transcript.ts";
import { judge, type Verdict } from "./verdict.ts";

/** A proposal of a transcript, judged once more. */
export interface Replayed {
  readonly call: number;
  readonly input: unknown;
  readonly verdict: Verdict;
  readonly recorded: Verdict;
  readonly isSame: boolean;
}

/** Judges every proposal of a transcript again, in the situation that it was made in. Without the model, the endpoint or the scaler. */
export function replay(lines: readonly TranscriptLine[]): readonly Replayed[] {
  let limits: AgentLimits | null = null;
  let situation: Situation | null = null;
  const replayed: Replayed[] = [];
  for (const line of lines) {
    if (line.kind === "start") limits = line.limits;
    if (line.kind === "situation") situation = line.situation;
    if (line.kind === "proposal" && limits && situation) replayed.push(again(line, situation, limits));
  }
  return replayed;
}

function again({ call, input, verdict: recorded }: ProposalLine, situation: Situation, limits: AgentLimits): Replayed {
  const change = changeSchema.safeParse((input as { readonly change?: unknown } | null)?.change);
  const verdict: Verdict = change.success
    ? judge(situation, change.data, limits).verdict
    : { accepted: false, refused: "is no proposal", plan: null, optimum: null, distance: null };
  return { call, input, verdict, recorded, isSame: JSON.stringify(verdict) === JSON.stringify(recorded) };
}
