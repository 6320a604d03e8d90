import { createHash, timingSafeEqual } from "node:crypto";

/** Whether an Authorization header shows the token; how long it takes says nothing of how much of it is right. */
export function showsToken(authorization: string | undefined, token: string): boolean {
  const shown = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return shown !== undefined && timingSafeEqual(digest(shown), digest(token));
}
