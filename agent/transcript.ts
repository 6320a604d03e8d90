import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";
import type { Budget, Spent } from "./budget.ts";
import type { AgentLimits } from "./limits.ts";
import { withoutKey } from "./quoted.ts";
import type { Situation } from "./situation.ts";
import type { Verdict } from "./verdict.ts";

/** One line of a transcript. `situation` comes before the calls that were answered with it. */
export type TranscriptLine =
  | {
      readonly kind: "start";
      readonly version: 1;
      readonly at: string;
      readonly mode: "advise" | "act";
      readonly model: string;
      readonly limits: AgentLimits;
      readonly budget: Budget;
    }
  | { readonly kind: "situation"; readonly situation: Situation }
  | {
      readonly kind: "call";
      readonly call: number;
      readonly tool: string;
      readonly input: unknown;
      readonly answer: unknown;
    }
  | ProposalLine
  | { readonly kind: "applied"; readonly call: number; readonly ttlMs: number }
  | { readonly kind: "said"; readonly text: string; readonly tokens: number }
  | { readonly kind: "end"; readonly because: string; readonly spent: Spent };

export interface ProposalLine {
  readonly kind: "proposal";
  readonly call: number;
  readonly input: unknown;
  readonly verdict: Verdict;
}

/** A line as it is written: the endpoint's key never is. */
export function transcriptText(line: TranscriptLine, key: string | null): string {
  return withoutKey(JSON.stringify(line), key && JSON.stringify(key).slice(1, -1));
}

const lineSchema = z.looseObject({
  kind: z.enum(["start", "situation", "call", "proposal", "applied", "said", "end"]),
});

/** A file of more is refused unread. */
export const MOST_TRANSCRIPT = 256 * 1024 * 1024;

/** @throws VariscaleError invalid_argument with the line that is none of a transcript. */
export function parseTranscript(text: string, name: string): readonly TranscriptLine[] {
  const lines = text.split("\n").filter(line => line.trim() !== "");
  const parsed = lines.map((line, i) => {
    const value = jsonOf(line);
    if (!lineSchema.safeParse(value).success)
      throw new VariscaleError("invalid_argument", `${name}, line ${i + 1}: is no line of a transcript`);
    return value as TranscriptLine;
  });
  const [start] = parsed;
  if (start?.kind !== "start" || start.version !== 1)
    throw new VariscaleError(
      "invalid_argument",
      `${name}: must begin with a line of the kind \`start\`, version 1, as \`variscale agent --transcript\` writes it`,
    );
  return parsed;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
