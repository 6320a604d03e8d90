import assert from "node:assert/strict";
import { TINY } from "./tiny-pipeline.ts";

export interface TinyAnswer {
  readonly status: number;
  /** The variant of most rows by stage, as the gateway says. */
  readonly variants: Readonly<Record<string, string>>;
}

/** Sends a number through the tiny pipeline; an answer of 200 must be what the variants that it names make of the number. */
export async function sendNumber(url: string, n: number): Promise<TinyAnswer> {
  const response = await fetch(url, { method: "POST", body: String(n) });
  const header = response.headers.get("x-variscale-variants") ?? "";
  const served = header.split(",").map(pair => {
    const [stage = "", shares = ""] = pair.split("=");
    return [stage, shares.split("+").map(share => share.replace(/:.*/, ""))] as const;
  });
  const text = await response.text();
  if (response.status === 200) {
    const answer = JSON.parse(text) as { first: number; second: number[] };
    const outputs = (name: string, x: number): readonly (number | undefined)[] =>
      served.flatMap(([stage, names]) => (stage === name ? names.map(variant => TINY[stage]?.[variant]?.(x)) : []));
    const wrong = `${text} for ${n} by ${header}`;
    assert.ok(outputs("first", n).includes(answer.first), wrong);
    assert.equal(answer.second.length, 2, wrong);
    for (const [row, value] of answer.second.entries())
      assert.ok(outputs("second", answer.first + row).includes(value), wrong);
  } else if (process.env["DEBUG_TESTS"]) process.stderr.write(`${response.status}: ${text}\n`);
  return { status: response.status, variants: Object.fromEntries(served.map(([stage, [most = ""]]) => [stage, most])) };
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
