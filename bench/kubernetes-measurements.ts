import type { KubernetesPart, KubernetesResults } from "./kubernetes-results.ts";

/** Of the parts that were asked for, one after the other; one that fails leaves the others be. */
export class KubernetesMeasurements {
  readonly #asked: readonly KubernetesPart[];
  #results: KubernetesResults = {};

  constructor(asked: readonly KubernetesPart[]) {
    this.#asked = asked;
  }

  get results(): KubernetesResults {
    return this.#results;
  }

  has(...parts: readonly KubernetesPart[]): boolean {
    return parts.some(part => this.#asked.includes(part));
  }

  async measure<P extends KubernetesPart>(part: P, work: () => Promise<KubernetesResults[P]>): Promise<void> {
    if (!this.has(part)) return;
    const startMs = performance.now();
    try {
      this.#results = { ...this.#results, [part]: await work() };
      process.stderr.write(`${part}: ${Math.round((performance.now() - startMs) / 1000)} s\n`);
    } catch (error) {
      this.fail(error, part);
    }
  }

  /** Of those of these parts that have no result. */
  fail(error: unknown, ...parts: readonly KubernetesPart[]): void {
    const problem = error instanceof Error ? error.message : String(error);
    const failed = parts.filter(part => this.has(part) && !(part in this.#results));
    const problems = Object.fromEntries(failed.map(part => [part, problem]));
    this.#results = { ...this.#results, problems: { ...problems, ...this.#results.problems } };
    process.stderr.write(`${failed.join(", ")}: ${problem}\n`);
  }
}
