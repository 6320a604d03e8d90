/** A Markdown table; bars within cells are escaped. */
export function table(header, lines) {
  const row = cells => `| ${cells.map(cell => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [row(header), row(header.map(() => "---")), ...lines.map(row)].join("\n");
}
