import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { Command } from "commander";
import { VariscaleError } from "../../domain/errors.ts";

/** Where `variscale up` and a scaler of this machine are, unless told otherwise. */
export const DEFAULT_URL = "http://127.0.0.1:8080";

export interface AccessFlags {
  readonly url: string;
  readonly tokenFile?: string;
}

export interface ChangeFlags extends AccessFlags {
  readonly reason: string;
  readonly by?: string;
  readonly dryRun: boolean;
  readonly output: "text" | "json";
}

export const TOKEN_HELP = `Environment:
  VARISCALE_TOKEN  the scaler's token, where there is no --token-file`;

export const READER_TOKEN_HELP = `Environment:
  VARISCALE_TOKEN  the scaler's token, for a scaler on this machine that is called by another name than localhost`;

export function addUrl(command: Command): Command {
  return command.option("--url <url>", "of the scaler's HTTP port", DEFAULT_URL);
}

/** Options of the commands that change something of a running scaler. */
export function addChangeOptions(command: Command): Command {
  return addUrl(command)
    .option("--token-file <file>", "with the scaler's token, where it has one")
    .option("--reason <text>", "why, for the audit log", "")
    .option("--by <name>", "who, for the audit log (default: the user of this command, and its machine)")
    .option("--dry-run", "say what would change, and change nothing", false);
}

/** Where a token is given: the option that names its file, and the variable that has it where no file is named. */
export interface TokenPlace {
  readonly option: string;
  readonly variable: string;
  /** A server takes no shorter token, because it could be guessed. Default: 1. */
  readonly leastCharacters?: number;
}

/** A token that a server checks has this many characters at least. */
export const LEAST_TOKEN_CHARACTERS = 16;
const SCALER_TOKEN: TokenPlace = { option: "--token-file", variable: "VARISCALE_TOKEN" };
/** The scaler reads its own token from the environment alone. */
export const OWN_SCALER_TOKEN: TokenPlace = { ...SCALER_TOKEN, leastCharacters: LEAST_TOKEN_CHARACTERS };

/**
 * The token of a file, or of the environment, without the blanks and line ends around it: Secrets that are made of files end with one.
 * Null: there is none.
 *
 * @throws VariscaleError not_found or invalid_argument.
 */
export function tokenOf(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  place: TokenPlace = SCALER_TOKEN,
): string | null {
  const { option, variable } = place;
  if (file === undefined) {
    const text = env[variable]?.trim() ?? "";
    return text === "" ? null : checkToken(text, variable, place);
  }
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    const message = `${option} ${file} can't be read: ${VariscaleError.from(error).message}`;
    throw new VariscaleError("not_found", message, { cause: error });
  }
  return checkToken(text, `${option} ${file}`, place);
}

/** A token is a text that a header can show. */
function checkToken(text: string, where: string, { leastCharacters = 1 }: TokenPlace): string {
  if (!/^[\x21-\x7e]{1,4096}$/.test(text))
    throw new VariscaleError("invalid_argument", `${where}: must have one line, the token`);
  if (text.length < leastCharacters)
    throw new VariscaleError(
      "invalid_argument",
      `${where}: the token has ${text.length} characters, and could be guessed: write one of ${leastCharacters} at least, such as \`openssl rand -hex 16\` gives`,
    );
  return text;
}

/** `user@machine`, as far as the system knows. */
export function ownName(hostname: string): string {
  try {
    return `${userInfo().username}@${hostname}`;
  } catch {
    // A container's user may have no name.
    return hostname;
  }
}
