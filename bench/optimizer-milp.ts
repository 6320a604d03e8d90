import type { Highs } from "highs";
import * as highsModule from "highs";
import type { LabelOption, LabelProblem } from "../optimizer/label-problem.ts";

/** What HiGHS makes of a problem. */
export interface MilpSolution {
  /** Null: infeasible. */
  readonly objective: number | null;
  /** The option of every stage. */
  readonly options: readonly LabelOption[];
}

/** HiGHS as WebAssembly. Its types say that it is a CommonJS module; the file that Node imports is none. */
export function loadHighs(): Promise<Highs> {
  const load = highsModule.default as unknown as typeof highsModule.default.default;
  return load();
}

/** Gaps of 0 and the tightest tolerances that it takes. */
const EXACT = {
  output_flag: false,
  mip_rel_gap: 0,
  mip_abs_gap: 0,
  mip_feasibility_tolerance: 1e-10,
  primal_feasibility_tolerance: 1e-10,
  dual_feasibility_tolerance: 1e-10,
};

/** The problem with worth · Σ ln accuracy in the place of worth · Π accuracy: a linear objective. */
export function logProblem(problem: LabelProblem): LabelProblem {
  const logged = (option: LabelOption): LabelOption => ({ ...option, slope: 1, offset: Math.log(option.slope) });
  return {
    ...problem,
    start: 0,
    stages: problem.stages.map(stage => {
      const options = stage.optionsAt(stage.rows[0]).map(logged);
      return { ...stage, optionsAt: () => options };
    }),
  };
}

/** The mixed-integer program of a problem whose accuracy is a sum, in CPLEX's LP format: one binary for every stage and option. */
export function milpOf(problem: LabelProblem): string {
  return programOf(problem, name => ({
    terms: terms(problem, option => problem.worth * option.offset - option.price, name),
    more: [],
    bounds: [],
    binaries: [],
  }));
}

/**
 * The program with worth · Π accuracy: exp(Σ ln accuracy) is replaced by its chords between points that are `step` apart, which
 * are above it by at most worth · step² / 8. Its optimum is an upper bound.
 */
export function productMilpOf(problem: LabelProblem, step: number): string {
  const logs = problem.stages.map(stage => stage.optionsAt(stage.rows[0]).map(({ slope }) => Math.log(slope)));
  const lowest = logs.reduce((sum, stage) => sum + Math.min(...stage), 0);
  const segments = Math.ceil(-lowest / step);
  const from = Array.from({ length: segments + 1 }, (_, j) => lowest + (j * -lowest) / segments);
  return programOf(problem, name => {
    const pieces = from.slice(0, -1).map((low, j) => {
      const width = (from[j + 1] ?? 0) - low;
      return { low, width, slope: (Math.exp(low + width) - Math.exp(low)) / width };
    });
    return {
      terms: [
        ...terms(problem, option => -option.price, name),
        ...pieces.map(({ low }, j) => `${number(problem.worth * Math.exp(low))} y${j}`),
        ...pieces.map(({ slope }, j) => `${number(problem.worth * slope)} d${j}`),
      ],
      more: [
        `piece: ${pieces.map((_, j) => `+ y${j}`).join(" ")} = 1`,
        ...pieces.map(({ width }, j) => `part${j}: d${j} ${number(-width)} y${j} <= 0`),
        `log: ${pieces.map(({ low }, j) => `${number(low)} y${j} + d${j}`).join(" ")} ${terms(problem, option => -Math.log(option.slope), name).join(" ")} = 0`,
      ],
      bounds: pieces.map(({ width }, j) => `0 <= d${j} <= ${width}`),
      binaries: pieces.map((_, j) => `y${j}`),
    };
  });
}

export function solveMilp(highs: Highs, problem: LabelProblem, program: string): MilpSolution {
  const solution = highs.solve(program, EXACT);
  if (solution.Status === "Infeasible") return { objective: null, options: [] };
  if (solution.Status !== "Optimal") throw new Error(`HiGHS ended with ${solution.Status}`);
  const options = problem.stages.map((stage, k) => {
    const chosen = stage.optionsAt(stage.rows[0]).find((_, o) => (solution.Columns[`x${k}_${o}`]?.Primal ?? 0) > 0.5);
    if (!chosen) throw new Error(`HiGHS chose nothing for stage ${k}`);
    return chosen;
  });
  return { objective: solution.ObjectiveValue, options };
}

interface Parts {
  readonly terms: readonly string[];
  readonly more: readonly string[];
  readonly bounds: readonly string[];
  readonly binaries: readonly string[];
}

type Name = (k: number, o: number) => string;

function programOf(problem: LabelProblem, partsOf: (name: Name) => Parts): string {
  const name: Name = (k, o) => `x${k}_${o}`;
  const { terms: objective, more, bounds, binaries } = partsOf(name);
  const options = problem.stages.map(stage => stage.optionsAt(stage.rows[0]));
  const one = options.map((list, k) => `one${k}: ${list.map((_, o) => `+ ${name(k, o)}`).join(" ")} = 1`);
  const latency = pathsOf(problem).map((path, p) => {
    const onPath = terms(problem, option => option.latencyMs, name, path);
    return `path${p}: ${onPath.join(" ")} <= ${problem.latencyMs}`;
  });
  const uses = problem.limits.map(
    (limit, r) => `use${r}: ${terms(problem, option => option.uses[r] ?? 0, name).join(" ")} <= ${limit}`,
  );
  const names = options.flatMap((list, k) => list.map((_, o) => name(k, o)));
  return [
    "Maximize",
    ` value: ${objective.join(" ")}`,
    "Subject To",
    ...[...one, ...latency, ...uses, ...more].map(line => ` ${line}`),
    ...(bounds.length > 0 ? ["Bounds", ...bounds.map(line => ` ${line}`)] : []),
    "Binary",
    ...[...names, ...binaries].map(line => ` ${line}`),
    "End",
  ].join("\n");
}

/** One term for every option of the stages. */
function terms(
  problem: LabelProblem,
  weigh: (option: LabelOption) => number,
  name: Name,
  stages: readonly number[] = problem.stages.map((_, k) => k),
): string[] {
  return stages.flatMap(k => {
    const stage = problem.stages[k];
    return (stage?.optionsAt(stage.rows[0]) ?? []).map((option, o) => `${number(weigh(option))} ${name(k, o)}`);
  });
}

/** Every path from a first to a last stage. */
function pathsOf({ stages }: LabelProblem): number[][] {
  const onwards = (k: number): number[][] => {
    const next = stages.flatMap(({ after }, t) => (after.includes(k) ? [t] : []));
    return next.length === 0 ? [[k]] : next.flatMap(t => onwards(t).map(path => [k, ...path]));
  };
  return stages.flatMap(({ after }, k) => (after.length === 0 ? onwards(k) : []));
}

function number(value: number): string {
  return value < 0 ? `- ${-value}` : `+ ${value}`;
}
