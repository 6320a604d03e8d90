/** What one session of an agent may use up. */
export interface Budget {
  /** Of tools. */
  readonly calls: number;
  /** Of the model, in and out, as its endpoint counts them. */
  readonly tokens: number;
  readonly seconds: number;
}

export interface Spent {
  readonly calls: number;
  readonly tokens: number;
  readonly seconds: number;
}

/** What of a budget is used up; null: nothing is. */
export function overspent(budget: Budget, spent: Spent): keyof Budget | null {
  const keys = ["calls", "tokens", "seconds"] as const;
  return keys.find(key => spent[key] >= budget[key]) ?? null;
}
