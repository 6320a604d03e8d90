import { Composer, type CST, type Document, isNode, isScalar, Lexer, LineCounter, Parser, visit } from "yaml";
import { z } from "zod";
import { type AccuracyEstimator, driftFileSchema } from "./accuracy-estimate.ts";
import { withLearntThresholds } from "./confidence-threshold.ts";
import { VariscaleError } from "./errors.ts";
import { type FileIssue, formatIssue, issuesOf } from "./file-issue.ts";
import type { LoadQuery } from "./load-query.ts";
import type { Pipeline, Stage, Variant } from "./pipeline.ts";
import { checkMeasurements, checkPipelineFile } from "./pipeline-checks.ts";
import { type PipelineFile, pipelineFileSchema, type StageFile } from "./pipeline-schema.ts";
import { profileAt } from "./profile.ts";
import { type Measurements, measurementsSchema } from "./profile-schema.ts";

export type ParseResult =
  | { readonly ok: true; readonly pipeline: Pipeline }
  | { readonly ok: false; readonly issues: readonly FileIssue[] };

/** A pipeline file larger than this is refused unread. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** A file that is nested deeper is refused unread: the YAML library takes kilobytes for each level, and would end the process. */
const MAX_DEPTH = 100;

/**
 * Parses a pipeline file and the measurements file that it names.
 *
 * @param text YAML (or JSON) of the pipeline file.
 * @param readBeside reads a file beside the pipeline file; null where there is none of that name.
 * @param namespace where it lies in a cluster: it is meant where the file names none, and no other may be named.
 */
export function parsePipelineFile(
  text: string,
  readBeside: (name: string) => string | null,
  namespace: string | null = null,
): ParseResult {
  const file = parseWith(pipelineFileSchema, text, value => lyingIn(namespace, value));
  if (!file.ok) return file;
  const issues = checkPipelineFile(file.value);
  const named = file.value.metadata.namespace;
  if (namespace !== null && named !== namespace)
    issues.push({
      path: "metadata.namespace",
      value: named,
      rule: `must be \`${namespace}\`, where it lies`,
      fix: "Correct it, or leave it out.",
    });
  const measurements = readMeasurements(file.value, readBeside);
  if (!measurements.ok) return { ok: false, issues: [...issues, ...measurements.issues] };
  if (measurements.value) issues.push(...checkMeasurements(file.value, measurements.value));
  const estimators = readEstimators(file.value, readBeside);
  if (!estimators.ok) issues.push(...estimators.issues);
  if (!estimators.ok || issues.length > 0) return { ok: false, issues };
  return { ok: true, pipeline: toPipeline(file.value, measurements.value, estimators.value) };
}

/** The error to throw where a file with issues can't be gone on without: names every issue. */
export function invalidFile(fileName: string, issues: readonly FileIssue[]): VariscaleError {
  return new VariscaleError(
    "invalid_argument",
    [`${fileName} is not valid:`, ...issues.map(issue => `  ${formatIssue(issue)}`)].join("\n"),
  );
}

/** JSON Schema of the pipeline file, for editors and for documentation. */
export function pipelineJsonSchema(): unknown {
  return z.toJSONSchema(pipelineFileSchema, { io: "input" });
}

type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly FileIssue[] };

function readMeasurements(
  file: PipelineFile,
  readBeside: (name: string) => string | null,
): Parsed<Measurements | null> {
  return parseBeside("measurements", measurementsSchema, file.spec.measurements, readBeside);
}

function readEstimators(
  file: PipelineFile,
  readBeside: (name: string) => string | null,
): Parsed<readonly AccuracyEstimator[]> {
  const parsed = parseBeside("estimators", driftFileSchema, file.spec.accuracy.estimators, readBeside);
  return parsed.ok ? { ok: true, value: parsed.value?.estimators ?? [] } : parsed;
}

