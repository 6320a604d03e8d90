/** Rules for the variant of the next batch that the literature has or that are simpler than ours, to be compared with it. */
import { chooseRung } from "../../domain/serving/choose-batch.ts";
import { type Call, type ExpectedCall, type Ladder, type Rung, rowsMs } from "../../domain/serving/ladder.ts";

export interface Choosing {
  readonly ladder: Ladder;
  readonly calls: readonly Call[];
  readonly startMs: number;
  readonly expected: ExpectedCall | null;
  /** By rung, in the order of the ladder, 0 to 1. */
  readonly accuracies: readonly number[];
  /** By rung, in the order of the ladder: the share of the rows that a plan for the mean rate has it serve. */
  readonly plannedShares: readonly number[];
  readonly random: () => number;
}

export type Rule = (choosing: Choosing) => Rung;

/** A millisecond of the replica costs so much accuracy, times the work that waits over the time that there is for it. */
const PRICES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const WAITED_SHARE = 0.3;

export const RULES = {
  ladder: ({ ladder, calls, startMs, expected }) => chooseRung(ladder, calls, startMs, expected),
  /** SuperServe, section 4: what the head call's slack allows, whatever waits behind it. */
  slackFit: ({ ladder, calls, startMs }) => {
    const head = calls[0] as Call;
    return ladder.rungs.find(rung => startMs + rowsMs(rung, head.rows) <= head.softMs) ?? getFloor(ladder);
  },
  /** The next batch by a rung, and all that wait behind it by the lightest one. */
  lightestBehind: ({ ladder, calls, startMs }) =>
    ladder.rungs.find(rung => isInTimeBefore(rung, getFloor(ladder), calls, startMs)) ?? getFloor(ladder),
  /** The heaviest until the oldest call has waited for a share of its time, then the lightest. */
  lightestOnceLate: ({ ladder, calls, startMs, expected }) => {
    const head = calls[0] as Call;
    const slackMs = head.softMs - startMs;
    const allMs = expected?.softAfterMs ?? slackMs;
    return slackMs >= (1 - WAITED_SHARE) * allMs ? (ladder.rungs[0] as Rung) : getFloor(ladder);
  },
  /** By chance, so that each rung serves its planned share of the rows: batches of rungs that take fewer rows at once come more often. */
  random: ({ ladder, calls, plannedShares, random }) => {
    const { rungs } = ladder;
    const waitingRows = countRows(calls);
    const chances = rungs.map(({ maxBatch }, at) => (plannedShares[at] ?? 0) / Math.min(maxBatch, waitingRows));
    let drawn = random() * chances.reduce((sum, chance) => sum + chance, 0);
    for (const [at, rung] of rungs.entries()) {
      drawn -= chances[at] as number;
      if (drawn < 0) return rung;
    }
    return getFloor(ladder);
  },
} satisfies Readonly<Record<string, Rule>>;

/** The rule that prices time, at each of the prices. */
export const PRICE_RULES: Readonly<Record<string, Rule>> = Object.fromEntries(
  PRICES.map(price => [`price ${price}`, createPriceRule(price)]),
);

/** Drift plus penalty: accuracy less what the time costs that others wait for. */
function createPriceRule(price: number): Rule {
  return ({ ladder, calls, startMs, accuracies }) => {
    const head = calls[0] as Call;
    const slackMs = Math.max(1, head.softMs - startMs);
    const rows = countRows(calls);
    const floor = getFloor(ladder);
    const pressure = (rows * (floor.batchMs[1] as number)) / slackMs;
    const scores = ladder.rungs.map(
      (rung, at) => (accuracies[at] ?? 0) - (price * pressure * (rung.batchMs[1] as number) * rows) / slackMs,
    );
    const inTime = ladder.rungs.map(rung => startMs + rowsMs(rung, head.rows) <= head.softMs);
    let best = floor;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const [at, rung] of ladder.rungs.entries()) {
      if (!inTime[at] || (scores[at] as number) <= bestScore) continue;
      best = rung;
      bestScore = scores[at] as number;
    }
    return best;
  };
}

function isInTimeBefore(first: Rung, behind: Rung, calls: readonly Call[], startMs: number): boolean {
  let rows = 0;
  return calls.every(call => {
    rows += call.rows;
    const now = Math.min(rows, first.maxBatch);
    return startMs + (first.batchMs[now] as number) + rowsMs(behind, rows - now) <= call.softMs;
  });
}

function countRows(calls: readonly Call[]): number {
  return calls.reduce((sum, { rows }) => sum + rows, 0);
}

function getFloor({ rungs }: Ladder): Rung {
  return rungs[rungs.length - 1] as Rung;
}
