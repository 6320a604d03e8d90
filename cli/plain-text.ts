/** Text of others for a terminal: without the control characters that would move its cursor or colour it. */
export function plainText(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