/** Null where no file is named, or it was not written yet: a pipeline that was not measured is whole. */
function parseBeside<S extends z.ZodType>(
  what: string,
  schema: S,
  name: string | undefined,
  readBeside: (name: string) => string | null,
): Parsed<z.output<S> | null> {
  const text = name === undefined ? null : readBeside(name);
  if (text === null) return { ok: true, value: null };
  const parsed = parseWith(schema, text);
  if (parsed.ok) return parsed;
  return { ok: false, issues: parsed.issues.map(issue => ({ ...issue, path: `${what}: ${issue.path}` })) };
}

function lyingIn(namespace: string | null, value: unknown): unknown {
  const { metadata } = (value ?? {}) as { readonly metadata?: unknown };
  if (namespace === null || metadata === null || typeof metadata !== "object") return value;
  return { ...(value as object), metadata: { namespace, ...metadata } };
}

function parseWith<S extends z.ZodType>(
  schema: S,
  text: string,
  prepare: (value: unknown) => unknown = value => value,
): Parsed<z.output<S>> {
  const read = readYaml(text);
  if (!read.ok) return read;
  const value = prepare(read.value);
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, issues: issuesOf(result.error, value, keysOf(schema)) };
}

/** Reads YAML (or JSON) that anybody may have written: in time and memory in proportion to its size. */
export function readYaml(text: string): Parsed<unknown> {
  if (text.length > MAX_CHARACTERS) {
    return failure(
      "(the file)",
      `${text.length} characters`,
      `must not have more than ${MAX_CHARACTERS} characters`,
      "Split it.",
    );
  }
  try {
    const lineCounter = new LineCounter();
    // The library would compare each key with all others of its map, and show each error with all of its line.
    const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: "error" });
    const [document, next] = composer.compose(readTokens(text, lineCounter), true, text.length);
    if (!document) throw new Error("no YAML document");
    const second = next && { message: "there must not be several documents", pos: next.range };
    const broken = document.errors[0] ?? second ?? findWrongKey(document);
    if (broken) {
      const { line, col } = lineCounter.linePos(broken.pos[0]);
      const start = lineCounter.lineStarts[line - 1] ?? 0;
      const shown = text.slice(start, start + 200).split("\n")[0] ?? "";
      const rule = `not YAML: ${broken.message}`;
      return failure(`line ${line}, column ${col}`, shown.trim().slice(0, 80), rule, "Correct the YAML.");
    }
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    if (error instanceof NestedTooDeeply)
      return failure("(the file)", "lists and maps in each other", error.message, "Flatten it.");
    return failure("(the file)", "aliases", VariscaleError.from(error).message, "Write it without so many aliases.");
  }
}

class NestedTooDeeply extends Error {}

/** Gives what a YAML text consists of. Throws NestedTooDeeply as soon as there are too many levels, of which the parser keeps a list. */
function* readTokens(text: string, lineCounter: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lineCounter.addNewLine);
  lineCounter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_DEPTH) throw new NestedTooDeeply(`must not be deeper than ${MAX_DEPTH}`);
  }
  yield* parser.end();
}

/** The first key that is a list or a map, or that its map has twice; null: there is none. */
function findWrongKey(
  document: Document,
): { readonly message: string; readonly pos: readonly [number, number] } | null {
  let wrong: { readonly message: string; readonly at: number } | null = null;
  visit(document, {
    Map: (_, { items }) => {
      const names = new Set<unknown>();
      for (const { key } of items) {
        const at = (isNode(key) && key.range?.[0]) || 0;
        // The library would look at all anchors of the file for each of them.
        if (!isScalar(key)) wrong = { message: "Map keys must be plain values", at };
        else if (names.has(key.value))
          wrong = { message: `Map keys must be unique, and \`${String(key.value).slice(0, 80)}\` comes again`, at };
        else names.add(key.value);
        if (wrong !== null) return visit.BREAK;
      }
      return undefined;
    },
  });
  const found = wrong as { readonly message: string; readonly at: number } | null;
  return found && { message: found.message, pos: [found.at, found.at] };
}

function failure(path: string, value: string, rule: string, fix: string): Parsed<never> {
  return { ok: false, issues: [{ path, value, rule, fix }] };
}

