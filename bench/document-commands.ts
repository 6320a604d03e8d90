import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";
import { type Block, blocksOf } from "./documents.ts";

/** A command of a document that did not end with 0, or what kept a document from its end. */
export interface FailedCommand {
  /** `file:line`. */
  readonly at: string;
  readonly command: string;
}

export interface DocumentRun {
  readonly file: string;
  readonly commands: number;
  readonly failed: readonly FailedCommand[];
  /** The end of what it printed. */
  readonly output: string;
}

const LANGUAGES = ["sh"];
const WITHIN_MS = 150_000;
const OUTPUT_CHARACTERS = 4000;
/** What is not a part of the package: nothing of it is for users' commands. */
const LEFT_OUT = new Set([".git", "coverage"]);

/** The loopback interface of a network of its own, so that ports that others have don't matter. */
const LOOPBACK_UP = "import fcntl,socket,struct; fcntl.ioctl(socket.socket(),0x8914,struct.pack('16sh',b'lo',0x41))";

/** The blocks of a document that are run: commands that nothing else tries. */
export function commandBlocks(file: string): readonly Block[] {
  return blocksOf(file).filter(
    ({ language, runBy, notRun }) => LANGUAGES.includes(language) && runBy === null && notRun === null,
  );
}

/**
 * Runs the commands of one document in their order, in one shell, in a folder of its own that looks like the package's. Those in the
 * background end with it.
 */
export function runDocument(file: string): Promise<DocumentRun> {
  return runBlocks(file, commandBlocks(file));
}

export async function runBlocks(file: string, blocks: readonly Block[]): Promise<DocumentRun> {
  const folder = mkdtempSync(join(tmpdir(), "variscale-docs-"));
  try {
    furnish(folder);
    const script = join(folder, ".script");
    writeFileSync(script, scriptOf(file, blocks));
    const { failed, output, isWhole } = await runShell(script, folder, file);
    const cut = isWhole ? [] : [{ at: file, command: `the shell did not come to the end in ${WITHIN_MS / 1000} s` }];
    return { file, commands: commandsIn(blocks), failed: [...failed, ...cut], output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package's files as links, its pipelines as copies, for commands write into them; `variscale`; and a file of load. */
function furnish(folder: string): void {
  for (const name of readdirSync(packageFolder))
    if (name === "pipelines") cpSync(join(packageFolder, name), join(folder, name), { recursive: true });
    else if (!LEFT_OUT.has(name)) symlinkSync(join(packageFolder, name), join(folder, name));
  mkdirSync(join(folder, ".bin"));
  const main = join(packageFolder, "dist/cli/main.js");
  writeFileSync(join(folder, ".bin/variscale"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, {
    mode: 0o755,
  });
  writeFileSync(join(folder, "load.csv"), loadFile());
}

/** Forty minutes that rise and fall, a rate a second. */
function loadFile(): string {
  const rates = Array.from({ length: 2400 }, (_, second) =>
    Math.round(6 + 4 * Math.sin(second / 120) + (second % 7) / 3),
  );
  return `second,rate\n${rates.map((rate, second) => `${second},${rate}`).join("\n")}\n`;
}

/** Line by line where the document has them, so that a number of the one is that of the other. */
function scriptOf(file: string, blocks: readonly Block[]): string {
  const lines: string[] = [`trap 'printf "%s\\t%s\\n" "$LINENO" "$BASH_COMMAND" >&3' ERR; set -o pipefail # ${file}`];
  for (const block of blocks) {
    while (lines.length < block.line - 1) lines.push("");
    lines.push(...block.text.split("\n"));
  }
  return `${lines.join("\n")}\n`;
}

/** Lines that begin a command: no comments, nothing that the line before goes on with, nothing within a here-document. */
function commandsIn(blocks: readonly Block[]): number {
  let count = 0;
  for (const { text } of blocks) {
    let isContinued = false;
    let endsAt: string | null = null;
    for (const line of text.split("\n")) {
      if (endsAt !== null) {
        if (line === endsAt) endsAt = null;
        continue;
      }
      if (!isContinued && line.trim() !== "" && !line.startsWith("#")) count++;
      isContinued = line.endsWith("\\");
      endsAt = /<<-?\s*['"]?(\w+)/.exec(line)?.[1] ?? null;
    }
  }
  return count;
}

function runShell(
  script: string,
  folder: string,
  file: string,
): Promise<{ readonly failed: readonly FailedCommand[]; readonly output: string; readonly isWhole: boolean }> {
  const shell = ["bash", script];
  const apart = ["-rn", "bash", "-c", `python3 -c "${LOOPBACK_UP}" && exec "$@"`, "bash", ...shell];
  const [program, args] = canBeApart() ? ["unshare", apart] : ["bash", [script]];
  const home = { XDG_STATE_HOME: join(folder, ".state") };
  const path = `${join(folder, ".bin")}:${process.env["PATH"] ?? ""}`;
  const child = spawn(program as string, args as string[], {
    cwd: folder,
    detached: true,
    env: { ...process.env, ...home, PATH: path },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let [output, report] = ["", ""];
  const keep = (chunk: Buffer): void => {
    output = `${output}${chunk}`.slice(-OUTPUT_CHARACTERS);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  child.stdio[3]?.on("data", (chunk: Buffer) => {
    report += chunk;
  });
  return new Promise(resolve => {
    let isWhole = true;
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
      } catch {
        // There is nobody left.
      }
    };
    const timer = setTimeout(() => {
      isWhole = false;
      end();
    }, WITHIN_MS);
    // What runs in the background holds the pipes open: it is ended with the shell.
    child.once("exit", end);
    child.once("close", () => {
      clearTimeout(timer);
      const failed = report.split("\n").flatMap(text => {
        const [line, command = ""] = text.split("\t");
        return line === undefined || command === "" ? [] : [{ at: `${file}:${line}`, command }];
      });
      resolve({ failed, output, isWhole });
    });
  });
}

function canBeApart(): boolean {
  return spawnSync("unshare", ["-rn", "python3", "-c", LOOPBACK_UP]).status === 0;
}
