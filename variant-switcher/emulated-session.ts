import { setTimeout as sleep } from "node:timers/promises";
import { serviceMs } from "../domain/profile.ts";
import type { StageContract } from "../domain/tensor.ts";
import { bytesPerElement, elementCount } from "../runtime/tensor-data.ts";
import type { SwitcherVariant } from "./config.ts";
import type { OpenOptions, OpenSession } from "./driver.ts";
import { gammaSample } from "./gamma-sample.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type { RunResult } from "./session.ts";
import { type Loaded, type Refused, SUPERSEDED, type TransferredTensor } from "./session-messages.ts";

/** An open dimension is given this size in outputs. */
const OPEN_DIMENSION = 1;

/** The driver `emulated`: takes as long as the Profile says, with its spread, and computes nothing. */
export async function openEmulated(options: OpenOptions, signal: AbortSignal): Promise<OpenSession | Refused> {
  const { variant, contract } = options;
  try {
    await sleepUntil(performance.now() + (variant.loadMs ?? 0), signal);
  } catch {
    return SUPERSEDED;
  }
  return new EmulatedSession(variant, contract, Math.random);
}

/**
 * Replays a Profile, for demonstrations with more replicas than there are cores: batches follow each other, each takes a
 * gamma-distributed time with the Profile's mean and spread, and outputs are zeros. Timers come late by a fraction of a millisecond; the
 * next batch is counted from when this one should have ended, so that the rate is right all the same.
 */
export class EmulatedSession implements OpenSession {
  readonly variant: string;
  readonly model: Pick<Loaded, "inputs" | "outputs" | "fileBytes">;
  readonly #points: SwitcherVariant["points"];
  readonly #contract: StageContract;
  readonly #random: () => number;
  #busyUntilMs = 0;
  #closed = false;

  constructor(
    { name, points }: Pick<SwitcherVariant, "name" | "points">,
    contract: StageContract,
    random: () => number,
  ) {
    this.variant = name;
    this.model = { ...contract, fileBytes: 0 };
    this.#points = points;
    this.#contract = contract;
    this.#random = random;
  }

  get isLost(): boolean {
    return this.#closed;
  }

  async run(inputs: readonly TransferredTensor[], outputs: readonly string[]): Promise<RunResult> {
    const rows = inputs[0]?.shape[0] ?? 1;
    const tookMs = gammaSample(serviceMs({ points: this.#points }, rows), this.#scv(rows), this.#random);
    const endMs = Math.max(this.#busyUntilMs, performance.now()) + tookMs;
    this.#busyUntilMs = endMs;
    await sleepUntil(endMs);
    if (this.#closed) return { kind: "lost", reason: "the emulated session was closed" };
    const wanted = this.#contract.outputs.filter(({ name }) => outputs.includes(name));
    return {
      kind: "ran",
      outputs: wanted.map(output => zeros(output, rows)),
      spare: inputs.map(({ data }) => data),
      serviceMs: tookMs,
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Of the largest measured batch up to this one. */
  #scv(rows: number): number {
    return (this.#points.findLast(({ batch }) => batch <= rows) ?? this.#points[0])?.scv ?? 0;
  }
}

/** A timer counts whole milliseconds from when its turn of the event loop began, so it may end too early: then it is set again. */
async function sleepUntil(endMs: number, signal?: AbortSignal): Promise<void> {
  for (let leftMs = endMs - performance.now(); leftMs > 0; leftMs = endMs - performance.now())
    await sleep(leftMs, undefined, { signal });
}

function zeros({ name, datatype, shape }: StageContract["outputs"][number], rows: number): NamedTensor {
  const known = shape.map((dimension, i) => (i === 0 ? rows : dimension === -1 ? OPEN_DIMENSION : dimension));
  // An empty element of BYTES is its length alone: four bytes of zero.
  const size = datatype === "BYTES" ? 4 : bytesPerElement(datatype);
  return { name, datatype, shape: known, bytes: new Uint8Array(elementCount(known) * size) };
}
