/** A coordinate. */
export function px(value: number): string {
  return value.toFixed(1);
}

/** A number with four digits that count. */
export function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Text, as it may stand between tags and in quotes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, letter => `&#${letter.charCodeAt(0)};`);
}
