import type UPlot from "uplot";

declare const uPlot: typeof UPlot;

/** uPlot, which draws charts of time: index.html loads its build for browsers, which is no module. */
export const Plot = uPlot;
