import { VariscaleError } from "../domain/errors.ts";
import { EXIT } from "./exit-codes.ts";

let isWatched = false;
let isPartWatched = false;

/** Writes a command's result to standard output. Whoever reads may stop early, as with `| head`: that ends the command and is no error. */
export function writeResult(text: string): void {
  if (!isWatched) process.stdout.on("error", endAt);
  isWatched = true;
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

function endAt(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  const why = VariscaleError.from(error).message;
  process.stderr.write(`variscale: the result can't be written to standard output (${why}). Send it elsewhere.\n`);
  process.exit(EXIT.failed);
}

/** Writes a part of the result while there is work left to do: that is done also where nobody reads any more. */
export function writePart(text: string): void {
  if (!isPartWatched) process.stdout.on("error", () => undefined);
  isPartWatched = true;
  process.stdout.write(`${text}\n`);
}
