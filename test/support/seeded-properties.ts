import fc from "fast-check";

/**
 * Loaded before all tests: properties are checked with the same cases each time, so that a run tells the same as the one before.
 * Look for more with `VARISCALE_TEST_SEED=random npm test`, or with a number.
 */
const wanted = process.env["VARISCALE_TEST_SEED"] ?? "1";
const seed = wanted === "random" ? Math.floor(Math.random() * 0x7fffffff) : Number(wanted);
if (!Number.isSafeInteger(seed)) throw new Error(`VARISCALE_TEST_SEED is ${wanted}, not a whole number or "random"`);
fc.configureGlobal({ seed });
