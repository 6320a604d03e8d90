import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { createSecureContext } from "./secure-context.ts";
import { checkTlsMaterial, TLS_FILES, type TlsFile, type TlsMaterial } from "./tls-material.ts";

/** kubelet brings a changed Secret within about a minute; looking is cheap. */
const CHECK_EVERY_MS = 5000;
/** Far above any chain of certificates. */
const MOST_BYTES = 1024 * 1024;

export interface TlsFolderOptions {
  /** Has tls.crt, tls.key and ca.crt, as a mounted Secret of type kubernetes.io/tls. */
  readonly folder: string;
  readonly logger: Logger;
  /** Default 5,000. */
  readonly checkEveryMs?: number;
  /** Default: the wall clock. */
  readonly nowMs?: () => number;
}

/**
 * Certificate, key and authorities of this process for mutual TLS, renewed while it runs. What is in the folder is taken only when it
 * is whole and valid (checkTlsMaterial); until then the last good one stays in use, and `problem` says why. Connections that are open
 * stay open.
 *
 * grpc-js has a watcher of files itself. It takes whatever it reads, and refuses every connection while a pair is half renewed.
 */
export class TlsFolder {
  /** Files that were found changed, since the start. */
  readonly reloads = { taken: 0, refused: 0 };
  readonly #options: TlsFolderOptions;
  readonly #listeners = new Set<(problem: string | null) => void>();
  #material: TlsMaterial;
  #bytes: Readonly<Record<TlsFile, Buffer>>;
  #problem: string | null = null;
  /** What was refused last: told once, not with every look. */
  #refused: Readonly<Record<TlsFile, Buffer>> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: TlsFolderOptions, bytes: Readonly<Record<TlsFile, Buffer>>, material: TlsMaterial) {
    this.#options = options;
    this.#bytes = bytes;
    this.#material = material;
    this.#scheduleCheck();
  }

  /** Loads the folder; throws failed_precondition where it can't be used. */
  static async open(options: TlsFolderOptions): Promise<TlsFolder> {
    try {
      const bytes = await readFolder(options.folder);
      return new TlsFolder(options, bytes, checkTlsMaterial(bytes, (options.nowMs ?? Date.now)()));
    } catch (error) {
      const { message } = VariscaleError.from(error);
      throw new VariscaleError("failed_precondition", `TLS folder ${options.folder}: ${message}`, { cause: error });
    }
  }

  /** What is in use. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** Why what is in the folder is not in use, or must not be any longer; null: all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  /** For one connection that is opened now. */
  channelCredentials(): ChannelCredentials {
    return credentials.createFromSecureContext(createSecureContext(this.#material.context));
  }

  /** Calls `listener` with `problem` now and after every look into the folder, until this is closed. */
  watch(listener: (problem: string | null) => void): void {
    this.#listeners.add(listener);
    listener(this.#problem);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  #scheduleCheck(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#check()
        .catch((error: unknown) => this.#options.logger.error({ err: error }, "could not look for certificates"))
        .finally(() => this.#scheduleCheck());
    }, this.#options.checkEveryMs ?? CHECK_EVERY_MS);
    // Looking for certificates is no reason to stay alive.
    this.#timer.unref();
  }

  async #check(): Promise<void> {
    const { folder, logger, nowMs = Date.now } = this.#options;
    let bytes: Readonly<Record<TlsFile, Buffer>> | null = null;
    let problem: string | null = null;
    try {
      bytes = await readFolder(folder);
      const material = checkTlsMaterial(bytes, nowMs());
      if (!isSame(bytes, this.#bytes)) this.#take(bytes, material);
    } catch (error) {
      problem = VariscaleError.from(error).message;
      if (bytes && !isSame(bytes, this.#bytes) && !isSame(bytes, this.#refused)) {
        this.#refused = bytes;
        this.reloads.refused += 1;
      }
    }
    if (this.#closed) return;
    if (problem !== null && problem !== this.#problem)
      logger.warn({ folder, inUse: this.#material.fingerprint }, `certificates stay as they were: ${problem}`);
    this.#problem = problem;
    for (const listener of this.#listeners) listener(problem);
  }

  #take(bytes: Readonly<Record<TlsFile, Buffer>>, material: TlsMaterial): void {
    this.#bytes = bytes;
    this.#material = material;
    this.#refused = null;
    this.reloads.taken += 1;
    const { fingerprint, expiresAtMs } = material;
    const expiresAt = new Date(expiresAtMs["tls.crt"]).toISOString();
    this.#options.logger.info({ folder: this.#options.folder, fingerprint, expiresAt }, "certificates renewed");
  }
}

/** All files of one version: Kubernetes replaces them together, by turning the link `..data` to another folder. */
async function readFolder(folder: string): Promise<Readonly<Record<TlsFile, Buffer>>> {
  const version = await versionOf(folder);
  try {
    const contents = await Promise.all(TLS_FILES.map(file => readFileOf(version, file)));
    return Object.fromEntries(TLS_FILES.map((file, i) => [file, contents[i]])) as Record<TlsFile, Buffer>;
  } catch (error) {
    // The old version is deleted right after the link was turned.
    if ((await versionOf(folder)) !== version) return readFolder(folder);
    throw error;
  }
}

function versionOf(folder: string): Promise<string> {
  return realpath(join(folder, "..data")).catch(() => folder);
}

async function readFileOf(folder: string, file: TlsFile): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(folder, file));
  } catch (error) {
    const { message } = VariscaleError.from(error);
    throw new VariscaleError("failed_precondition", `${file} can't be read: ${message}`);
  }
  if (bytes.length <= MOST_BYTES) return bytes;
  throw new VariscaleError(
    "failed_precondition",
    `${file} has ${bytes.length} bytes: it must have ${MOST_BYTES} at most`,
  );
}

function isSame(a: Readonly<Record<TlsFile, Buffer>>, b: Readonly<Record<TlsFile, Buffer>> | null): boolean {
  return b !== null && TLS_FILES.every(file => a[file].equals(b[file]));
}
