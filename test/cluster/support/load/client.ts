import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until } from "../until.ts";
import type { ClientQuestion } from "./client-process.ts";
import type { Tally } from "./tally.ts";

/** The users of a pipeline; every request of theirs is counted. */
export class Client {
  readonly #process: ChildProcess;

  /** Sends the JPEG files of a folder to a URL; nothing until there is a rate. An answer after more than `lateMs` is a late one. */
  constructor(url: string, folder: string, lateMs: number) {
    const script = fileURLToPath(new URL("./client-process.js", import.meta.url));
    this.#process = fork(script, [url, folder, String(lateMs)]);
  }

  async rate(rateRps: number): Promise<void> {
    await this.#ask({ kind: "rate", rateRps });
  }

  tally(): Promise<Tally> {
    return this.#ask({ kind: "tally" });
  }

  /** No further requests; gives the tally when every one that was sent has ended. */
  async end(): Promise<Tally> {
    await this.rate(0);
    let tally = await this.tally();
    const haveEnded = async () => {
      tally = await this.tally();
      return tally.served + tally.dropped + tally.lost + tally.failed === tally.offered;
    };
    await until(haveEnded, "every request has ended");
    return tally;
  }

  close(): void {
    if (this.#process.connected) this.#process.disconnect();
  }

  #ask(question: ClientQuestion): Promise<Tally> {
    assert.ok(this.#process.connected, "the client has ended");
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`the client ended with ${code}`));
      this.#process.once("exit", onExit);
      this.#process.once("message", message => {
        this.#process.off("exit", onExit);
        resolve(message as Tally);
      });
      this.#process.send(question);
    });
  }
}
