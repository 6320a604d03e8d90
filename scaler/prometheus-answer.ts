import { VariscaleError } from "../domain/errors.ts";

/** More series than this are more than anyone's load. */
const MOST_SERIES = 10_000;
const MOST_TEXT = 300;
const MOST_WARNINGS = 20;

/** A point as it came: the value may be NaN or infinite. */
export interface PrometheusPoint {
  readonly atMs: number;
  readonly value: number;
}

export interface PrometheusSeries {
  /** Its labels as text, the same for the same labels. */
  readonly labels: string;
  /** Later ones follow earlier ones. */
  readonly points: readonly PrometheusPoint[];
}

export interface PrometheusAnswer {
  /** A scalar is one series without labels. */
  readonly series: readonly PrometheusSeries[];
  readonly warnings: readonly string[];
}

/**
 * Reads an answer of Prometheus's HTTP API. @throws VariscaleError unavailable for whatever is none; its message has what Prometheus
 * said of the error.
 */
export function parseAnswer(text: string): PrometheusAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw broken("it is not JSON");
  }
  if (!isRecord(body)) throw broken("it is no object");
  if (body["status"] === "error")
    throw new VariscaleError("unavailable", `${clip(body["errorType"])}: ${clip(body["error"])}`);
  if (body["status"] !== "success") throw broken("its `status` is neither success nor error");
  const { data } = body;
  if (!isRecord(data)) throw broken("it has no `data`");
  return { series: seriesOf(data["resultType"], data["result"]), warnings: textsOf(body["warnings"]) };
}

/** What Prometheus says of an error, where the text is an answer with one; null: it is something else. */
export function errorOf(text: string): string | null {
  try {
    parseAnswer(text);
    return null;
  } catch (thrown) {
    const { message } = VariscaleError.from(thrown);
    return message.startsWith(BROKEN) ? null : message;
  }
}

function seriesOf(type: unknown, result: unknown): readonly PrometheusSeries[] {
  if (type === "scalar") return [{ labels: "{}", points: [pointOf(result)] }];
  if (type !== "matrix" && type !== "vector") throw broken(`a ${clip(type)} is no result that has rates`);
  if (!Array.isArray(result)) throw broken("its `result` is no list");
  if (result.length > MOST_SERIES)
    throw broken(`it has ${result.length} series, more than ${MOST_SERIES}: select fewer, or sum them up by a query`);
  return result.map(entry => {
    if (!isRecord(entry)) throw broken("a series is no object");
    const labels = labelsOf(entry["metric"]);
    if (type === "vector") return { labels, points: [pointOf(entry["value"])] };
    const values = entry["values"];
    if (!Array.isArray(values)) throw broken("a series has no `values`: only series of plain numbers can be read");
    return { labels, points: inOrder(values.map(pointOf)) };
  });
}

function pointOf(pair: unknown): PrometheusPoint {
  if (!Array.isArray(pair) || pair.length !== 2) throw broken("a point is no pair of time and value");
  const [seconds, value] = pair as unknown[];
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) throw broken("the time of a point is no number");
  if (typeof value !== "string") throw broken("the value of a point is no text");
  return { atMs: Math.round(seconds * 1000), value: numberOf(value) };
}

function numberOf(text: string): number {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return text.trim() === "" ? Number.NaN : Number(text);
}

function inOrder(points: readonly PrometheusPoint[]): readonly PrometheusPoint[] {
  if (points.every((point, i) => i === 0 || point.atMs >= (points[i - 1]?.atMs ?? 0))) return points;
  throw broken("the points of a series are not in the order of their times");
}

function labelsOf(metric: unknown): string {
  if (!isRecord(metric)) throw broken("a series has no `metric`");
  const pairs = Object.entries(metric).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `{${pairs.sort().join(",")}}`;
}

function textsOf(warnings: unknown): readonly string[] {
  return Array.isArray(warnings) ? warnings.slice(0, MOST_WARNINGS).map(clip) : [];
}

const BROKEN = "the answer is none of a Prometheus";

function broken(why: string): VariscaleError {
  return new VariscaleError("unavailable", `${BROKEN}: ${why}`);
}

/** A short text of what should be one, in one line. */
function clip(value: unknown): string {
  const text = (typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing")).replace(/\s+/g, " ");
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT - 1)}…` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
