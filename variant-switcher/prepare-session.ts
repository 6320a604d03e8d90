import type { StageContract } from "../domain/tensor.ts";
import { zeroBatch } from "./batch-input.ts";
import { driverOf, isRefused, type OpenOptions, type OpenSession } from "./driver.ts";
import { type GoldenCase, goldenMismatch } from "./golden.ts";
import type { Pauses } from "./pauses.ts";
import type { RunResult } from "./session.ts";
import { type Refused, refuse, SUPERSEDED } from "./session-messages.ts";
import { contractMismatch, outputMismatch } from "./verify-contract.ts";

/** A first run may take far longer than all later ones; 20 times this it is taken for hung. */
export const FIRST_RUN_MS = 3000;

export type PrepareStep = "load" | "verify" | "warm";

/** Is told when a step begins; null: the one before has ended, and the next one waits for a pause. */
export type OnStep = (step: PrepareStep | null) => void;

export interface PrepareOptions {
  readonly open: OpenOptions;
  readonly golden: readonly GoldenCase[];
  /** Numbers of rows that the session must be ready for. */
  readonly batches: readonly number[];
  readonly signal: AbortSignal;
  readonly pauses: Pauses;
  readonly onStep: OnStep;
}

/**
 * Load, verify, warm: gives a session that serves its first batch as fast as all later ones and keeps the contract, or says
 * why there is none. Nothing is left behind in that case.
 */
export async function prepareSession(options: PrepareOptions): Promise<OpenSession | Refused> {
  options.onStep("load");
  const open = await driverOf(options.open.variant.driver);
  const session = await open(options.open, options.signal);
  if (isRefused(session)) return session;
  const abort = (): void => void session.close();
  options.signal.addEventListener("abort", abort, { once: true });
  if (goldenOf(options).length > 0) await pause(options);
  const problem = verify(options, session) ?? (await checkGolden(options, session)) ?? (await warmUp(options, session));
  options.signal.removeEventListener("abort", abort);
  if (problem === null && !options.signal.aborted) return session;
  await session.close();
  if (problem === null || options.signal.aborted) return SUPERSEDED;
  return problem;
}

/** Runs every number of rows once, so that the runtime has its memory for it. */
export async function warmSession(
  session: OpenSession,
  contract: StageContract,
  batches: readonly number[],
): Promise<Refused | null> {
  const names = contract.outputs.map(({ name }) => name);
  for (const rows of batches) {
    const inputs = zeroBatch(contract, rows);
    if (inputs === null) return null;
    const result = await session.run(inputs, names, FIRST_RUN_MS);
    if (result.kind !== "ran") return broken(session, result);
    const mismatch = outputMismatch(contract, result.outputs, rows);
    if (mismatch !== null) return refuse("contract_mismatch", `${session.variant}: ${mismatch}`);
  }
  return null;
}

function verify({ open, onStep, signal }: PrepareOptions, session: OpenSession): Refused | null {
  if (signal.aborted) return SUPERSEDED;
  onStep("verify");
  const mismatch = contractMismatch(open.contract, session.model);
  return mismatch === null ? null : refuse("contract_mismatch", `${session.variant}: ${mismatch}`);
}

function goldenOf({ golden, open }: PrepareOptions): readonly GoldenCase[] {
  return golden.filter(({ variant }) => variant === open.variant.name);
}

async function checkGolden(options: PrepareOptions, session: OpenSession): Promise<Refused | null> {
  for (const golden of goldenOf(options)) {
    const inputs = golden.inputs.map(input => ({
      ...input,
      data: new Uint8Array(input.bytes).buffer,
      bytes: input.bytes.length,
    }));
    const result = await session.run(
      inputs,
      golden.outputs.map(({ name }) => name),
      FIRST_RUN_MS,
    );
    if (result.kind !== "ran") return broken(session, result);
    const mismatch = goldenMismatch(golden, result.outputs);
    if (mismatch !== null) return refuse("golden_mismatch", `${session.variant}: ${mismatch}`);
  }
  return null;
}

async function warmUp(options: PrepareOptions, session: OpenSession): Promise<Refused | null> {
  await pause(options);
  if (options.signal.aborted) return SUPERSEDED;
  options.onStep("warm");
  return await warmSession(session, options.open.contract, options.batches);
}

async function pause({ pauses, onStep }: PrepareOptions): Promise<void> {
  onStep(null);
  await pauses.wait();
}

function broken(session: OpenSession, result: Exclude<RunResult, { readonly kind: "ran" }>): Refused {
  const thread = result.kind === "lost" ? "it broke its thread: " : "";
  const reason = `${thread}${result.kind === "failed" ? result.message : result.reason}`;
  return refuse("model_invalid", `${session.variant} can't run: ${reason}`);
}