/** Every field name that the schema knows anywhere, for suggestions. */
function keysOf(schema: z.ZodType): string[] {
  const keys = new Set<string>();
  const visit = (node: unknown): void => {
    if (node === null || typeof node !== "object") return;
    for (const [key, value] of Object.entries(node)) {
      if (key === "properties") for (const property of Object.keys(value ?? {})) keys.add(property);
      visit(value);
    }
  };
  visit(z.toJSONSchema(schema, { io: "input" }));
  return [...keys];
}

function toPipeline(
  file: PipelineFile,
  measurements: Measurements | null,
  estimators: readonly AccuracyEstimator[],
): Pipeline {
  const { metadata, spec } = file;
  const isShaped = spec.objective.podShape === "stage";
  return {
    key: { namespace: metadata.namespace, name: metadata.name },
    mode: spec.mode,
    intervalMs: spec.intervalMs,
    scaleDownMs: spec.stabilisation.scaleDownMs,
    slo: spec.slo,
    objective: spec.objective,
    serving: spec.serving,
    loadSource: spec.load.source,
    loadQuery: toLoadQuery(spec.load),
    code: spec.code ?? null,
    packages: spec.packages,
    measurements: spec.measurements === undefined ? null : { file: spec.measurements, isThere: measurements !== null },
    stages: spec.stages.map((stage, i) => toStage(stage, spec.stages[i - 1]?.name ?? null, measurements, isShaped)),
    accuracy: {
      method: spec.accuracy.method,
      combinations: measurements?.accuracy?.combinations ?? [],
      estimators,
      trials: spec.accuracy.trials,
    },
    overhead: measurements?.overhead ?? { latencyMs: 0, cpuMs: 0 },
  };
}

function toLoadQuery({ counter, query }: PipelineFile["spec"]["load"]): LoadQuery | null {
  if (counter !== undefined) return { kind: "counter", selector: counter.trim() };
  return query === undefined ? null : { kind: "rate", expression: query.trim() };
}

function toStage(stage: StageFile, before: string | null, measurements: Measurements | null, isShaped: boolean): Stage {
  const dependsOn = stage.dependsOn ?? (before === null ? [] : [before]);
  const written = typeof stage.fanOut === "number" ? { default: stage.fanOut, byUpstreamVariant: {} } : stage.fanOut;
  const measured = measurements?.fanOut?.[stage.name];
  const { default: other, byUpstreamVariant } = written;
  const fanOut =
    measured === undefined
      ? written
      : "rowsPerRequest" in measured
        ? { default: measured.rowsPerRequest, byUpstreamVariant }
        : { default: other, byUpstreamVariant: { ...byUpstreamVariant, ...measured.rowsByVariant } };
  return {
    name: stage.name,
    dependsOn,
    upstream: dependsOn[0] ?? null,
    cores: stage.cores,
    memoryMiB: stage.memoryMiB,
    costPerHour: stage.costPerHour ?? null,
    serviceAccounts: stage.serviceAccounts,
    replicas: stage.replicas,
    contract: stage.contract,
    recovery: stage.recovery,
    defaultVariant: stage.defaultVariant,
    ...(stage.votes && { votes: stage.votes }),
    golden: stage.golden,
    ...(stage.accuracy && {
      accuracy: withLearntThresholds(stage.accuracy, stage.variants, measurements?.accuracy?.stages[stage.name]),
    }),
    fanOut,
    variants: stage.variants.map(variant =>
      toVariant(variant, stage.name, isShaped ? stage.cores : null, measurements),
    ),
  };
}

/** @param cores that a replica has; null: each variant has those that it was measured on. */
function toVariant(
  variant: StageFile["variants"][number],
  stage: string,
  cores: number | null,
  measurements: Measurements | null,
): Variant {
  const profile = measurements?.stages[stage]?.[variant.name] ?? variant.profile;
  return {
    name: variant.name,
    driver: variant.driver,
    model: variant.model,
    sha256: variant.sha256 ?? null,
    url: variant.url ?? null,
    package: variant.package ?? null,
    accuracy: measurements?.accuracy?.stages[stage]?.[variant.name]?.accuracy ?? variant.accuracy ?? null,
    profile: profile === undefined ? null : cores === null ? profile : profileAt(profile, cores),
  };
}
