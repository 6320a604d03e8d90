import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import { PipelineCodeError } from "../gateway/guarded-code.ts";
import type { LabelledItem } from "../gateway/stage.ts";
import type { ItemReply, ItemRequest, PipelineSource } from "./item-messages.ts";
import type { ItemResult } from "./item-result.ts";

/**
 * A process that takes one item at a time through every combination of variants. No thread: one that is ended within a run of a model takes
 * all of its process with it.
 */
export class ItemMeasurer {
  readonly #child: ChildProcess;
  #settle: ((reply: ItemReply | VariscaleError) => void) | null = null;
  #failure: VariscaleError | null = null;

  private constructor() {
    this.#child = fork(fileURLToPath(new URL("./item-process.js", import.meta.url)), [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (reply: ItemReply) => this.#finish(reply));
    this.#child.once("exit", (code, signal) => this.#lose(signal === null ? `with exit code ${code}` : `by ${signal}`));
    // What can't be sent to a process that has ended: its end, which is about to be told, says why.
    this.#child.on("error", error => {
      if (this.#child.pid === undefined) this.#lose(`before it began: ${error.message}`);
    });
  }

  /** @throws failed_precondition when the pipeline's code or a model can't be loaded. */
  static async open(source: PipelineSource): Promise<ItemMeasurer> {
    const measurer = new ItemMeasurer();
    try {
      await measurer.#ask({ kind: "open", source });
    } catch (error) {
      await measurer.#kill();
      throw error;
    }
    return measurer;
  }

  /** @throws what measuring it throws; failed_precondition when the item can't be sent to a process, or the process has ended. */
  async measure(item: LabelledItem): Promise<ItemResult> {
    const reply = await this.#ask({ kind: "measure", item });
    if (reply.kind === "measured") return reply.result;
    throw new VariscaleError("internal", `a process that measures items answered with ${reply.kind}`);
  }

  /** Gives up the models, unless an item is being measured, and ends the process. */
  async close(): Promise<void> {
    try {
      if (this.#settle === null && this.#failure === null) await this.#ask({ kind: "close" });
    } finally {
      await this.#kill();
    }
  }

  async #kill(): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #ask(request: ItemRequest): Promise<ItemReply> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#settle = reply => {
        if (reply instanceof VariscaleError) reject(reply);
        else if (reply.kind === "failed") reject(toError(reply));
        else resolve(reply);
      };
      try {
        this.#child.send(request);
      } catch (error) {
        const what = request.kind === "measure" ? `item \`${request.item.id}\`` : request.kind;
        const why = `${what} can't be sent to the process that measures it: ${VariscaleError.from(error).message}`;
        this.#finish(new VariscaleError("failed_precondition", `${why}. Let labels be plain data, without functions.`));
      }
    });
  }

  #finish(reply: ItemReply | VariscaleError): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(reply);
  }

  #lose(how: string): void {
    this.#failure ??= new VariscaleError(
      "failed_precondition",
      `a process that measures items ended ${how}. There may be too little memory for so many, each with all models: \`--jobs\` takes fewer. What was measured before is kept: run the same command again to go on.`,
    );
    this.#finish(this.#failure);
  }
}

/** The error of the other process, as it was there. */
function toError({ code, message, ownStack }: Extract<ItemReply, { readonly kind: "failed" }>): VariscaleError {
  return ownStack === null ? new VariscaleError(code, message) : new PipelineCodeError(message, ownStack);
}
