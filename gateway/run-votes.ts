import type { Failure } from "./outcome.ts";
import type { Replica } from "./replica.ts";
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
 * late or failed are left out. No voter's calls may take longer than votes are waited for, but those of the quickest one: where no vote has come by then,
 * the first one that comes counts alone. Where none can come any more the rows go to the stage's replicas once more, first to those that were not asked.
 * Where that fails, too, it ends the request's scope and gives null.
 */
export async function runVotes(
  pool: StagePool,
  rows: readonly Row[],
  scope: RequestScope,
  voting: Voting,
): Promise<StageAnswer | null> {
  const remainingMs = scope.remainingMs();
  const timer = new Timer(remainingMs * voting.waitShare);
  const tried = new Set<Replica>();
  const ballots = quickestFirst(pool, rows.length).map((voter, rank) => {
    const reservedMs = rank === 0 ? 0 : remainingMs * (1 - voting.waitShare);
    return new Ballot(voter, new VoterScope(scope, reservedMs), ballotScope =>
      runStage(pool.ofVoter(voter), rows, ballotScope, voting.onRetry, tried),
    );
  });
  await Promise.race([enough(ballots, timer), scope.ended]);
  timer.clear();
  if (scope.failure !== null) return null;
  const heard: RowsAnswer[] = [];
  for (const ballot of ballots) {
    const { answer } = ballot;
    const isNew = !heard.some(other => answer?.versions.every((version, row) => version === other.versions[row]));
    if (answer && isNew) heard.push(answer);
    else voting.onMissing(pool.stage.name, ballot.voter, answer ? "same_variant" : ballot.cause());
    ballot.close();
  }
  if (heard.length === 0) return runStage(pool.untriedFirst(tried), rows, scope, voting.onRetry);
  const outputs = rows.map((_, row) => joined(heard, row, voting));
  return { outputs, variants: [...new Set(heard.flatMap(({ variants }) => variants))], isVote: heard.length > 1 };
}

function quickestFirst(pool: StagePool, rows: number): readonly string[] {
  const expectedMs = (voter: string) => pool.ofVoter(voter).pick(rows, null)?.expectedWorkMs(rows);
  return pool
    .voters()
    .map(voter => ({ voter, ms: expectedMs(voter) ?? Number.MAX_VALUE }))
    .sort((a, b) => a.ms - b.ms)
    .map(({ voter }) => voter);
}

/** All have answered or failed; or it is late, and there is an answer or the first, which alone has more time, has failed. */
async function enough(ballots: readonly Ballot[], timer: Timer): Promise<void> {
  const all = Promise.all(ballots.map(({ done }) => done));
  await Promise.race([all, timer.over]);
  if (ballots.some(({ answer }) => answer !== null)) return;
  await Promise.race([all, ballots[0]?.done, ...ballots.map(({ answered }) => answered)]);
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

  constructor(voter: string, scope: VoterScope, run: (scope: VoterScope) => Promise<RowsAnswer | null>) {
    this.voter = voter;
    this.#scope = scope;
    let tell = (): void => {};
    this.answered = new Promise(resolve => {
      tell = resolve;
    });
    this.done = run(scope).then(answer => {
      this.answer = answer;
      if (answer !== null) tell();
    });
  }

  /** No further calls: nobody waits for it any more. */
  close(): void {
    this.#scope.end({ kind: "cancelled" });
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
