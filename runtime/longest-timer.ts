/** Node's timers wait no longer, in ms, and take a longer time for none. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
