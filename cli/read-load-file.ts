import { readFileSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";

/**
 * The text of `--csv`; `-` is standard input.
 *
 * @throws VariscaleError not_found that names the option.
 */
export function readLoadFile(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new VariscaleError("not_found", `--csv ${path} can't be read: ${VariscaleError.from(error).message}`);
  }
}
