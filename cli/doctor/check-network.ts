import { z } from "zod";
import { isSelected, labelSelectorSchema } from "../../runtime/label-selector.ts";
import { type Finding, fail, ok } from "./finding.ts";

const selector = labelSelectorSchema.nullish();
const peers = z
  .array(z.looseObject({ podSelector: selector, namespaceSelector: selector, ipBlock: z.looseObject({}).nullish() }))
  .nullish();
const port = z.union([z.string(), z.number()]).nullish();
const ports = z.array(z.looseObject({ protocol: z.string().nullish(), port, endPort: z.number().nullish() })).nullish();

/** The part of a NetworkPolicy that is read. */
export const networkPolicySchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  spec: z.looseObject({
    podSelector: labelSelectorSchema.nullish(),
    policyTypes: z.array(z.string()).nullish(),
    ingress: z.array(z.looseObject({ from: peers, ports })).nullish(),
    egress: z.array(z.looseObject({ to: peers, ports })).nullish(),
  }),
});

export type NetworkPolicy = z.output<typeof networkPolicySchema>;

/** The pods of one kind, as policies select them. */
export interface NetworkPods {
  /** For findings: `KEDA's operator (deployment keda/keda-operator)`. */
  readonly what: string;
  readonly namespace: string;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** A port of the scaler's pods. */
export interface NetworkPort {
  readonly number: number;
  /** The container's name for it; null: it has none. */
  readonly name: string | null;
}

type Direction = "Ingress" | "Egress";

/** Whether NetworkPolicies let these pods reach a port of the scaler. An address block may be theirs or not, and counts as theirs. */
export function checkNetwork(
  policies: readonly NetworkPolicy[],
  callers: NetworkPods,
  scaler: NetworkPods,
  { number, name }: NetworkPort,
): Finding {
  const closedBy = [
    ...findClosed(policies, "Ingress", scaler, callers, { number, name }),
    ...findClosed(policies, "Egress", callers, scaler, { number, name }),
  ];
  if (closedBy.length === 0) return ok("network-policy", scaler.what, `lets ${callers.what} in at port ${number}`);
  const names = closedBy.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(", ");
  return fail(
    "network-policy",
    scaler.what,
    `${callers.what} can't reach port ${number}: no rule of these NetworkPolicies lets it through: ${names}`,
    "`networkPolicy.kedaNamespaceSelector`, `.kedaPodSelector` and `.switchersFrom` of the chart, or a rule of your own",
  );
}

/** The policies that select `own`, where none of them lets `other` through; empty: one does, or none selects it. */
function findClosed(
  policies: readonly NetworkPolicy[],
  direction: Direction,
  own: NetworkPods,
  other: NetworkPods,
  port: NetworkPort,
): readonly NetworkPolicy[] {
  const its = policies.filter(
    policy =>
      policy.metadata.namespace === own.namespace &&
      isOfDirection(policy, direction) &&
      isSelected(own.labels, policy.spec.podSelector ?? {}),
  );
  const isOpen = its.some(policy =>
    listRules(policy, direction).some(rule => takesPort(rule.ports, port) && takesPeer(rule.peers, own, other)),
  );
  return isOpen ? [] : its;
}

/** A policy without types is of what comes in, and of what goes out where it has rules for that. */
function isOfDirection({ spec }: NetworkPolicy, direction: Direction): boolean {
  const types = spec.policyTypes ?? ["Ingress", ...(spec.egress ? ["Egress"] : [])];
  return types.includes(direction);
}

interface Rule {
  readonly peers: z.output<typeof peers>;
  readonly ports: z.output<typeof ports>;
}

function listRules({ spec }: NetworkPolicy, direction: Direction): readonly Rule[] {
  if (direction === "Ingress") return (spec.ingress ?? []).map(rule => ({ peers: rule.from, ports: rule.ports }));
  return (spec.egress ?? []).map(rule => ({ peers: rule.to, ports: rule.ports }));
}

function takesPort(rules: Rule["ports"], { number, name }: NetworkPort): boolean {
  if (!rules || rules.length === 0) return true;
  return rules.some(rule => {
    if ((rule.protocol ?? "TCP") !== "TCP") return false;
    if (rule.port === null || rule.port === undefined) return true;
    if (typeof rule.port === "string") return rule.port === name;
    return number >= rule.port && number <= (rule.endPort ?? rule.port);
  });
}

function takesPeer(rules: Rule["peers"], own: NetworkPods, other: NetworkPods): boolean {
  if (!rules || rules.length === 0) return true;
  return rules.some(({ podSelector, namespaceSelector, ipBlock }) => {
    if (ipBlock) return true;
    const isOfNamespace = namespaceSelector
      ? isSelected(other.namespaceLabels, namespaceSelector)
      : other.namespace === own.namespace;
    return isOfNamespace && isSelected(other.labels, podSelector ?? {});
  });
}
