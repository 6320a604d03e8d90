import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { PipelineCode, SequenceAssertions, StageCode } from "./stage.ts";

/**
 * Imports the pipeline's own code: `./file.js` beside the pipeline file, or the path of a package that is installed beside it or
 * beside variscale itself.
 *
 * @throws failed_precondition when there is none, it can't be imported, or it is not a PipelineCode for this pipeline.
 */
export async function loadCode(pipeline: Pipeline, pipelineFile: string): Promise<PipelineCode> {
  const specifier = pipeline.code;
  if (specifier === null)
    throw failure(`${pipelineFile} names no code`, "Add `spec.code`, or let clients call the stages themselves.");
  const module = await importCode(specifier, pipelineFile);
  const problems = problemsOf(module["default"], pipeline);
  if (problems.length > 0)
    throw failure(
      `\`${specifier}\` is not the code of ${pipelineFile}: ${problems.join("; ")}`,
      "Export what `definePipeline` of `variscale/stage` takes as the default.",
    );
  return module["default"] as PipelineCode;
}

/**
 * Imports the module that a pipeline file names in `code`, whatever it exports.
 *
 * @throws failed_precondition when there is none or it can't be imported.
 */
export async function importCode(specifier: string, pipelineFile: string): Promise<Readonly<Record<string, unknown>>> {
  const target = resolveSpecifier(specifier, resolve(pipelineFile));
  try {
    return (await import(target)) as Record<string, unknown>;
  } catch (error) {
    throw failure(
      `\`${specifier}\`, the code of ${pipelineFile}, can't be imported: ${messageOf(error)}`,
      "Correct it.",
      error,
    );
  }
}

function resolveSpecifier(specifier: string, pipelineFile: string): string {
  if (specifier.startsWith("./") || specifier.startsWith("../")) {
    const path = resolve(dirname(pipelineFile), specifier);
    if (!existsSync(path)) throw failure(`\`${specifier}\`: there is no file ${path}`, "Correct `spec.code`.");
    return pathToFileURL(path).href;
  }
  if (!/^(@[\w.-]+\/)?[\w-][\w.-]*(\/[\w.@-]+)*$/.test(specifier))
    throw failure(`\`${specifier}\` is neither a package path nor \`./file.js\``, "Correct `spec.code`.");
  try {
    return pathToFileURL(createRequire(pipelineFile).resolve(specifier)).href;
  } catch {
    // Not installed beside the pipeline file, or for `import` only: resolved from here, where variscale finds itself too.
    return specifier;
  }
}

function problemsOf(code: unknown, pipeline: Pipeline): string[] {
  if (typeof code !== "object" || code === null) return ["it has no default export that is an object"];
  const { decode, respond, stages, assertions, sequences } = code as Partial<Record<keyof PipelineCode, unknown>>;
  const problems: string[] = [];
  if (typeof decode !== "function") problems.push("`decode` is not a function");
  if (typeof respond !== "function") problems.push("`respond` is not a function");
  if (typeof stages !== "object" || stages === null) return [...problems, "`stages` is not an object"];
  const names = pipeline.stages.map(stage => stage.name);
  for (const name of names) {
    const stage = Object.hasOwn(stages, name) ? (stages as Record<string, unknown>)[name] : undefined;
    const { rows, collect, vote } = (stage ?? {}) as Readonly<Partial<Record<keyof StageCode<unknown>, unknown>>>;
    if (typeof rows !== "function" || typeof collect !== "function")
      problems.push(`\`stages.${name}\` is not an object with the functions \`rows\` and \`collect\``);
    else if (vote !== undefined && typeof vote !== "function")
      problems.push(`\`stages.${name}.vote\` is not a function`);
  }
  for (const name of Object.keys(stages))
    if (!names.includes(name)) problems.push(`\`stages.${name}\` is for a stage that the pipeline does not have`);
  return [...problems, ...problemsOfSequences(sequences, assertions)];
}

function problemsOfSequences(sequences: unknown, others: unknown): string[] {
  if (sequences === undefined) return [];
  if (typeof sequences !== "object" || sequences === null) return ["`sequences` is not an object"];
  const { remember, assertions } = sequences as Partial<Record<keyof SequenceAssertions, unknown>>;
  const problems = typeof remember === "function" ? [] : ["`sequences.remember` is not a function"];
  if (typeof assertions !== "object" || assertions === null)
    return [...problems, "`sequences.assertions` is not an object"];
  for (const [name, holds] of Object.entries(assertions)) {
    if (typeof holds !== "function") problems.push(`\`sequences.assertions.${name}\` is not a function`);
    if (Object.hasOwn(others ?? {}, name))
      problems.push(`\`${name}\` is in \`assertions\` and in \`sequences.assertions\`, which are counted by name`);
  }
  return problems;
}

function failure(what: string, fix: string, cause?: unknown): VariscaleError {
  return new VariscaleError("failed_precondition", `${what}. ${fix}`, { cause });
}

function messageOf(error: unknown): string {
  return VariscaleError.from(error).message;
}
