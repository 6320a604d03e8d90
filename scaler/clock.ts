/** Time as the scaler sees it: the wall clock in production, one that a test moves by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Runs `run` every `periodMs` until the function that it returns is called. */
  every(periodMs: number, run: () => void): () => void;
  /** Runs `run` once, right after whatever has come in meanwhile. */
  soon(run: () => void): void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  every: (periodMs, run) => {
    const timer = setInterval(run, periodMs);
    return () => clearInterval(timer);
  },
  soon: run => {
    setImmediate(run);
  },
};
