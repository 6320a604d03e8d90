import type { z } from "zod";

/** One thing wrong in a file: where, which value, which rule, and how to put it right. */
export interface FileIssue {
  readonly path: string;
  readonly value: string;
  readonly rule: string;
  readonly fix: string;
}

/** A file with more faults is told these: nobody reads more, and each one costs a comparison with every field that there is. */
const MOST_ISSUES = 100;
/** A longer key is no misspelt field. */
const LONGEST_FIELD = 64;

/** `spec.stages[1].variants[0].sha256`, as one would write it in code. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const key of path) text += typeof key === "number" ? `[${key}]` : text === "" ? String(key) : `.${String(key)}`;
  return text === "" ? "(top level)" : text;
}

export function formatIssue(issue: FileIssue): string {
  return `${issue.path}: ${issue.rule} (is: ${issue.value}). ${issue.fix}`;
}

/** The value at `path` as short text, for messages. */
export function showValue(root: unknown, path: readonly PropertyKey[]): string {
  let value: unknown = root;
  for (const key of path) {
    if (value === null || typeof value !== "object") return "missing";
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  if (value === undefined) return "missing";
  const text = typeof value === "number" ? String(value) : toJson(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // V8's own stack ends before that of the value.
    return "nested too deeply to be shown";
  }
}

/** Turns what the schema found into issues that name the fix. */
export function issuesOf(error: z.ZodError, root: unknown, knownKeys: readonly string[]): FileIssue[] {
  return error.issues
    .slice(0, MOST_ISSUES)
    .flatMap(issue => toIssues(issue, root, knownKeys))
    .slice(0, MOST_ISSUES);
}

function toIssues(issue: z.core.$ZodIssue, root: unknown, knownKeys: readonly string[]): FileIssue[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, MOST_ISSUES).map(key => {
      const path = [...issue.path, key];
      const near = nearest(key, knownKeys);
      const fix = near === null ? "Remove it." : `Did you mean \`${near}\`? Otherwise remove it.`;
      return { path: formatPath(path), value: showValue(root, path), rule: "unknown field", fix };
    });
  }
  if (issue.code === "invalid_union") {
    // The branch that got furthest knows best what is wrong.
    const depth = (branch: readonly z.core.$ZodIssue[]) => Math.max(0, ...branch.map(inner => inner.path.length));
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0];
    if (best?.length && depth(best) > 0) {
      return best.flatMap(inner =>
        toIssues({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, root, knownKeys),
      );
    }
  }
  const value = showValue(root, issue.path);
  const rule = value === "missing" ? "required field is missing" : lowerFirst(issue.message);
  return [{ path: formatPath(issue.path), value, rule, fix: fixFor(issue, root) }];
}

function fixFor(issue: z.core.$ZodIssue, root: unknown): string {
  const value = showValue(root, issue.path);
  const field = formatPath(issue.path.slice(-1));
  if (value === "missing") return `Add \`${field}\`.`;
  switch (issue.code) {
    case "invalid_type": {
      const withUnit = /^"\s*(-?\d+(?:\.\d+)?)\s*([a-zA-Z%µ]+)\s*"$/.exec(value);
      if (issue.expected === "number" && withUnit)
        return `Write a plain number in the unit that the field's name states, not \`${withUnit[2]}\`.`;
      return `Write a value of type ${issue.expected}.`;
    }
    case "too_small":
      return `Write ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}.`;
    case "too_big":
      return `Write ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}.`;
    case "invalid_value":
      return `Write one of: ${issue.values.map(String).join(", ")}.`;
    default:
      return "Correct the value.";
  }
}

/** The known key closest to `key`, if it is close: at most a third of its letters differ, or one starts with the other. */
export function nearest(key: string, known: readonly string[]): string | null {
  if (key.length > LONGEST_FIELD) return null;
  let best: string | null = null;
  let least = Math.floor(Math.max(key.length, 3) / 3) + 1;
  const lower = key.toLowerCase();
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const prefixed = lower.length >= 3 && (other.startsWith(lower) || lower.startsWith(other));
    const distance = prefixed ? 1 : editDistance(lower, other);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
