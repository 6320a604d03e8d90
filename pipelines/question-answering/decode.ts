import { VariscaleError } from "../../domain/errors.ts";
import { MAX_QUESTION_LENGTH } from "./question.ts";

const TEXT_TYPES = ["", "text/plain", "application/octet-stream"];
const JSON_TYPE = "application/json";
const ADVICE = 'send the question as text/plain, or as application/json {"question": "…"}';

/**
 * The question of a request: the whole body as UTF-8, or `question` of a JSON object.
 * @throws VariscaleError `invalid_argument` for anything but a question of sensible length.
 */
export function decodeQuestion(body: Uint8Array, contentType: string): string {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== JSON_TYPE && !TEXT_TYPES.includes(type))
    throw invalid(`content type \`${type.slice(0, 100)}\` is neither text/plain nor ${JSON_TYPE}`);
  // A character has at most three bytes per UTF-16 unit; JSON may escape each with six.
  if (body.length > 6 * MAX_QUESTION_LENGTH + 100) throw invalid(`the body has ${body.length} bytes`);
  const text = textOf(body);
  const question = (type === JSON_TYPE ? questionIn(text) : text).normalize("NFC").trim();
  if (question.length > MAX_QUESTION_LENGTH)
    throw invalid(`the question has ${question.length} characters but at most ${MAX_QUESTION_LENGTH} are taken`);
  if (!/[\p{L}\p{N}]/u.test(question)) throw invalid("the question has no word");
  return question;
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (cause) {
    throw invalid(`the body (${body.length} bytes) is not UTF-8`, cause);
  }
}

function questionIn(json: string): string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw invalid("the body is not JSON", cause);
  }
  const question = (value as { question?: unknown } | null)?.question;
  if (typeof question !== "string") throw invalid("the body has no string `question`");
  return question;
}

function invalid(what: string, cause?: unknown): VariscaleError {
  return new VariscaleError("invalid_argument", `${what}: ${ADVICE}`, { cause });
}
