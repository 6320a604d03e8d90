import type UPlot from "uplot";
import type { Drawing } from "./charts.ts";
import { element } from "./element.ts";
import { bandMark, lineMark } from "./looks.ts";
import { plotData, plotOptions, shapeOf } from "./plot-options.ts";
import { MARGIN, timeScale } from "./time-axis.ts";
import { Plot } from "./uplot.ts";

const LEAST_WIDTH = 240;
/** Where the library's cursor is not seen. */
const AWAY = { left: -10, top: -10 };

interface Key {
  readonly mark: SVGElement;
  readonly name: string;
  readonly value: string;
}

/** A chart as wide as its place, and below it the names of its lines with their values. */
export class TimeChart {
  readonly #host: HTMLElement;
  readonly #names = element("ul", { class: "legend" });
  #plot: UPlot | null = null;
  #shape = "";
  #drawing: Drawing | null = null;
  #atMs: readonly number[] = [];

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  /**
   * Draws; `pointAt` tells the values.
   *
   * @param atMs times of the drawing's values, oldest first.
   */
  show(drawing: Drawing, atMs: readonly number[]): void {
    this.#drawing = drawing;
    this.#atMs = atMs;
    const width = Math.max(LEAST_WIDTH, this.#host.clientWidth);
    const { height } = drawing;
    const data = plotData(drawing, atMs);
    const shape = shapeOf(drawing);
    if (this.#plot && shape === this.#shape) {
      if (this.#plot.width !== width) this.#plot.setSize({ width, height });
      this.#plot.setData(data);
    } else {
      this.#plot?.destroy();
      this.#plot = new Plot(plotOptions(drawing, width), data);
      this.#plot.root.setAttribute("role", "img");
      this.#shape = shape;
      this.#host.replaceChildren(this.#plot.root, this.#names);
    }
  }

  /**
   * Shows where a time is, and the values of then, without drawing anew.
   *
   * @param pointedMs null: the values are the newest.
   */
  pointAt(pointedMs: number | null): void {
    const [plot, drawing, atMs] = [this.#plot, this.#drawing, this.#atMs];
    if (!plot || !drawing) return;
    const index = pointedMs === null ? -1 : atMs.indexOf(pointedMs);
    const left = timeScale(atMs, plot.width)(atMs.at(index) ?? 0) - MARGIN.left;
    plot.setCursor(index < 0 ? AWAY : { left, top: 0 }, false);
    const keys = keysOf(drawing, index);
    const text = keys.map(({ name, value }) => `${name}: ${value}`).join(", ");
    plot.root.setAttribute("aria-label", `${drawing.title}. ${text}`);
    const items = keys.map(({ mark, name, value }) => element("li", {}, mark, ` ${name} `, element("b", {}, value)));
    this.#names.replaceChildren(...items);
  }
}

/** @param index of the point whose values are told; -1: the newest. */
function keysOf({ lines, band, level, format }: Drawing, index: number): readonly Key[] {
  const textOf = (values: readonly (number | null)[]): string => {
    const value = values.at(index) ?? null;
    return value === null ? "–" : format(value);
  };
  return [
    ...lines.map(({ name, look, values }) => ({ mark: lineMark(look), name, value: textOf(values) })),
    ...(band ? [{ mark: bandMark(), name: band.name, value: `${textOf(band.low)} to ${textOf(band.high)}` }] : []),
    ...(level ? [{ mark: lineMark("level"), name: level.name, value: format(level.value) }] : []),
  ];
}
