/** The suite `security`: the memory that attacks take beyond the process's budget, and the time in which one input keeps a process from answering. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { askedParts } from "../asked-parts.ts";
import { type Figure, figure } from "../figure.ts";
import { BLOCKING_INPUTS, MEMORY_ATTACKS } from "./attacks.ts";
import { BUDGET_MIB, Target } from "./targets.ts";

const FULL_SECONDS = 300;
const SHORT_SECONDS = 8;
const SAMPLE_MS = 100;
/** Attacks on memory at a time, each on a process of its own: one after the other they would take an hour and a half. */
const SIDE_BY_SIDE = 3;
/** A process that takes more ends its attack: the machine is there for others too. */
const MOST_RSS_MIB = 6144;
/** An input that takes longer than this is not waited for. */
const MOST_BLOCKED_MS = 20_000;
/** The fastest of these counts: whatever else the machine does only adds. */
const BLOCKING_ROUNDS = 3;

const PARTS: Readonly<Record<string, (isShort: boolean) => Promise<Figure>>> = {
  memory: measureMemory,
  blocked: measureBlocked,
};

export async function securitySuite(only: readonly string[] | null): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const figures: Figure[] = [];
  for (const part of askedParts(only, Object.keys(PARTS))) {
    const measured = await PARTS[part]?.(isShort);
    if (measured) figures.push(measured);
  }
  return figures;
}

interface MemoryResult {
  readonly overMiB: number;
  readonly notes: readonly string[];
  /** The process ended, or took so much that the attack was given up. */
  readonly hasFailed: boolean;
}

async function measureMemory(isShort: boolean): Promise<Figure> {
  const seconds = isShort ? SHORT_SECONDS : FULL_SECONDS;
  const results = new Map<string, MemoryResult>();
  const names = Object.keys(MEMORY_ATTACKS);
  const waiting = names.values();
  const attackOneByOne = async (): Promise<void> => {
    for (const name of waiting) results.set(name, await attackMemory(name, seconds));
  };
  // All end before a failure is passed on: each stops its own processes.
  const endings = await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, attackOneByOne));
  for (const ending of endings) if (ending.status === "rejected") throw ending.reason;
  // The report keeps the attacks' own order, whichever ended first.
  const inOrder = names.flatMap(name => {
    const result = results.get(name);
    return result ? [{ name, ...result }] : [];
  });
  const notes = [
    `${seconds} s of each attack, ${SIDE_BY_SIDE} attacks side by side; highest resident memory less that at rest and the process's budget`,
    ...inOrder.flatMap(result => result.notes),
  ];
  const worst = Math.max(...inOrder.map(result => result.overMiB));
  const against = Object.fromEntries(inOrder.map(({ name, overMiB }) => [name, overMiB]));
  const isWhole = !inOrder.some(result => result.hasFailed);
  return figure("security.overBudgetMiB", worst, { against, note: notes.join("; "), isWhole });
}

async function attackMemory(name: string, seconds: number): Promise<MemoryResult> {
  const targetName = MEMORY_ATTACKS[name]?.target ?? "switcher";
  const target = await Target.start(targetName);
  const attacker = startAttacker("memory", name, seconds, target);
  try {
    const { restMiB, peakMiB, refused, asked } = await watchMemory(target, attacker.ended);
    const notes: string[] = [];
    if (target.ended !== null) notes.push(`the ${targetName} ended under ${name} (${target.ended})`);
    else if (refused > 0) notes.push(`${refused} of ${asked} others not answered under ${name}`);
    return {
      overMiB: Math.round(peakMiB - restMiB - BUDGET_MIB[targetName]),
      notes,
      hasFailed: target.ended !== null || peakMiB >= MOST_RSS_MIB,
    };
  } finally {
    await attacker.stop();
    await target.stop();
  }
}

/** Watches a target until its attacker ends, and asks it twice a second for what an ordinary client wants. */
async function watchMemory(target: Target, attackEnded: Promise<unknown>) {
  const restMiB = target.rssMiB ?? 0;
  const watched = { restMiB, peakMiB: restMiB, refused: 0, asked: 0 };
  let isOver = false;
  void attackEnded.then(() => {
    isOver = true;
  });
  const asking = (async () => {
    while (!isOver && target.ended === null) {
      const tookMs = await target.answer(true, 5000);
      watched.asked += 1;
      if (tookMs === null) watched.refused += 1;
      await new Promise(resolve => setTimeout(resolve, 500));
    }
  })();
  while (!isOver && target.ended === null && watched.peakMiB < MOST_RSS_MIB) {
    watched.peakMiB = Math.max(watched.peakMiB, target.rssMiB ?? 0);
    await new Promise(resolve => setTimeout(resolve, SAMPLE_MS));
  }
  isOver = true;
  await asking;
  return watched;
}

async function measureBlocked(): Promise<Figure> {
  const blockedMs: Record<string, number> = {};
  for (const targetName of ["switcher", "gateway", "scaler"] as const) {
    let target = await Target.start(targetName);
    try {
      for (const [name, input] of Object.entries(BLOCKING_INPUTS)) {
        if (input.target !== targetName) continue;
        const longest: number[] = [];
        while (longest.length < BLOCKING_ROUNDS && !longest.includes(MOST_BLOCKED_MS)) {
          const attacker = startAttacker("input", name, 0, target);
          longest.push(Math.round(await watchAnswers(target, attacker.ended)));
          await attacker.stop();
        }
        blockedMs[name] = longest.includes(MOST_BLOCKED_MS) ? MOST_BLOCKED_MS : Math.min(...longest);
        if (blockedMs[name] < MOST_BLOCKED_MS) continue;
        await target.stop();
        target = await Target.start(targetName);
      }
    } finally {
      await target.stop();
    }
  }
  const worst = Math.max(...Object.values(blockedMs));
  const note = `longest time in which a health check had no answer, the least of ${BLOCKING_ROUNDS} rounds; ${MOST_BLOCKED_MS} is not waited for, or the process ended`;
  return figure("security.blockedMs", worst, { against: blockedMs, note, isWhole: worst < MOST_BLOCKED_MS });
}

/** The longest that a target let an ordinary client wait, from the attacker's start until a little after its end. */
async function watchAnswers(target: Target, attackEnded: Promise<unknown>): Promise<number> {
  let isOver = false;
  void attackEnded.then(() =>
    setTimeout(() => {
      isOver = true;
    }, 300),
  );
  let longestMs = 0;
  while (!isOver) {
    const tookMs = await target.answer(false, MOST_BLOCKED_MS);
    if (tookMs === null || target.ended !== null) return MOST_BLOCKED_MS;
    longestMs = Math.max(longestMs, tookMs);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
  return longestMs;
}

function startAttacker(kind: "memory" | "input", name: string, seconds: number, target: Target) {
  const program = fileURLToPath(new URL("./attacker.js", import.meta.url));
  const args = [program, kind, name, String(seconds), JSON.stringify(target.ports)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "exit");
  return {
    ended,
    stop: async (): Promise<void> => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
