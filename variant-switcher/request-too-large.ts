import { VariscaleError } from "../domain/errors.ts";

/** A request that will never be taken in, however little there is to do: nothing is gained by sending it again. */
export class RequestTooLarge extends VariscaleError {
  constructor(message: string) {
    super("invalid_argument", message);
  }
}
