import { parse, stringify } from "yaml";
import { VariscaleError } from "./errors.ts";
import { readYaml } from "./pipeline-file.ts";

/**
 * A YAML text with fields replaced by `path=value` pairs (`spec.slo.latencyMs=800`, `spec.stages[0].cores=2`; the value is YAML).
 * A field that the schema does not know is found when the text is parsed.
 *
 * @throws VariscaleError invalid_argument for a pair of another form, or a path through something that is no object.
 */
export function setFields(text: string, pairs: readonly string[]): string {
  if (pairs.length === 0) return text;
  const read = readYaml(text);
  // A text that can't be read stays as it is: the parser of the file says what is wrong, and where.
  if (!read.ok) return text;
  for (const pair of pairs) setField(read.value, pair);
  return stringify(read.value);
}

function setField(document: unknown, pair: string): void {
  const at = pair.indexOf("=");
  const keys = pair
    .slice(0, Math.max(0, at))
    .split(/[.[\]]+/)
    .filter(key => key !== "");
  const last = keys.pop();
  if (last === undefined)
    throw new VariscaleError("invalid_argument", `--set ${pair}: must be path=value, as in spec.slo.latencyMs=800`);
  let node = document;
  for (const key of keys) {
    if (!isObject(node))
      throw new VariscaleError("invalid_argument", `--set ${pair}: there is no object at the path's \`${key}\``);
    if (!Object.hasOwn(node, key)) node[key] = {};
    node = node[key];
  }
  if (!isObject(node))
    throw new VariscaleError(
      "invalid_argument",
      `--set ${pair}: \`${last}\` can't be set in something that is no object`,
    );
  node[last] = parse(pair.slice(at + 1));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
