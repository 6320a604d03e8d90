import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import type { MeasureReply, MeasureRequest } from "./measure-messages.ts";

/** A process that measures one variant, and is asked one thing at a time. */
export interface MeasuringChild {
  /** @throws failed_precondition when it can't do that, or has ended, whenever that was. */
  ask(request: MeasureRequest): Promise<MeasureReply>;
  /** SIGKILL. */
  kill(): void;
}

/** @param label of the variant, for messages. */
export function startMeasuring(label: string): MeasuringChild {
  const child = fork(fileURLToPath(new URL("./measure-process.js", import.meta.url)), [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let answer: (reply: MeasureReply | VariscaleError) => void = () => undefined;
  let failure: VariscaleError | null = null;
  const fail = (message: string): void => {
    failure ??= new VariscaleError("failed_precondition", message);
    answer(failure);
  };
  child.on("message", (reply: MeasureReply) => answer(reply));
  child.once("exit", (code, signal) => fail(endedText(label, code, signal)));
  // What can't be sent to a process that has ended: its end, which is about to be told, says why.
  child.on("error", error => {
    if (child.pid === undefined) fail(`the process that measures ${label} can't be started: ${error.message}`);
  });
  return {
    ask: request =>
      new Promise((resolve, reject) => {
        if (failure !== null) return reject(failure);
        answer = reply => {
          if (reply instanceof VariscaleError) reject(reply);
          else if (reply.kind === "failed") reject(new VariscaleError("failed_precondition", reply.message));
          else resolve(reply);
        };
        child.send(request);
      }),
    kill: () => void child.kill("SIGKILL"),
  };
}

function endedText(label: string, code: number | null, signal: NodeJS.Signals | null): string {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  const why =
    signal === "SIGKILL"
      ? "Where the system did that, there was too little memory for the model"
      : "There may be too little memory for the model, or it does not run on this machine";
  return `the process that measures ${label} ended ${how}. ${why}: make room, or leave the variant out. What was measured before is kept: run the same command again to go on.`;
}
