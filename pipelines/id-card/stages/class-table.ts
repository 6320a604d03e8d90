/** What the recognisers tell apart. Class 0 is the blank of CTC, so character i of this text is class i + 1. */
export const CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-/<: ,";

/** Steps of the class sequence that a recogniser gives for one line. */
export const STEPS = 40;
