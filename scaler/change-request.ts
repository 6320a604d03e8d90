import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";

/** Goes to logs and terminals: no control characters. */
const line = z.string().regex(/^\P{Cc}*$/u, "must be one line, without control characters");

/** Why something is changed, and who changes it by what the caller says of itself. */
export const changeNote = { reason: line.max(500).default(""), by: line.max(200).default("") };

/** @throws VariscaleError invalid_argument with everything that is wrong. */
export function parseRequest<S extends z.ZodObject>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issues = issuesOf(result.error, body, Object.keys(schema.shape));
  throw new VariscaleError("invalid_argument", issues.map(formatIssue).join(" "));
}
