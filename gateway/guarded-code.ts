import { fileURLToPath } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import type { Evaluation, PipelineCode, StageCode } from "./stage.ts";

/** An error that the code of a pipeline has thrown, or a result of it that breaks what `gateway/stage.ts` asks for. */
export class PipelineCodeError extends VariscaleError {
  /** Lines of the stack that lie in the pipeline's own code; empty: it returned something wrong. */
  readonly ownStack: readonly string[];

  constructor(message: string, ownStack: readonly string[], cause?: unknown) {
    super("failed_precondition", message, { cause });
    this.ownStack = ownStack;
    // Frames of our own say nothing of what is to be mended.
    this.stack = this.text;
  }

  /** The message, and below it where in the pipeline's own code that was. */
  get text(): string {
    return [this.message, ...this.ownStack.map(line => `    ${line}`)].join("\n");
  }
}

type Check = (result: unknown) => string | null;

/**
 * The same code, whose errors say which stage and function they are of and where in the pipeline's own files they were thrown, and whose results are
 * checked before anything is done with them. Errors by which `decode` refuses a request pass as they are.
 *
 * @param folder of the module: frames of a stack that lie in it are the pipeline's own.
 */
export function guardCode(code: PipelineCode, folder: string): PipelineCode {
  const stages = Object.entries(code.stages).map(([name, stage]) => {
    const of = (method: string) => `\`${method}\` of stage \`${name}\``;
    const guarded: StageCode<unknown> = {
      rows: wrap(folder, stage, stage.rows, of("rows"), mustBe("a list of rows, an object of tensors each", isRows)),
      collect: wrap(folder, stage, stage.collect, of("collect"), takeAny),
      ...(stage.vote && { vote: wrap(folder, stage, stage.vote, of("vote"), mustBe("one row", isObject)) }),
    };
    return [name, guarded] as const;
  });
  const { assertions, sequences, signals, evaluation } = code;
  return {
    decode: wrap(folder, code, code.decode, "`decode`", takeAny),
    stages: Object.fromEntries(stages),
    respond: wrap(folder, code, code.respond, "`respond`", takeAny),
    ...(assertions && { assertions }),
    ...(sequences && { sequences }),
    ...(signals && { signals: signals.bind(code) }),
    ...(evaluation && { evaluation: guardEvaluation(evaluation, folder) }),
  };
}

function guardEvaluation(evaluation: Evaluation, folder: string): Evaluation {
  const of = (method: string) => `\`${method}\` of the evaluation`;
  const { drifts, confidences, sequences, items, score, ideal, stageCorrect } = evaluation;
  const drifted = Object.entries(drifts ?? {}).map(
    ([name, give]) => [name, wrapItems(folder, drifts, give, of(`drifts.${name}`))] as const,
  );
  return {
    items: wrapItems(folder, evaluation, items, of("items")),
    score: wrap(folder, evaluation, score, of("score"), mustBe(SCORE, isScore)),
    ideal: wrap(folder, evaluation, ideal, of("ideal"), takeAny),
    stageCorrect: wrap(folder, evaluation, stageCorrect, of("stageCorrect"), mustBe("true or false", isBoolean)),
    ...(drifts && { drifts: Object.fromEntries(drifted) }),
    ...(confidences && { confidences }),
    ...(sequences && { sequences: sequences.bind(evaluation) }),
  };
}

const ITEMS = "labelled items one after the other, as an `async *items(count)` yields them";
const SCORE = "{ correct: true or false, partsCorrect: a number, parts: a number }";

/** The function as it is, but for what it throws and whether its result is right. */
function wrap<A extends unknown[], R>(
  folder: string,
  owner: unknown,
  run: (...args: A) => R,
  what: string,
  check: Check,
): (...args: A) => R {
  const requireRight = (result: unknown): unknown => {
    const wanted = check(result);
    if (wanted === null) return result;
    throw new PipelineCodeError(`${what} must give ${wanted}, and gave ${describe(result)}`, []);
  };
  return (...args) => {
    try {
      const result = run.apply(owner, args);
      if (!(result instanceof Promise)) return requireRight(result) as R;
      return result.then(requireRight, (thrown: unknown) => {
        throw blame(folder, what, thrown);
      }) as R;
    } catch (thrown) {
      throw blame(folder, what, thrown);
    }
  };
}

/** Items come one by one: what gives them may fail at any of them. */
function wrapItems(folder: string, owner: unknown, give: Evaluation["items"], what: string): Evaluation["items"] {
  const giveRight = wrap(folder, owner, give, what, mustBe(ITEMS, isIterable));
  return async function* items(count) {
    try {
      yield* giveRight(count);
    } catch (thrown) {
      throw blame(folder, what, thrown);
    }
  };
}

/** Errors by which the code refuses a wrong request are for the client, and pass as they are. */
function blame(folder: string, what: string, thrown: unknown): unknown {
  if (thrown instanceof VariscaleError || refusesRequest(thrown)) return thrown;
  const frames = (thrown instanceof Error ? (thrown.stack ?? "") : "").split("\n").map(line => line.trim());
  const own = frames.flatMap(frame => {
    const path = readablePath(frame);
    return frame.startsWith("at ") && path.includes(folder) ? [path] : [];
  });
  const place = /([^/\\(]+:\d+):\d+\)?$/.exec(own[0] ?? "")?.[1];
  const name = thrown instanceof Error && thrown.name !== "Error" ? `${thrown.name}: ` : "";
  const { message } = VariscaleError.from(thrown);
  return new PipelineCodeError(`${what} failed${place ? ` at ${place}` : ""}: ${name}${message}`, own, thrown);
}

/** Whether `decode` refuses a request by what it threw. The code may be of another package, which has no error class of ours. */
export function refusesRequest(thrown: unknown): thrown is Error {
  return thrown instanceof Error && "code" in thrown && thrown.code === "invalid_argument";
}

/** A frame of a stack with a path in the place of a file's URL. */
function readablePath(frame: string): string {
  return frame.replace(/file:\/\/\/[^\s)]+?(?=:\d+:\d+)/, url => {
    try {
      return fileURLToPath(url);
    } catch {
      return url;
    }
  });
}

const takeAny: Check = () => null;

function mustBe(wanted: string, isRight: (value: unknown) => boolean): Check {
  return value => (isRight(value) ? null : wanted);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRows(value: unknown): boolean {
  return Array.isArray(value) && value.every(isObject);
}

function isBoolean(value: unknown): boolean {
  return typeof value === "boolean";
}

function isIterable(value: unknown): boolean {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function isScore(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { correct, partsCorrect, parts } = value;
  const areCounts = [partsCorrect, parts].every(
    count => typeof count === "number" && Number.isFinite(count) && count >= 0,
  );
  return isBoolean(correct) && areCounts;
}

/** A value in a message: what kind it is, and what is in it as far as that is short. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object")
    return `an object with ${Object.keys(value).slice(0, 8).join(", ") || "nothing in it"}`;
  return `${typeof value} \`${String(value).slice(0, 80)}\``;
}
