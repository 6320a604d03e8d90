import { VariscaleError } from "../../domain/errors.ts";
import { fetchJson } from "../fetch-json.ts";
import type { DescribedModel, ServedModel } from "./described-model.ts";

export interface MeasuredPoint {
  readonly batch: number;
  readonly latencyMs: number;
}

const BATCHES = [1, 2, 4, 8];
/** Of each batch size: requests one after another, at least so many and for so long. */
const LEAST_REQUESTS = 5;
const FOR_MS = 1000;
/** Not counted: the first ones warm the server up. */
const WARM_UP = 2;
const TIMEOUT_MS = 60_000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Median time of requests of zeros to a served model, one at a time, by batch size; the way over HTTP counts. Batch sizes that the
 * server refuses are left out.
 *
 * @throws VariscaleError failed_precondition where the model refuses even one row, or has free dimensions beside the batch.
 */
export async function measureServed(
  { inputs, source }: Pick<DescribedModel, "inputs"> & { readonly source: ServedModel },
  say: (line: string) => void,
): Promise<readonly MeasuredPoint[]> {
  const url = `${source.url}/v2/models/${encodeURIComponent(source.model)}/infer`;
  const fail = (why: string) => new VariscaleError("failed_precondition", `--measure: ${url} ${why}`);
  const free = inputs.find(({ datatype, shape }) => shape.slice(1).includes(-1) || datatype === "BYTES");
  if (free)
    throw fail(
      `can't be measured with zeros: input \`${free.name}\` has a free dimension or text. Leave --measure out`,
    );
  const points: MeasuredPoint[] = [];
  for (const batch of BATCHES) {
    const body = {
      inputs: inputs.map(({ name, datatype, shape }) => {
        const full = [batch, ...shape.slice(1)];
        const length = full.reduce((product, dimension) => product * dimension, 1);
        const zero = datatype === "BOOL" ? false : 0;
        return { name, datatype, shape: full, data: Array.from({ length }, () => zero) };
      }),
    };
    const request = { method: "POST", body, timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES };
    const times: number[] = [];
    const startedMs = performance.now();
    for (let i = 0; times.length < LEAST_REQUESTS || performance.now() - startedMs < FOR_MS; i++) {
      const sentMs = performance.now();
      const { status } = await fetchJson(url, request).catch((error: unknown) => {
        throw fail(`does not answer: ${VariscaleError.from(error).message}`);
      });
      if (status !== 200) {
        if (points.length === 0) throw fail(`answers ${status} to one row of zeros`);
        say(`${source.model}: batch ${batch} is refused with status ${status}`);
        return points;
      }
      if (i >= WARM_UP) times.push(performance.now() - sentMs);
    }
    const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
    // A larger batch takes no less time, but for chance.
    const latencyMs = Math.max(Number(median.toFixed(3)), points.at(-1)?.latencyMs ?? 0.001);
    points.push({ batch, latencyMs });
    say(`${source.model}: batch ${batch} takes ${latencyMs} ms`);
  }
  return points;
}
