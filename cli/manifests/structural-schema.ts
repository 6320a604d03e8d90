/** A node of JSON Schema, as zod writes it. */
type Node = Readonly<Record<string, unknown>>;

/** What both have and mean the same by. */
const SAME = [
  "type",
  "description",
  "enum",
  "pattern",
  "format",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "required",
] as const;
const CONVERTED = [
  "const",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "items",
  "properties",
  "default",
  "anyOf",
] as const;
/** Said by the reader of the object alone: of names that are not known the API server warns, and drops them. */
const LEFT_OUT = ["$schema", "additionalProperties", "propertyNames"] as const;
const KNOWN: readonly string[] = [...SAME, ...CONVERTED, ...LEFT_OUT];

/**
 * The structural OpenAPI schema of a CustomResourceDefinition that takes whatever the JSON Schema takes. What it can't say is left to the
 * reader of the object: alternatives (`anyOf`) of different types, names of a map's keys. Defaults are in descriptions, not in objects,
 * so that a later version may have others. Lists whose items are named are maps by name.
 *
 * Throws for a keyword that it does not know.
 */
export function structuralSchema(schema: Node): Node {
  for (const key of Object.keys(schema))
    if (!KNOWN.includes(key)) throw new Error(`JSON Schema's \`${key}\` has no place in a structural schema yet`);
  if (schema["anyOf"]) return { ...described(schema), "x-kubernetes-preserve-unknown-fields": true };
  const node: Record<string, unknown> = {};
  for (const key of SAME) if (schema[key] !== undefined) node[key] = schema[key];
  if (schema["const"] !== undefined) node["enum"] = [schema["const"]];
  return {
    ...node,
    ...boundsOf(schema),
    ...described(schema),
    ...(schema["type"] === "array" && listOf(schema["items"] as Node)),
    ...(schema["type"] === "object" && objectOf(schema)),
  };
}

function described({ description, default: value }: Node): Node {
  // An empty object says nothing: what is in it says its own.
  const isSaid = value !== undefined && JSON.stringify(value) !== "{}" && JSON.stringify(value) !== "[]";
  const texts = [
    description,
    isSaid ? `Default: ${typeof value === "string" ? `\`${value}\`` : JSON.stringify(value)}` : undefined,
  ].filter(text => text !== undefined);
  return texts.length === 0 ? {} : { description: texts.join(". ") };
}

/** OpenAPI 3.0 has a boolean for an exclusive bound; zod states the safe integers where nothing else is said. */
function boundsOf({ minimum, maximum, exclusiveMinimum }: Node): Node {
  return {
    ...(isBound(minimum) && { minimum }),
    ...(isBound(maximum) && { maximum }),
    ...(isBound(exclusiveMinimum) && { minimum: exclusiveMinimum, exclusiveMinimum: true }),
  };
}

function isBound(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}

function listOf(items: Node): Node {
  const required = (items["required"] ?? []) as readonly string[];
  const key = ["name", "type"].find(name => items["type"] === "object" && required.includes(name));
  const kind =
    key === undefined
      ? { "x-kubernetes-list-type": "atomic" }
      : { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] };
  return { items: structuralSchema(items), ...kind };
}

/** A map has a schema for its values and no names. */
function objectOf({ properties, additionalProperties }: Node): Node {
  if (properties)
    return {
      properties: Object.fromEntries(
        Object.entries(properties as Readonly<Record<string, Node>>).map(([name, of]) => [name, structuralSchema(of)]),
      ),
    };
  return typeof additionalProperties === "object"
    ? { additionalProperties: structuralSchema(additionalProperties as Node) }
    : {};
}
