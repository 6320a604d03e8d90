import { createHash } from "node:crypto";
import { inspect } from "node:util";
import type { LabelledItem } from "../gateway/stage.ts";

/** All of a label, in one line. */
const WHOLE = { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: Number.POSITIVE_INFINITY };

/**
 * What an item's result is kept by: another body or label is another item, whatever its name.
 *
 * @param set items that have drifted may have the names of those that have not.
 */
export function itemKey({ id, body, contentType, label }: LabelledItem, set = ""): string {
  const hash = createHash("sha256").update(body).update(contentType).update(inspect(label, WHOLE));
  return `${set}/${id} ${hash.digest("base64")}`;
}
