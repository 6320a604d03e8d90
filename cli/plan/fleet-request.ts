import { VariscaleError } from "../../domain/errors.ts";
import { MAX_RATE_RPS } from "../../domain/load.ts";
import { findStage, type Stage } from "../../domain/pipeline.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import type { NodeShape } from "../../optimizer/node-fit.ts";
import type { Problem } from "../../optimizer/problem.ts";
import type { SharedStage } from "../../optimizer/shared-setting.ts";
import { type ReadOptions, readPipeline } from "../../runtime/read-pipeline.ts";
import { checkProfiled } from "../check-profiled.ts";
import { problemFor } from "./plan-request.ts";

const MOST_NODES = 10_000;

/**
 * The problems of a fleet.
 *
 * @param members `PIPELINE=RPS` each.
 * @throws VariscaleError invalid_argument where one is not of that form, is named twice or can't be read, failed_precondition where one was not measured.
 */
export function readFleet(
  members: readonly string[],
  policy: PolicyName | undefined,
  options: ReadOptions,
): readonly Problem[] {
  const names = new Set<string>();
  return members.map(member => {
    const at = member.lastIndexOf("=");
    const rps = Number(member.slice(at + 1).trim() || Number.NaN);
    if (at < 1 || !(rps >= 0 && rps <= MAX_RATE_RPS))
      throw new VariscaleError("invalid_argument", `${member}: must be PIPELINE=RPS, such as pipelines/id-card=8`);
    const pipeline = readPipeline(member.slice(0, at), options);
    checkProfiled(pipeline, member.slice(0, at));
    const { name, namespace } = pipeline.key;
    if (names.size === names.add(`${namespace}/${name}`).size)
      throw new VariscaleError("invalid_argument", `${member}: the pipeline \`${name}\` is named twice`);
    return problemFor(pipeline, { rps, pin: [], exclude: [], vote: [], split: [], ...(policy && { policy }) });
  });
}

/**
 * The stage of this name of every pipeline that has one, as one stage.
 *
 * @throws VariscaleError invalid_argument where fewer than two pipelines have it, or what they say of it differs.
 */
export function readShared(problems: readonly Problem[], name: string): SharedStage {
  const members = problems.flatMap(({ pipeline }, problem) => {
    const stage = findStage(pipeline, name);
    return stage ? [{ problem, stage, pipeline: pipeline.key.name }] : [];
  });
  const [first, ...others] = members;
  if (!first || others.length === 0)
    throw new VariscaleError(
      "invalid_argument",
      `--share ${name}: two pipelines or more must have a stage of this name`,
    );
  for (const { stage, pipeline } of others)
    for (const [what, of] of IDENTITY)
      if (of(stage) !== of(first.stage))
        throw new VariscaleError(
          "invalid_argument",
          `--share ${name}: ${what} must be the same in all files; \`${pipeline}\` has ${of(stage)}, \`${first.pipeline}\` has ${of(first.stage)}`,
        );
  return { members: members.map(({ problem }) => ({ problem, stage: name })) };
}

/** What makes stages of two files the same stage. */
const IDENTITY: readonly (readonly [what: string, of: (stage: Stage) => string])[] = [
  ["cores", stage => String(stage.cores)],
  ["memoryMiB", stage => String(stage.memoryMiB)],
  ["replicas", ({ replicas }) => `${replicas.min} to ${replicas.max}`],
  [
    "the variants",
    stage => stage.variants.map(({ name, sha256 }) => `${name} (${(sha256 ?? "remote").slice(0, 8)})`).join(", "),
  ],
];

/**
 * @param texts `CORES,MIB` or `CORES,MIB,COUNT` each.
 * @throws VariscaleError invalid_argument.
 */
export function readNodes(texts: readonly string[]): readonly NodeShape[] {
  const nodes = texts.flatMap(text => {
    const numbers = text.split(",").map(part => Number(part.trim() || Number.NaN));
    const [cores = 0, memoryMiB = 0, count = 1] = numbers;
    const isRight = numbers.length >= 2 && numbers.length <= 3 && numbers.every(number => number > 0 && number < 1e9);
    if (!isRight || !Number.isInteger(count) || count > MOST_NODES)
      throw new VariscaleError(
        "invalid_argument",
        `--node ${text}: must be CORES,MIB or CORES,MIB,COUNT, such as 4,16384,3`,
      );
    return Array.from({ length: count }, (): NodeShape => ({ cores, memoryMiB }));
  });
  if (nodes.length > MOST_NODES)
    throw new VariscaleError("invalid_argument", `--node: no more than ${MOST_NODES} nodes`);
  return nodes;
}
