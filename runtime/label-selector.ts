import { z } from "zod";

const requirement = z.looseObject({
  key: z.string(),
  operator: z.string(),
  values: z.array(z.string()).nullish(),
});

/** How a Deployment or StatefulSet names its pods. */
export const labelSelectorSchema = z.looseObject({
  matchLabels: z.record(z.string(), z.string()).nullish(),
  matchExpressions: z.array(requirement).nullish(),
});

export type LabelSelector = z.output<typeof labelSelectorSchema>;

/** Whether an object with these labels is selected; an empty selector selects all, as Kubernetes has it. */
export function isSelected(labels: Readonly<Record<string, string>>, selector: LabelSelector): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return equal && (selector.matchExpressions ?? []).every(one => meets(labels[one.key], one));
}

function meets(value: string | undefined, { operator, values }: z.output<typeof requirement>): boolean {
  const isOne = value !== undefined && (values ?? []).includes(value);
  if (operator === "In") return isOne;
  if (operator === "NotIn") return !isOne;
  if (operator === "Exists") return value !== undefined;
  return operator === "DoesNotExist" && value === undefined;
}

/** The same as `labelSelector` of a list; null: it selects all there is, or says what can't be said there. */
export function labelQuery({ matchLabels, matchExpressions }: LabelSelector): string | null {
  const parts = [
    ...Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(matchExpressions ?? []).map(queryOf),
  ];
  return parts.length === 0 || parts.includes(null) ? null : parts.join(",");
}

function queryOf({ key, operator, values }: z.output<typeof requirement>): string | null {
  const list = (values ?? []).join(",");
  if (operator === "In") return `${key} in (${list})`;
  if (operator === "NotIn") return `${key} notin (${list})`;
  if (operator === "Exists") return key;
  return operator === "DoesNotExist" ? `!${key}` : null;
}
