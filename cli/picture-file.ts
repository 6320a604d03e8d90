import { existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { VariscaleError } from "../domain/errors.ts";

/**
 * Before work whose result a picture shows.
 *
 * @param endings that say what it is.
 * @throws VariscaleError invalid_argument or not_found.
 */
export function checkPicture(path: string, endings: readonly string[]): void {
  if (!endings.some(ending => path.endsWith(ending)))
    throw new VariscaleError("invalid_argument", `--picture ${path}: must end with ${endings.join(" or ")}`);
  const folder = dirname(path);
  if (!existsSync(folder)) throw new VariscaleError("not_found", `--picture ${path}: there is no folder ${folder}`);
}

/** @throws VariscaleError unavailable. */
export function writePicture(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new VariscaleError(
      "unavailable",
      `--picture ${path} can't be written: ${VariscaleError.from(error).message}. Name another file.`,
      { cause: error },
    );
  }
  process.stderr.write(`written to ${path}\n`);
}
