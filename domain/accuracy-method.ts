/** How the accuracy of a pipeline follows from that of its stages; optimizer/accuracy.ts has the formulas. */
export const ACCURACY_METHODS = ["table", "markov", "product", "rankSum"] as const;

export type AccuracyMethod = (typeof ACCURACY_METHODS)[number];
