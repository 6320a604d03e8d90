import { number, percent } from "../explanation/number-text.ts";
import { accuracyText, sharesText, stagesText } from "../explanation/plan-text.ts";
import { element, svg } from "./element.ts";
import type { ExplainedDecision } from "./live-view.ts";
import { linear, px, ticks } from "./scale.ts";

const HEIGHT = 190;
const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 34;

interface Mark {
  readonly look: "front" | "mixed" | "chosen" | "heaviest";
  readonly cores: number;
  readonly accuracy: number;
  readonly text: string;
}

/** Every plan that is worth having at the load of a decision, the one that was chosen, and the heaviest variants. */
export function drawPareto(host: HTMLElement, { plan, analysis }: ExplainedDecision): void {
  // A scaler of an earlier version that leads does not say which mixes there are.
  const { front, mixes = [], heaviest, isWhole } = analysis;
  const marks: readonly Mark[] = [
    ...front.map(({ cores, accuracy, stages }): Mark => ({ look: "front", cores, accuracy, text: stagesText(stages) })),
    ...mixes.map(
      ({ cores, mix, stages }): Mark => ({
        look: "mixed",
        cores,
        accuracy: mix.accuracy,
        text: `${stagesText(stages)}, of which they serve at most ${sharesText(mix)}`,
      }),
    ),
    ...(heaviest.feasible
      ? [
          {
            look: "heaviest",
            cores: heaviest.cores,
            accuracy: heaviest.accuracy,
            text: heaviest.variants.join(" → "),
          } as const,
        ]
      : []),
    { look: "chosen", cores: plan.cores, accuracy: plan.accuracy, text: stagesText(plan.stages) },
  ];
  const width = Math.max(240, host.clientWidth);
  const [fromCores, toCores] = withRoom(marks.map(({ cores }) => cores));
  const [fromAccuracy, toAccuracy] = withRoom(marks.map(({ accuracy }) => accuracy));
  const x = linear(fromCores, toCores, LEFT, width - RIGHT);
  const y = linear(fromAccuracy, toAccuracy, HEIGHT - BOTTOM, TOP);
  const { isAccuracyKnown } = plan;
  const label = `Accuracy against cores at ${number(plan.rateRps)} requests per second: ${front.length} plans are worth having; chosen: ${number(plan.cores)} cores, accuracy ${accuracyText(plan)}`;
  const stairs = front.map(
    ({ cores, accuracy }, i) =>
      `${i === 0 ? "M" : `H${px(x(cores))}V`}${i === 0 ? `${px(x(cores))} ` : ""}${px(y(accuracy))}`,
  );
  const drawing = svg(
    "svg",
    { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
    ...ticks(fromAccuracy, toAccuracy).flatMap(value => [
      svg("path", { class: "grid", d: `M${LEFT} ${px(y(value))}H${width - RIGHT}` }),
      svg("text", { x: LEFT - 6, y: px(y(value) + 4), "text-anchor": "end" }, percent(value)),
    ]),
    ...ticks(fromCores, toCores).map(value =>
      svg("text", { x: px(x(value)), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, number(value)),
    ),
    svg("text", { x: px((LEFT + width - RIGHT) / 2), y: HEIGHT - 3, "text-anchor": "middle" }, "cores"),
    svg("path", { class: "line one", d: stairs.join("") }),
    ...marks.map(({ look, cores, accuracy, text }) =>
      svg(
        "circle",
        {
          class: `mark ${look}`,
          cx: px(x(cores)),
          cy: px(y(accuracy)),
          r: look === "front" || look === "mixed" ? 4 : 6,
        },
        svg(
          "title",
          {},
          `${NAMES[look]}: ${number(cores)} cores, accuracy ${accuracyText({ accuracy, isAccuracyKnown })}. ${text}`,
        ),
      ),
    ),
  );
  const note = isWhole ? "every plan that no other beats" : "not all plans, or not all proven";
  host.replaceChildren(
    drawing,
    element(
      "ul",
      { class: "legend" },
      key("front", note),
      ...(mixes.length > 0
        ? [key("mixed", "at most, with lighter variants where there is no time for heavier ones")]
        : []),
      key("chosen", "chosen"),
      ...(heaviest.feasible ? [key("heaviest", "heaviest variants, without limits")] : []),
    ),
    ...(heaviest.feasible
      ? []
      : [
          element(
            "p",
            { class: "hint" },
            "The heaviest variants can't keep the SLO at this load, with any number of replicas.",
          ),
        ]),
  );
}

const NAMES: Readonly<Record<Mark["look"], string>> = {
  front: "possible",
  mixed: "mixed",
  chosen: "chosen",
  heaviest: "heaviest",
};

function key(look: Mark["look"], text: string): HTMLElement {
  const mark = svg(
    "svg",
    { width: 14, height: 14, "aria-hidden": "true" },
    svg("circle", { class: `mark ${look}`, cx: 7, cy: 7, r: 4 }),
  );
  return element("li", {}, mark, ` ${text}`);
}

function withRoom(values: readonly number[]): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = most > least ? 0.08 * (most - least) : Math.max(0.1 * Math.abs(most), 0.01);
  return [Math.max(0, least - room), most + room];
}
