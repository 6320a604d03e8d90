import { percent } from "./number-text.ts";

/** How far an estimate of accuracy is off under one drift. */
export interface JudgedEstimate {
  /** Mean absolute error over all combinations; `before` that of the accuracy that was measured without drift. */
  readonly error: number;
  readonly before: number;
  /** Combinations that it is off by more than half of what the accuracy measured without drift is, and how many there are. */
  readonly failing: number;
  readonly combinations: number;
}

/** In words under which drifts an estimate fails: where its mean error is above half of that of the accuracy measured without drift. */
export function failureText(estimate: string, byDrift: Readonly<Record<string, JudgedEstimate>>): string {
  const all = Object.entries(byDrift);
  const [failed, held] = [all.filter(([, one]) => isFailure(one)), all.filter(([, one]) => !isFailure(one))];
  const single = held.filter(([, { failing }]) => failing > 0);
  const parts = [
    failed.length === 0
      ? `${estimate} is off by at most half as much as what was measured before, on average under each drift`
      : `${estimate} fails under ${failed.map(([name, one]) => `${name} (${errorsText(one)}; ${shareText(one)})`).join(", ")}`,
    ...(single.length === 0
      ? []
      : [`for some combinations alone under ${single.map(([name, one]) => `${name} (${shareText(one)})`).join(", ")}`]),
  ];
  return `${parts.join("; ")}.`;
}

function isFailure({ error, before }: JudgedEstimate): boolean {
  return error > before / 2;
}

function errorsText({ error, before }: JudgedEstimate): string {
  return `off by ${percent(error)} where that is off by ${percent(before)}`;
}

function shareText({ failing, combinations }: JudgedEstimate): string {
  return `${failing} of ${combinations} combinations`;
}
