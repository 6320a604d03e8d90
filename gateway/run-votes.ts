import type { Failure } from "./outcome.ts";
import type { RequestScope } from "./request-scope.ts";
import { type OnRetry, type RowsAnswer, runStage, type StageAnswer } from "./run-stage.ts";
import type { Row, Vote } from "./stage.ts";
import type { StagePool } from "./stage-pool.ts";
import { VoterScope } from "./voter-scope.ts";

/** Why a voter had no vote: how its calls ended, it was not done in time, or its replica served what another one has voted with. */
export type MissingVote = Failure["kind"] | "no_endpoint" | "replicas_full" | "late" | "same_variant";

export interface Voting {
  readonly join: (votes: readonly Vote[]) => Row;
  readonly weightOf: (variant: string) => number;
  /** Share of the request's time that late votes are waited for. */
  readonly waitShare: number;
  readonly onRetry: OnRetry;
  /** Of a request, a voter that did not count. */
  readonly onMissing: (stage: string, voter: string, cause: MissingVote) => void;
}

/**
 * Sends the rows of one request to one replica of every voter of a stage at the same time, and joins what they say row by row. Votes that are
 * late or failed are left out; where none has come in time, the first one that comes counts alone, and where all have failed the rows go to any replica of
 * the stage once more. Where that fails, too, it ends the request's scope and gives null.
 */
export async function runVotes(
  pool: StagePool,
  rows: readonly Row[],
  scope: RequestScope,
  voting: Voting,
): Promise<StageAnswer | null> {
  const ballots = pool.voters().map(voter => new Ballot(pool, voter, rows, scope, voting.onRetry));
  const timer = new Timer(scope.remainingMs() * voting.waitShare);
  await Promise.race([enough(ballots, timer), scope.ended]);
  timer.clear();
  if (scope.failure !== null) return null;
  const heard: RowsAnswer[] = [];
  for (const ballot of ballots) {
    const { answer } = ballot;
    const isNew = !heard.some(other => answer?.versions.every((version, row) => version === other.versions[row]));
    if (answer && isNew) heard.push(answer);
    else voting.onMissing(pool.stage.name, ballot.voter, answer ? "same_variant" : ballot.cause());
  }
  if (heard.length === 0) return runStage(pool, rows, scope, voting.onRetry);
  const outputs = rows.map((_, row) => joined(heard, row, voting));
  return { outputs, variants: [...new Set(heard.flatMap(({ variants }) => variants))], isVote: true };
}

/** All have answered or failed; or it is late, and there is an answer. */
async function enough(ballots: readonly Ballot[], timer: Timer): Promise<void> {
  const all = Promise.all(ballots.map(({ done }) => done));
  await Promise.race([all, timer.over]);
  if (ballots.some(({ answer }) => answer !== null)) return;
  await Promise.race([all, ...ballots.map(({ answered }) => answered)]);
}

/** One variant has one vote, of however many replicas. */
function joined(heard: readonly RowsAnswer[], row: number, { join, weightOf }: Voting): Row {
  const votes = new Map<string, Vote>();
  for (const { outputs, versions } of heard) {
    const [variant = "", output] = [versions[row], outputs[row]];
    if (output && !votes.has(variant)) votes.set(variant, { variant, weight: weightOf(variant), output });
  }
  const [only, ...others] = votes.values();
  if (!only) throw new Error("a voter that answered has an output for every row");
  return others.length === 0 ? only.output : join([only, ...others]);
}

/** What becomes of one voter's rows. */
class Ballot {
  readonly voter: string;
  /** Null: not yet, or never. */
  answer: RowsAnswer | null = null;
  /** Resolves when it has answered or failed. */
  readonly done: Promise<void>;
  /** Resolves when it has answered. */
  readonly answered: Promise<void>;
  readonly #scope: VoterScope;

  constructor(pool: StagePool, voter: string, rows: readonly Row[], request: RequestScope, onRetry: OnRetry) {
    this.voter = voter;
    this.#scope = new VoterScope(request);
    let tell = (): void => {};
    this.answered = new Promise(resolve => {
      tell = resolve;
    });
    this.done = runStage(pool.ofVoter(voter), rows, this.#scope, onRetry).then(answer => {
      this.answer = answer;
      if (answer !== null) tell();
    });
  }

  /** Why there is no answer. */
  cause(): MissingVote {
    const { failure } = this.#scope;
    if (failure === null) return "late";
    return failure.kind === "dropped" ? (CAUSES[failure.reason] ?? "late") : failure.kind;
  }
}

const CAUSES: Readonly<Partial<Record<string, MissingVote>>> = {
  no_endpoint: "no_endpoint",
  replicas_full: "replicas_full",
};

class Timer {
  readonly over: Promise<void>;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.over = new Promise(resolve => {
      this.#timer = setTimeout(resolve, Math.max(0, ms));
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
