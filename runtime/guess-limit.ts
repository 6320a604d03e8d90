import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { callOnceOver } from "./answering-server.ts";

/** Wrong tokens that one address may show within the window. */
const MOST_GUESSES = 20;
const WINDOW_MS = 60_000;
/** The same for all addresses together: a client with many of them guesses no faster. */
const MOST_GUESSES_OF_ALL = 200;
/** Addresses that are remembered; the oldest one is forgotten for a new one. */
const MOST_ADDRESSES = 10_000;
/** How long a wrong token waits for its answer where too many came before it. */
const LATE_ANSWER_MS = 1000;

interface Guesses {
  count: number;
  readonly sinceMs: number;
}

type Wait = () => Promise<unknown>;
const waitForLateAnswer: Wait = () => sleep(LATE_ANSWER_MS, undefined, { ref: false });

/** Counts the wrong tokens that each address shows. */
export class GuessLimit {
  readonly #byAddress = new Map<string, Guesses>();
  #all: Guesses = { count: 0, sinceMs: 0 };
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get addresses(): number {
    return this.#byAddress.size;
  }

  /** Notes that the address has shown a wrong token, and tells whether it, or all together, had shown too many before within a minute. */
  isTooMany(address: string): boolean {
    if (this.#nowMs() - this.#all.sinceMs >= WINDOW_MS) this.#all = { count: 0, sinceMs: this.#nowMs() };
    this.#all.count++;
    return this.#countGuess(address) > MOST_GUESSES || this.#all.count > MOST_GUESSES_OF_ALL;
  }

  /** Returns how many wrong tokens the address has shown within its minute, this one included. */
  #countGuess(address: string): number {
    const guesses = this.#byAddress.get(address);
    if (guesses && this.#nowMs() - guesses.sinceMs < WINDOW_MS) {
      guesses.count++;
      return guesses.count;
    }
    this.#byAddress.delete(address);
    const [oldest] = this.#byAddress.keys();
    if (oldest !== undefined && this.#byAddress.size >= MOST_ADDRESSES) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, { count: 1, sinceMs: this.#nowMs() });
    return 1;
  }
}

/**
 * A request that shows a token which an answer of 401 calls wrong is a guess. Where an address, or all together, have made too many of them, the
 * next one is answered late, and its connection ends with that. The right token always passes. Requests with tokens of one connection take turns, so
 * that nobody guesses faster by not waiting for answers: who opens a connection for each guess is slowed by that alone, and tokens are too long to be
 * guessed so.
 */
export function slowDownGuesses(app: FastifyInstance, wait: Wait = waitForLateAnswer): void {
  const guesses = new GuessLimit();
  const turns = new WeakMap<Socket, Promise<void>>();
  app.addHook("onRequest", async (request, reply) => {
    if (request.headers.authorization === undefined) return;
    const { socket } = request.raw;
    const before = turns.get(socket);
    turns.set(socket, new Promise(resolve => callOnceOver(reply.raw, resolve)));
    await before;
    if (!socket.writable) return reply.hijack();
  });
  app.addHook("onSend", async (request, reply) => {
    if (reply.statusCode !== 401 || request.headers.authorization === undefined) return;
    if (!guesses.isTooMany(request.socket.remoteAddress ?? "")) return;
    reply.header("connection", "close");
    await wait();
  });
}
