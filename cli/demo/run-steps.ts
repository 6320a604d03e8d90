import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import { packageFolder } from "../../runtime/version.ts";
import { OutputFile } from "./output-file.ts";
import type { Step } from "./start-to-end-steps.ts";

export interface StepResult {
  readonly name: string;
  readonly what: string;
  /** As a user would give them. */
  readonly commands: readonly string[];
  readonly seconds: number;
  /** Null: all went well. */
  readonly problem: string | null;
  /** What its commands printed, beside their progress: a file of the folder. */
  readonly output: string;
}

export interface RunStepsOptions {
  readonly folder: string;
  /** Takes a line about what is done next, and what came of it. */
  readonly say: (line: string) => void;
  /** Takes what commands print; their progress goes to standard error. */
  readonly print: (chunk: Buffer) => void;
}

/** Runs steps as commands in processes of their own, one at a time; what comes after one that failed still runs. */
export class StepRunner {
  readonly #options: RunStepsOptions;
  #running: ChildProcess | null = null;
  #isStopped = false;

  constructor(options: RunStepsOptions) {
    this.#options = options;
  }

  /** @throws VariscaleError failed_precondition where what is printed can't be kept; what runs then is ended before. */
  async run(steps: readonly Step[]): Promise<readonly StepResult[]> {
    const { say } = this.#options;
    const results: StepResult[] = [];
    for (const [i, step] of steps.entries()) {
      if (this.#isStopped) break;
      say(`\n[${i + 1}/${steps.length}] ${step.what}`);
      const result = await this.#runStep(step, `${i + 1}-${step.name}.txt`);
      results.push(result);
      say(`[${i + 1}/${steps.length}] ${result.problem ?? "done"}, ${result.seconds} s`);
    }
    return results;
  }

  /** Ends what runs, and starts nothing more. */
  stop(signal: NodeJS.Signals): void {
    this.#isStopped = true;
    this.#running?.kill(signal);
  }

  async #runStep({ name, what, commands }: Step, output: string): Promise<StepResult> {
    const { folder, say } = this.#options;
    const startMs = performance.now();
    const file = new OutputFile(join(folder, output));
    const keep = (data: string | Buffer): void => {
      file.write(data);
      if (file.problem) this.#running?.kill("SIGTERM");
    };
    const given: string[] = [];
    let problem: string | null = null;
    try {
      for (const args of commands()) {
        if (this.#isStopped) break;
        given.push(`variscale ${args.join(" ")}`);
        say(`$ ${given.at(-1)}`);
        keep(`$ ${given.at(-1)}\n`);
        if (file.problem) break;
        const code = await this.#runCommand(args, keep);
        if (file.problem) break;
        if (code !== 0) problem ??= `FAILED: variscale ${args[0]} ended with ${code}`;
      }
    } catch (error) {
      problem = `FAILED: ${VariscaleError.from(error).message}`;
    }
    file.close();
    if (file.problem) throw file.problem;
    return { name, what, commands: given, seconds: Math.round((performance.now() - startMs) / 1000), problem, output };
  }

  #runCommand(args: readonly string[], keep: (chunk: Buffer) => void): Promise<number | string> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [join(packageFolder, "dist/cli/main.js"), ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      this.#running = child;
      child.stdout.on("data", (chunk: Buffer) => {
        keep(chunk);
        this.#options.print(chunk);
      });
      child.once("error", reject);
      child.once("close", (code, signal) => {
        this.#running = null;
        resolve(code ?? signal ?? "unknown");
      });
    });
  }
}
