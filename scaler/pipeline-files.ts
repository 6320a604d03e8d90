import { statSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { pipelineFileAt, readPipeline } from "../runtime/read-pipeline.ts";
import type { Clock } from "./clock.ts";
import type { PipelineAdmission, PipelineDescription, PipelineOrigin } from "./pipeline-admission.ts";
import { Rota } from "./rota.ts";

/** Between looks at a file: what was written is taken after one to two of them. */
const LOOK_EVERY_MS = 2000;

export interface PipelineFileOptions {
  /** Of the file, or of the folder with its `pipeline.yaml`. */
  readonly path: string;
  /** Fields to replace, as `readPipeline` takes them. */
  readonly set?: readonly string[];
}

/**
 * A pipeline file and the files that it names, looked at again and again. They are not subscribed to: what a ConfigMap's volume swaps are
 * links, and network file systems tell nothing. A change counts once it holds still from one look to the next, so that a
 * file is not read half-written.
 */
export class PipelineFile {
  readonly origin: PipelineOrigin;
  /** At the start. */
  readonly pipeline: Pipeline;
  readonly #options: PipelineFileOptions;
  #files: readonly string[];
  /** Signatures of `#files` when they were read last. */
  #taken: readonly string[];
  #changedFiles: readonly string[] = [];
  /** Of what was seen at the last look, where that is another. */
  #seen: string | null = null;

  /** Throws what `readPipeline` throws: at its start a scaler has no last good one. */
  constructor(options: PipelineFileOptions) {
    this.#options = options;
    const { pipeline, files } = this.#read();
    this.origin = { kind: "file", name: `file ${pipelineFileAt(options.path)}` };
    this.pipeline = pipeline;
    this.#files = files;
    this.#taken = files.map(signatureOf);
  }

  /** Which files had changed when `look()` last said what they say. */
  get changedFiles(): readonly string[] {
    return this.#changedFiles;
  }

  /** What the files say, where that changed and holds still; else null. */
  look(): PipelineDescription | null {
    const signatures = this.#files.map(signatureOf);
    const changedFiles = this.#files.filter((_, i) => signatures[i] !== this.#taken[i]);
    if (changedFiles.length === 0) {
      this.#seen = null;
      return null;
    }
    const now = signatures.join("\n");
    if (now !== this.#seen) {
      this.#seen = now;
      return null;
    }
    const files = new Set([pipelineFileAt(this.#options.path)]);
    let description: PipelineDescription;
    try {
      description = { pipeline: this.#read(files).pipeline };
    } catch (thrown) {
      description = { problem: VariscaleError.from(thrown).message };
    }
    // Written while it was read: it is read again when it holds still.
    if (this.#files.map(signatureOf).join("\n") !== now) return null;
    this.#files = [...files];
    this.#taken = this.#files.map(signatureOf);
    this.#seen = null;
    this.#changedFiles = changedFiles;
    return description;
  }

  #read(files = new Set<string>()): { readonly pipeline: Pipeline; readonly files: readonly string[] } {
    const { path, set = [] } = this.#options;
    const pipeline = readPipeline(path, { set, onRead: file => files.add(file) });
    return { pipeline, files: [...files] };
  }
}

/** Offers what the files say whenever they change, until the function that it returns is called. */
export function watchPipelineFiles(
  files: readonly PipelineFile[],
  admission: PipelineAdmission,
  clock: Clock,
): () => void {
  const rota = new Rota(clock, LOOK_EVERY_MS);
  for (const file of files) {
    admission.began(file.origin, file.pipeline);
    rota.join(() => {
      const description = file.look();
      if (description) void admission.offer(file.origin, description);
    });
  }
  return () => rota.close();
}

/** Changes when the file is another one, or was written; links are followed. */
function signatureOf(file: string): string {
  try {
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    return found ? `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : "absent";
  } catch (error) {
    // A right that was taken away, a network file system that is gone: reading says so.
    return `unreadable: ${VariscaleError.from(error).message}`;
  }
}
