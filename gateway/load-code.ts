import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { guardCode } from "./guarded-code.ts";
import type { Evaluation, PipelineCode, SequenceAssertions, StageCode } from "./stage.ts";

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
  return guardCode(module["default"] as PipelineCode, codeFolder(specifier, pipelineFile));
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
    const place = error instanceof SyntaxError ? await findSyntaxError(target) : null;
    throw failure(
      `\`${specifier}\`, the code of ${pipelineFile}, can't be imported: ${VariscaleError.from(error).message}${place ?? ""}`,
      "Correct it.",
      error,
    );
  }
}

/** Node tells the line of a syntax error only where it checks a file by itself: ` (file:line)`; null: the error is in another file. */
async function findSyntaxError(target: string): Promise<string | null> {
  if (!target.startsWith("file:")) return null;
  const path = fileURLToPath(target);
  const checked = promisify(execFile)(process.execPath, ["--check", path], { timeout: 10_000 });
  const told = await checked.then(
    () => "",
    (error: { readonly stderr?: string }) => error.stderr ?? "",
  );
  const line = /^.*:(\d+)$/m.exec(told)?.[1];
  return line === undefined ? null : ` (${path}:${line})`;
}

/** The folder of the module, which stacks name. */
function codeFolder(specifier: string, pipelineFile: string): string {
  const target = resolveSpecifier(specifier, resolve(pipelineFile));
  return dirname(target.startsWith("file:") ? fileURLToPath(target) : resolve(pipelineFile));
}

function resolveSpecifier(specifier: string, pipelineFile: string): string {
  if (specifier.startsWith("./") || specifier.startsWith("../")) {
    const path = resolve(dirname(pipelineFile), specifier);
    if (!/\.[cm]?[jt]s$/.test(path))
      throw failure(
        `\`${specifier}\`: the code of a pipeline is a JavaScript module, \`./index.mjs\` for example`,
        /\.py$/.test(path)
          ? "Python does not run there: put such steps into the ONNX files, or let the functions of a JavaScript module call a server of yours."
          : "Correct `spec.code`.",
      );
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
  const { decode, respond, stages, assertions, sequences, evaluation } = code as Partial<
    Record<keyof PipelineCode, unknown>
  >;
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
  return [...problems, ...problemsOfSequences(sequences, assertions), ...checkEvaluation(evaluation)];
}

function checkEvaluation(evaluation: unknown): string[] {
  if (evaluation === undefined) return [];
  if (typeof evaluation !== "object" || evaluation === null) return ["`evaluation` is not an object"];
  const given = evaluation as Partial<Record<keyof Evaluation, unknown>>;
  return (["items", "score", "ideal", "stageCorrect"] as const).flatMap(name =>
    typeof given[name] === "function" ? [] : [`\`evaluation.${name}\` is not a function`],
  );
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
