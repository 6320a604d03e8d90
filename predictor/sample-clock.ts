const SECOND_MS = 1000;
/** So many samples in a row from before the newest one, each later than the last, mean that the clock was set back. */
const SET_BACK_SAMPLES = 5;
/** The range of Date. */
const LARGEST_TIME_MS = 8.64e15;

/** Where the samples of one source stand in time. */
export interface SampleClock {
  /** Time of the newest sample taken. */
  readonly newestAtMs: number;
  /** Nominal end of the second that it was put in: seconds follow each other without gaps although timers jitter. */
  readonly secondAtMs: number;
  /** The newest of the samples that came from before `newestAtMs`, and how many of them came in a row. */
  readonly early: { readonly atMs: number; readonly samples: number } | null;
}

/** `seconds`: how many seconds after the last sample taken this one belongs; 0 when it is to be left out. */
export interface Placed {
  readonly seconds: number;
  readonly clock: SampleClock | null;
}

/** Puts a sample's time into its second. Duplicates and samples out of order are left out, gaps are counted. */
export function placeSample(clock: SampleClock | null, atMs: number): Placed {
  if (!Number.isFinite(atMs) || Math.abs(atMs) > LARGEST_TIME_MS) return { seconds: 0, clock };
  if (clock === null) return { seconds: 1, clock: { newestAtMs: atMs, secondAtMs: atMs, early: null } };
  if (atMs <= clock.newestAtMs) return placeEarly(clock, atMs);
  const passed = Math.round((atMs - clock.newestAtMs) / SECOND_MS);
  const nominal = Math.round((atMs - clock.secondAtMs) / SECOND_MS);
  // Jitter may put two samples into one nominal second or leave one empty; only a lasting difference is drift.
  const seconds = passed === 0 || Math.abs(nominal - passed) <= 1 ? passed : Math.max(nominal, 0);
  if (seconds === 0) return { seconds, clock: { ...clock, early: null } };
  return { seconds, clock: { newestAtMs: atMs, secondAtMs: clock.secondAtMs + seconds * SECOND_MS, early: null } };
}

function placeEarly(clock: SampleClock, atMs: number): Placed {
  const samples = clock.early !== null && atMs > clock.early.atMs ? clock.early.samples + 1 : 1;
  if (samples < SET_BACK_SAMPLES) return { seconds: 0, clock: { ...clock, early: { atMs, samples } } };
  return { seconds: 1, clock: { newestAtMs: atMs, secondAtMs: atMs, early: null } };
}
