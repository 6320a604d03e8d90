// The reference of the pipeline file, from docs/pipeline.schema.json, which domain/pipeline-schema.ts gives.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { table } from "./table.mjs";

export function pipelineFileReference(root) {
  const schema = JSON.parse(readFileSync(join(root, "docs/pipeline.schema.json"), "utf8"));
  return [
    "# Reference: the pipeline file",
    "",
    "Written from [pipeline.schema.json](../pipeline.schema.json) by `npm run build && node scripts/write-references.mjs`. Unknown fields are errors. Fields in **bold** must be",
    "there, `[]` is each entry of a list, `<name>` any key of a map. What the fields are for, step by step: [the tutorial](../tutorial.md).",
    "",
    table(["field", "type", "default", "what it is"], rowsOf(schema, "", true)),
  ].join("\n");
}

/** One line for each field, outer ones first. */
function rowsOf(schema, path, isRequired) {
  const own = path === "" ? [] : [lineOf(schema, path, isRequired)];
  return [...own, ...branchesOf(schema).flatMap(branch => childrenOf(branch, path))];
}

function childrenOf(schema, path) {
  const below = name => (path === "" ? name : `${path}.${name}`);
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    rowsOf(field, below(name), (schema.required ?? []).includes(name)),
  );
  const { items, additionalProperties: others } = schema;
  const entries = items?.properties || items?.anyOf ? childrenOf(items, `${path}[]`) : [];
  const map = others && typeof others === "object" ? rowsOf(others, below("<name>"), false) : [];
  return [...fields, ...entries, ...map];
}

function branchesOf(schema) {
  return schema.anyOf ?? schema.oneOf ?? [schema];
}

function lineOf(schema, path, isRequired) {
  const name = isRequired ? `**\`${path}\`**` : `\`${path}\``;
  const given = schema.default;
  const shown =
    given === undefined || (typeof given === "object" && given !== null) ? "" : `\`${JSON.stringify(given)}\``;
  return [name, typeOf(schema), shown, schema.description ?? ""];
}

function typeOf(schema) {
  const branches = branchesOf(schema);
  if (branches.length > 1) return branches.map(typeOf).join(" or ");
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return schema.enum.map(one => `\`${one}\``).join(", ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}${lengthOf(schema.minItems, schema.maxItems)}`;
  if (schema.type === "object") return schema.properties ? "object" : "map";
  if (schema.type === "string") return schema.pattern ? `string \`${schema.pattern}\`` : "string";
  return `${schema.type}${rangeOf(schema)}`;
}

function lengthOf(least, most) {
  if (least === undefined && most === undefined) return "";
  return `, ${least ?? 0} to ${most ?? "any number"}`;
}

/** The limits of JavaScript's whole numbers are none of the file's. */
function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const isLimit = value => value !== undefined && Math.abs(value) !== Number.MAX_SAFE_INTEGER;
  const parts = [
    isLimit(minimum) && `≥ ${minimum}`,
    isLimit(exclusiveMinimum) && `> ${exclusiveMinimum}`,
    isLimit(maximum) && `≤ ${maximum}`,
    isLimit(exclusiveMaximum) && `< ${exclusiveMaximum}`,
  ].filter(Boolean);
  return parts.length > 0 ? ` ${parts.join(", ")}` : "";
}
