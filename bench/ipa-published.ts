/** Accuracy × 100 and cores. */
export type AccuracyAndCores = readonly [accuracy: number, cores: number];

export const IPA_LOADS = ["steady-low", "bursty", "fluctuating", "steady-high"] as const;
export type IpaLoad = (typeof IPA_LOADS)[number];

/**
 * Deciles (5 %, 15 % … 95 %) of the requests per second that are planned for in a run over 20 minutes: the peaks of the next 20 s, every
 * 10 s, of the excerpts of the Twitter trace that IPA names (August 2021, tweets per second over 8), as a perfect forecast has them.
 */
export const PEAK_RPS: Readonly<Record<IpaLoad, readonly number[]>> = {
  "steady-low": [6, 6, 6, 7, 7, 7, 7, 7, 8, 8],
  bursty: [6, 7, 7, 7, 8, 8, 16, 28, 30, 33],
  fluctuating: [7, 8, 10, 12, 17, 26, 28, 29, 32, 33],
  "steady-high": [31, 32, 32, 32, 32, 33, 33, 33, 33, 34],
};

export interface PublishedRun {
  readonly ipa: AccuracyAndCores;
  readonly fa2Low: AccuracyAndCores;
  readonly fa2High: AccuracyAndCores;
  readonly rim: AccuracyAndCores;
}

const run = (
  ipa: AccuracyAndCores,
  fa2Low: AccuracyAndCores,
  fa2High: AccuracyAndCores,
  rim: AccuracyAndCores,
): PublishedRun => ({ ipa, fa2Low, fa2High, rim });

/** Means over time that were read off the vector figures of IPA's revision, by pipeline and load. */
export const IPA_PUBLISHED: Readonly<Record<string, Readonly<Record<IpaLoad, PublishedRun>>>> = {
  video: {
    "steady-low": run([35.5, 4.06], [31.96, 4.06], [44.0, 8.0], [44.0, 12.1]),
    bursty: run([34.1, 5.6], [31.96, 5.6], [44.0, 11.9], [40.9, 12.1]),
    fluctuating: run([33.7, 6.5], [31.96, 6.5], [44.0, 14.0], [39.4, 12.1]),
    "steady-high": run([32.0, 10.1], [31.96, 10.1], [44.0, 20.8], [34.4, 12.1]),
  },
  "audio-qa": {
    "steady-low": run([48.8, 9.1], [45.4, 8.1], [53.9, 17.4], [48.7, 25.2]),
    bursty: run([52.0, 21.8], [45.4, 17.3], [53.9, 33.6], [52.6, 53.7]),
    fluctuating: run([51.0, 26.7], [45.4, 20.8], [53.9, 45.2], [51.8, 49.4]),
    "steady-high": run([48.8, 33.6], [45.4, 34.1], [53.9, 94.9], [48.8, 33.8]),
  },
  "audio-sent": {
    "steady-low": run([59.2, 15.9], [46.8, 8.0], [59.2, 18.9], [59.2, 45.2]),
    bursty: run([57.6, 22.3], [46.8, 15.2], [59.2, 32.3], [57.7, 52.4]),
    fluctuating: run([56.5, 26.5], [46.8, 19.3], [59.2, 43.9], [56.4, 46.2]),
    "steady-high": run([53.6, 30.5], [46.8, 30.6], [59.2, 94.2], [53.6, 32.7]),
  },
  "sum-qa": {
    "steady-low": run([30.3, 18.1], [24.9, 5.2], [30.7, 34.1], [30.2, 32.2]),
    bursty: run([29.0, 17.6], [24.9, 10.1], [30.7, 59], [29.3, 29.7]),
    fluctuating: run([27.5, 14.6], [24.9, 12.1], [30.7, 73.9], [28.7, 27.6]),
    "steady-high": run([26.8, 19.0], [24.9, 19.1], [30.7, 119], [26.8, 20.9]),
  },
  nlp: {
    "steady-low": run([12.65, 97.3], [10.65, 26], [12.69, 116], [10.65, 107]),
    bursty: run([12.0, 156.6], [10.65, 50.6], [12.69, 238], [10.65, 110]),
    fluctuating: run([11.7, 164.2], [10.65, 65.7], [12.69, 315], [10.65, 110]),
    "steady-high": run([10.65, 126.5], [10.65, 105], [12.69, 506], [10.65, 110]),
  },
};

/** Of accuracy × 100, as read off the figures. */
export const READING_ERROR = 0.3;
