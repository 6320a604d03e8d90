import type { IncomingHttpHeaders } from "node:http";
import type { VariscaleError } from "../domain/errors.ts";
import type { DataResponse } from "./data-response.ts";

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

export interface PostRoute {
  readonly handle: DataHandler;
  /** A larger body is refused with 413. */
  readonly maxBodyBytes: number;
}

export interface DataRoutes {
  /** The path without the query. Null: there is nothing. */
  get(path: string): DataResponse | null;
  /** The route of POST requests to this path. Null: there is none. */
  post(path: string): PostRoute | null;
  /** Is told of requests to this path that there was no room for. */
  refused(path: string, headers: DataRequest["headers"], refusal: VariscaleError): void;
}
