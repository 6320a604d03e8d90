/** Environment variables with the paths that held-worker.ts looks at. */
export const LOADS = "VARISCALE_TEST_LOADS";
export const HOLD = "VARISCALE_TEST_HOLD";
