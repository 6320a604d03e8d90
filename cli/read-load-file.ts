import { readFileSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";

/**
 * The text of `--csv`; `-` is standard input.
 *
 * @throws VariscaleError not_found that names the option.
 */
export function readLoadFile(path: string): string {
  try {
    return textOf(readFileSync(path === "-" ? 0 : path));
  } catch (error) {
    throw new VariscaleError(
      "not_found",
      `--csv ${path} can't be read: ${VariscaleError.from(error).message}. Name a file with a rate a line.`,
    );
  }
}

/** UTF-8, or UTF-16 where the file begins with its mark, as tables that programs for Windows write. */
function textOf(bytes: Buffer): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  return bytes.toString("utf8");
}
