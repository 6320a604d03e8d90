import type { Explanation, Price, StageChange } from "../optimizer/explain.ts";
import { number, points, signed } from "./number-text.ts";
import { mixText, partsText } from "./plan-text.ts";
import { BINDING_TEXT } from "./reason-text.ts";

/** What one step of something costs or gives, as one line. */
export function priceText(price: Price): string {
  const subject = {
    accuracy: "1 point more of accuracy",
    slo: `${number(-price.step)} ms less of the SLO, as accurate`,
    load: `${number(price.step)} rps more`,
    cores: `${coresText(-price.step)} less`,
    replica: `${coresText(price.step)} more, for a replica of ${price.stage}`,
  }[price.of];
  if (!price.feasible) return `${subject}: not to be had`;
  const costs = [
    ...(price.cores === 0 ? [] : [`cores ${signed(price.cores)}`]),
    ...(price.replicas === 0 ? [] : [`replicas ${signed(price.replicas)}`]),
  ];
  const effects = [
    ...(price.of === "replica" ? [] : costs),
    ...(Math.abs(price.accuracy) < 1e-6
      ? []
      : [`${price.of === "replica" ? "right answers" : "accuracy"} ${points(price.accuracy)}`]),
  ];
  return `${subject}: ${effects.length === 0 ? "nothing" : effects.join(", ")}`;
}

function coresText(count: number): string {
  return `${number(count)} ${count === 1 ? "core" : "cores"}`;
}

/** A line for each rate above the planned one: how the same replicas serve it. */
export function atMoreText(atMore: Explanation["atMore"]): readonly string[] {
  return atMore.map(({ rateRps, ...mix }) => `at ${number(rateRps)} rps ${mixText(mix)}`);
}

/** What became of what was served; null: nothing was. */
export function currentText({ changes, current }: Pick<Explanation, "changes" | "current">): string | null {
  if (!current) return null;
  // Without a constraint that binds it is one of these that it does not fit.
  const broken =
    current.binding === "none" ? "a pin, an exclusion or a bound of replicas" : BINDING_TEXT[current.binding];
  const state = current.feasible
    ? `would still hold, with an objective of ${current.objective.toPrecision(6)}`
    : `no longer holds: it breaks ${broken}`;
  return `what is served now ${changes.length === 0 ? "stays" : state}`;
}

export function changeText({ stage, from, to }: StageChange): string {
  return `${stage}: ${partsText(from)} → ${partsText(to)}`;
}
