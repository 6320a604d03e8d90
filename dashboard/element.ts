type Attributes = Readonly<Record<string, string | number>>;
type Child = Node | string;

const SVG = "http://www.w3.org/2000/svg";

/** A new element. Text becomes text nodes, never markup: names come from files that others wrote. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  return filled(document.createElementNS(SVG, tag) as SVGElement, attributes, children);
}

/** An element of the page that is always there. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/** Replaces the content of an element where `signature` is another one than last time, so that what did not change keeps its focus. */
export function renderOnChange(host: HTMLElement, signature: unknown, content: () => readonly Child[]): void {
  const text = JSON.stringify(signature);
  if (signatures.get(host) === text) return;
  signatures.set(host, text);
  host.replaceChildren(...content());
}

const signatures = new WeakMap<HTMLElement, string>();

function filled<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}
