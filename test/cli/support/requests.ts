import assert from "node:assert/strict";
import { TINY } from "./tiny-pipeline.ts";

export interface TinyAnswer {
  readonly status: number;
  /** Variant by stage, as the gateway says. */
  readonly variants: Readonly<Record<string, string>>;
}

/** Sends a number through the tiny pipeline; an answer of 200 must be what the variants that it names make of the number. */
export async function sendNumber(url: string, n: number): Promise<TinyAnswer> {
  const response = await fetch(url, { method: "POST", body: String(n) });
  const variants = Object.fromEntries(
    (response.headers.get("x-variscale-variants") ?? "").split(",").map(pair => pair.split("=") as [string, string]),
  );
  const text = await response.text();
  if (response.status === 200) {
    const answer = JSON.parse(text) as { first: number; second: number[] };
    const [first, second] = [TINY["first"]![variants["first"]!], TINY["second"]![variants["second"]!]];
    assert.ok(first && second, `unknown variants in ${JSON.stringify(variants)}`);
    assert.deepEqual(answer, { first: first(n), second: [second(first(n)), second(first(n) + 1)] });
  } else if (process.env["DEBUG_TESTS"]) process.stderr.write(`${response.status}: ${text}\n`);
  return { status: response.status, variants };
}

/** Sends numbers at a steady rate, whatever becomes of them, until it is stopped. */
export class SteadyLoad {
  readonly #url: string;
  readonly #answers: Promise<TinyAnswer>[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(url: string, everyMs: number) {
    this.#url = url;
    this.#timer = setInterval(() => this.#send(), everyMs);
  }

  get sent(): number {
    return this.#answers.length;
  }

  /** Stops and gives what became of all of them, by status; 0: no answer at all. */
  async stop(): Promise<Readonly<Record<number, number>>> {
    clearInterval(this.#timer);
    const counts: Record<number, number> = {};
    for (const { status } of await Promise.all(this.#answers)) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  #send(): void {
    const none = { status: 0, variants: {} };
    // A wrong answer is none either.
    this.#answers.push(sendNumber(this.#url, this.#answers.length % 100).catch(() => none));
  }
}
