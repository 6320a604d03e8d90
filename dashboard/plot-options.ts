import type { AlignedData, Axis, Options, Series } from "uplot";
import type { Drawing } from "./charts.ts";
import { BAND_COLOUR, colourNow, LINE_WIDTH, LOOKS, type Look } from "./looks.ts";
import { ticks } from "./scale.ts";
import { MARGIN, minuteMarks, timeSpan } from "./time-axis.ts";
import { Plot } from "./uplot.ts";

const FONT = "12px system-ui, sans-serif";

/** Charts whose values differ alone have the same shape: one plot draws them all. */
export function shapeOf({ lines, band, level }: Drawing): string {
  const looks = lines.map(({ look, isStepped }) => [look, isStepped]);
  return JSON.stringify([looks, band !== undefined, level !== undefined, devicePixelRatio]);
}

/** For uPlot; what is drawn later lies above. */
export function plotOptions(drawing: Drawing, width: number): Options {
  const { height, lines, band, level, fromZero } = drawing;
  const edge = (): Series => ({ width: 0, points: { show: false } });
  return {
    width,
    height,
    padding: [MARGIN.top, MARGIN.right, 0, 0],
    legend: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    // It is put where the pointer is in any of the charts.
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: plot => timeSpan(timesOf(plot)) },
      y: { range: (_plot, least, most) => withRoom(least, most, fromZero) },
    },
    axes: [timeAxis(), valueAxis(drawing.format)],
    series: [
      {},
      ...(band ? [edge(), edge()] : []),
      ...(level ? [seriesOf("level")] : []),
      ...lines.map(({ look, isStepped }) => seriesOf(look, isStepped)),
    ],
    ...(band && { bands: [{ series: [1, 2], fill: () => colourNow(BAND_COLOUR) }] }),
  };
}

/** The columns of these options. A level goes from edge to edge also where points are of less time: an empty point is before them. */
export function plotData({ lines, band, level }: Drawing, atMs: readonly number[]): AlignedData {
  const [first] = timeSpan(atMs);
  const isShort = first < (atMs[0] ?? Number.POSITIVE_INFINITY);
  const column = (values: readonly (number | null)[], before: number | null = null): (number | null)[] =>
    isShort ? [before, ...values] : [...values];
  return [
    isShort ? [first, ...atMs] : [...atMs],
    ...(band ? [column(band.high), column(band.low)] : []),
    ...(level ? [column(new Array(atMs.length).fill(level.value), level.value)] : []),
    ...lines.map(({ values }) => column(values)),
  ];
}

function seriesOf(look: Look, isStepped = false): Series {
  const { colour, dash } = LOOKS[look];
  const stepped = isStepped ? Plot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    stroke: () => colourNow(colour),
    width: LINE_WIDTH,
    // Lengths of dashes are of the canvas, widths of lines are of the page.
    dash: dash.map(length => length * devicePixelRatio),
    points: { show: false },
    ...(stepped && { paths: stepped }),
  };
}

function timeAxis(): Axis {
  return {
    ...axis(),
    size: MARGIN.bottom,
    gap: 6,
    grid: { show: false },
    splits: plot => minuteMarks(timesOf(plot), plot.width).map(({ atMs }) => atMs),
    values: plot => minuteMarks(timesOf(plot), plot.width).map(({ text }) => text),
  };
}

function valueAxis(format: (value: number) => string): Axis {
  return {
    ...axis(),
    size: MARGIN.left,
    gap: 6,
    grid: { stroke: () => colourNow("--grid"), width: 1 },
    splits: (_plot, _axis, from, to) => [...ticks(from, to)],
    values: (_plot, splits) => splits.map(format),
  };
}

function axis(): Axis {
  return { stroke: () => colourNow("--soft"), font: FONT, ticks: { show: false } };
}

function timesOf({ data }: { readonly data: AlignedData }): readonly number[] {
  return [...(data[0] ?? [])];
}

/** Ends of values with a little room; what uPlot gives is null where there are none. */
function withRoom(least: number | null, most: number | null, fromZero: boolean): [number, number] {
  if (least === null || most === null) return [0, 1];
  const from = fromZero ? 0 : least;
  const room = most > from ? 0.08 * (most - from) : Math.max(0.05 * Math.abs(most), 0.01);
  return [fromZero ? 0 : least - room, most + room];
}
