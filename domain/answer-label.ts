import { z } from "zod";

const schema = z.strictObject({ requestId: z.string().min(1).max(200), right: z.boolean() });

/** What somebody found out about the answer to a request later. */
export type AnswerLabel = z.output<typeof schema>;

/** Null where it is none. */
export function answerLabelOf(value: unknown): AnswerLabel | null {
  return schema.safeParse(value).data ?? null;
}
