import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { VariscaleError } from "../../domain/errors.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const WITHIN_MS = 120_000;

/** The Chromium of `VARISCALE_CHROMIUM`, or the first on the path; null where there is none. */
export function findChromium(env: NodeJS.ProcessEnv): string | null {
  const given = env["VARISCALE_CHROMIUM"];
  if (given) return given;
  const folders = (env["PATH"] ?? "").split(delimiter).filter(folder => folder !== "");
  const paths = NAMES.flatMap(name => folders.map(folder => join(folder, name)));
  return paths.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Prints a page of this machine as a PDF.
 *
 * @throws VariscaleError failed_precondition where Chromium can't be run or fails, with what it said.
 */
export async function printPdf(chromium: string, htmlFile: string, pdfFile: string): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), "variscale-report-"));
  // As root, in a container, there is no sandbox to be had; the page is ours and has no scripts.
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const args = ["--headless", "--disable-gpu", "--disable-dev-shm-usage", ...sandbox, `--user-data-dir=${profile}`];
  args.push("--no-pdf-header-footer", `--print-to-pdf=${pdfFile}`, pathToFileURL(htmlFile).href);
  try {
    await run(chromium, args);
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], timeout: WITHIN_MS });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-1000);
    });
    const fail = (what: string): void =>
      reject(
        new VariscaleError(
          "failed_precondition",
          `${program} made no PDF: ${what}. Name another Chromium in VARISCALE_CHROMIUM, or take --format html.`,
        ),
      );
    child.once("error", error => fail(error.message));
    child.once("close", code =>
      code === 0 ? resolve() : fail(`it ended with ${code}, ${said.trim().split("\n").at(-1)}`),
    );
  });
}
