import type { LoadQuery } from "../domain/load-query.ts";
import type { PipelineKey } from "../domain/pipeline.ts";

/** A text as PromQL writes it, quotes included. */
function promqlText(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** The counter of offered requests that variscale's own gateway has. */
export function gatewayCounter({ namespace, name }: PipelineKey): LoadQuery {
  const matchers = `namespace=${promqlText(namespace)},pipeline=${promqlText(name)}`;
  return { kind: "counter", selector: `variscale_gateway_offered_requests_total{${matchers}}` };
}
