/** What a Prometheus is asked for a pipeline's load: series that count requests, or an expression that gives requests a second. */
export type LoadQuery =
  | { readonly kind: "counter"; readonly selector: string }
  | { readonly kind: "rate"; readonly expression: string };

/** A metric's name, matchers in braces, or both; quotes of the three kinds that PromQL has. */
const SELECTOR = /^(?:[a-zA-Z_:][\w:]*)?\s*(?:\{(?:[^"'`{}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?$/s;

/** Whether a PromQL text selects series and does nothing else with them: no function, no range, no offset. */
export function isSeriesSelector(text: string): boolean {
  const trimmed = text.trim();
  return trimmed !== "" && SELECTOR.test(trimmed);
}
