/** A plain-text table: columns in `left` are aligned to the left, all others to the right. */
export function formatTable(
  header: readonly string[],
  lines: readonly (readonly string[])[],
  left: readonly number[],
): string {
  const widths = header.map((title, i) => Math.max(title.length, ...lines.map(line => (line[i] ?? "").length)));
  const format = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [header, widths.map(width => "-".repeat(width)), ...lines].map(format).join("\n");
}
