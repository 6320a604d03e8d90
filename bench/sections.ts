/** Puts a section, which begins with a heading of the second level, into a page in the place of the one before of the same first word. */
export function withSection(page: string, section: string): string {
  const [head = "", ...sections] = page.split(/^(?=## )/m);
  const others = sections.filter(other => wordOf(other) !== wordOf(section)).map(other => other.trimEnd());
  const all = [...others, section.trimEnd()].toSorted();
  return `${[head.trimEnd(), ...all].join("\n\n")}\n`;
}

/** The section of this name, its heading included; empty: there is none. */
export function sectionNamed(page: string, name: string): string {
  return page.split(/^(?=## )/m).find(section => wordOf(section) === name) ?? "";
}

function wordOf(section: string): string {
  return /^## ([^\s:]+)/.exec(section)?.[1] ?? "";
}
