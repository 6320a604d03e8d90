import type { IncomingHttpHeaders } from "node:http";
import type { VariscaleError } from "../domain/errors.ts";

/** What a handler of the data server answers. */
export interface DataResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** What is sent as it is, one part after the other. */
  readonly parts?: readonly (Uint8Array | string)[];
  /** Anything else, sent as JSON. */
  readonly json?: unknown;
}

export interface DataRequest {
  readonly headers: IncomingHttpHeaders;
  /** Only until the answer is there: the memory is used again. */
  readonly body: Buffer;
  /** Finds room for so many bytes more that the request comes to need, less than 0: it needs them no longer; an error: there is none. */
  charge(bytes: number): VariscaleError | null;
  /** Calls back once if the client goes away before it has an answer. */
  onGone(callback: () => void): void;
}

export type DataHandler = (request: DataRequest) => Promise<DataResponse>;

export interface DataRoutes {
  /** The path without the query. Null: there is nothing. */
  get(path: string): DataResponse | null;
  /** The handler of requests to this path. Null: there is none. */
  post(path: string): DataHandler | null;
  /** Is told of requests to this path that there was no room for. */
  refused(path: string, headers: DataRequest["headers"], refusal: VariscaleError): void;
}
