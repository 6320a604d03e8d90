import { type ErrorCode, VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";

/** Names that an error lists at most. */
const MOST_NAMES = 10;

/** What is found by its name, and its stages by theirs. */
interface Named {
  readonly key: PipelineKey;
  readonly stages: readonly { readonly name: string }[];
}

/** The pipelines of this scaler, found by namespace and name. Errors name what exists in that namespace, and nothing of others. */
export class PipelineCatalogue<P extends Named = Pipeline> {
  readonly #byKey = new Map<string, P>();
  readonly #watchers = new Set<(key: PipelineKey, isNew: boolean) => void>();

  /** Throws invalid_argument where there is one of that name. */
  add(pipeline: P): void {
    if (this.find(pipeline.key))
      throw new VariscaleError(
        "invalid_argument",
        `two pipelines are named ${formatKey(pipeline.key)}: rename one of them, or leave one out`,
      );
    this.replace(pipeline);
  }

  /** The one of that name is this one now. */
  replace(pipeline: P): void {
    const isNew = !this.find(pipeline.key);
    this.#byKey.set(formatKey(pipeline.key), pipeline);
    this.#tell(pipeline.key, isNew);
  }

  remove(key: PipelineKey): void {
    this.#byKey.delete(formatKey(key));
    this.#tell(key, false);
  }

  /** Calls `watcher` with every pipeline that comes (`isNew`), is replaced or goes from now on. */
  watch(watcher: (key: PipelineKey, isNew: boolean) => void): void {
    this.#watchers.add(watcher);
  }

  all(): readonly P[] {
    return [...this.#byKey.values()];
  }

  find(key: PipelineKey): P | undefined {
    return this.#byKey.get(formatKey(key));
  }

  /** Throws `code` where there is no such pipeline. */
  pipeline(key: PipelineKey, code: ErrorCode): P {
    const found = this.find(key);
    if (found) return found;
    const names = this.all()
      .filter(pipeline => pipeline.key.namespace === key.namespace)
      .map(pipeline => pipeline.key.name);
    const there =
      names.length === 0
        ? `there is none in namespace \`${key.namespace}\`: its pipeline must be given to this scaler, with this namespace`
        : `in namespace \`${key.namespace}\` there is: ${listed(names)}`;
    throw new VariscaleError(code, `unknown pipeline \`${key.name}\`; ${there}`);
  }

  /** Throws `code` where there is no such pipeline or stage. */
  stage(
    key: PipelineKey,
    name: string,
    code: ErrorCode,
  ): { readonly pipeline: P; readonly stage: P["stages"][number] } {
    const pipeline = this.pipeline(key, code);
    const stage = pipeline.stages.find(other => other.name === name);
    if (stage) return { pipeline, stage };
    const names = pipeline.stages.map(other => other.name);
    throw new VariscaleError(code, `pipeline \`${formatKey(key)}\` has no stage \`${name}\`; it has: ${listed(names)}`);
  }

  #tell(key: PipelineKey, isNew: boolean): void {
    for (const watcher of this.#watchers) watcher(key, isNew);
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(", ");
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
