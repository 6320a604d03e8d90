import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";

/** A document of the report. */
export interface Chapter {
  /** Relative to the package's folder. */
  readonly file: string;
  readonly markdown: string;
}

/** In the order of the report; the last ones are there where they were written. */
const FILES = [
  "docs/report/design.md",
  "pipelines/id-card/README.md",
  "pipelines/video/README.md",
  "pipelines/audio/README.md",
  "pipelines/question-answering/README.md",
  "docs/report/accuracy.md",
  "docs/report/optimisation.md",
  "docs/agent.md",
  "docs/report/agent.md",
  "docs/report/experiments.md",
  "docs/forecasting.md",
  "docs/benchmarks.md",
] as const;
const MAY_BE_MISSING: readonly string[] = ["docs/agent.md", "docs/report/agent.md"];

/** @throws VariscaleError not_found where a document is not in the folder. */
export function readChapters(folder: string): readonly Chapter[] {
  return FILES.flatMap(file => {
    const path = join(folder, file);
    if (existsSync(path)) return [{ file, markdown: readFileSync(path, "utf8") }];
    if (MAY_BE_MISSING.includes(file)) return [];
    throw new VariscaleError("not_found", `${path} is not there: the report is made of it. Install the package again.`);
  });
}
