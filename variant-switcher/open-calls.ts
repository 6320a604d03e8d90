import { type sendUnaryData, status } from "@grpc/grpc-js";
import { OpenList } from "../runtime/open-list.ts";

type Answer = sendUnaryData<unknown>;

/** Calls that have no answer yet. Each gets one: its own, or that the server has ended, which a client may take to another replica. */
export class OpenCalls {
  readonly #open = new OpenList<Answer, Answer>();

  /** Gives what the call is to be answered with from now on. */
  opened<Response>(callback: sendUnaryData<Response>): sendUnaryData<Response> {
    this.#open.add(callback as Answer);
    return (error, value) => {
      if (this.#open.delete(callback as Answer)) callback(error, value);
    };
  }

  cut(): void {
    this.#open.forEach(callback => {
      this.#open.delete(callback);
      callback({ code: status.UNAVAILABLE, details: "the switcher ended before the call had an answer" });
    });
  }
}
