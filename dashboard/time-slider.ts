import { clockText } from "./decision-panel.ts";
import { element } from "./element.ts";

export interface TimeListener {
  /** Called with the time of a point, and with null for the newest. */
  readonly onPoint: (atMs: number | null) => void;
  readonly onPress: (atMs: number) => void;
}

/** Points at a time of all charts by keyboard and by touch, as the pointer does above them. */
export class TimeSlider {
  readonly #input = element("input", { type: "range", id: "time", min: 0, step: 1 });
  readonly #text = element("output", { for: "time" });
  #atMs: readonly number[] = [];

  constructor(host: HTMLElement, { onPoint, onPress }: TimeListener) {
    const label = element("label", { for: "time" }, "values of");
    host.replaceChildren(label, this.#input, this.#text);
    this.#input.addEventListener("input", () => {
      const index = Number(this.#input.value);
      onPoint(index < this.#atMs.length - 1 ? (this.#atMs[index] ?? null) : null);
    });
    this.#input.addEventListener("keydown", ({ key }) => {
      const atMs = this.#atMs[Number(this.#input.value)];
      if (key === "Enter" && atMs !== undefined) onPress(atMs);
    });
  }

  show(atMs: readonly number[], pointedMs: number | null): void {
    this.#atMs = atMs;
    const newest = Math.max(0, atMs.length - 1);
    const index = pointedMs === null ? newest : atMs.indexOf(pointedMs);
    const text = pointedMs === null ? "now" : clockText(pointedMs);
    this.#input.max = String(newest);
    this.#input.value = String(index);
    this.#input.setAttribute("aria-valuetext", text);
    this.#text.textContent = text;
  }
}
