import { SWITCHER_AUDIENCE } from "../../scaler/token-review.ts";
import type { PodTemplate } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** How a scaler with `--switcher-identity tokenreview` knows its switchers, as it says over HTTP. */
export interface Identity {
  /** Those that switchers run as; empty: any. */
  readonly serviceAccounts: readonly string[];
  /** Tokens are for it; missing: the scaler is of an earlier version, which knows one alone. */
  readonly audience?: string | undefined;
  /** Why tokens are not reviewed; null: they are. */
  readonly problem: string | null;
}

/** A workload, and the pods that it makes. */
export interface Workload {
  /** For findings: `deployment shop/cards-detect`. */
  readonly where: string;
  readonly template: PodTemplate;
  /** `namespace/name`. */
  readonly pipeline: string;
  readonly stage: string;
}

type Container = PodTemplate["spec"]["containers"][number];

const TOKEN_FLAG = "--scaler-token-file";
const RECIPE = "`variscale manifests --switcher-identity tokenreview --image` and the chart write it right";

/** Whether tokens of switchers are reviewed. */
export function checkIdentity({ problem }: Identity, where: string): Finding {
  if (problem === null) return ok("switcher-identity", where, "has tokens of switchers reviewed");
  return fail(
    "switcher-identity",
    where,
    `can't have tokens of switchers reviewed, and takes no new ones: ${problem}`,
    "give its service account the right to create tokenreviews, in a ClusterRole: `variscale manifests --switcher-identity tokenreview`, or `switcher.identity: tokenReview` of the chart",
  );
}

/** Whether stages are bound to service accounts where nobody asks what switchers run as. */
export function checkBinding(bound: Readonly<Record<string, readonly string[]>>, where: string): Finding[] {
  const stages = Object.keys(bound).filter(stage => (bound[stage]?.length ?? 0) > 0);
  if (stages.length === 0) return [];
  return [
    warn(
      "switcher-identity",
      where,
      `binds ${stages.join(", ")} to service accounts, and the scaler does not ask what switchers run as`,
      "give the scaler --switcher-identity tokenreview, or `switcher.identity: tokenReview` of the chart",
    ),
  ];
}

/**
 * Whether stages are bound to service accounts that the scaler does not take: whoever runs it says which may be switchers, and a pipeline
 * chooses among these.
 *
 * @param serviceAccounts those that the scaler takes; empty: any.
 */
export function checkTaken(
  bound: Readonly<Record<string, readonly string[]>>,
  serviceAccounts: readonly string[],
  where: string,
): Finding[] {
  if (serviceAccounts.length === 0) return [];
  return Object.entries(bound).flatMap(([stage, accounts]) => {
    const missing = accounts.filter(account => !serviceAccounts.includes(account));
    if (missing.length === 0) return [];
    const isNoneLeft = missing.length === accounts.length;
    return (isNoneLeft ? fail : warn)(
      "switcher-identity",
      where,
      `binds stage \`${stage}\` to service accounts that the scaler does not take: ${missing.join(", ")}`,
      `add them to \`switcher.serviceAccounts\` of the chart, or give the scaler ${missing.map(account => `--switcher-service-account ${account}`).join(" ")}`,
    );
  });
}

/**
 * Whether the switchers of a workload show a token that the scaler takes; nothing of pods without a switcher.
 *
 * @param bound those that the stage is bound to; empty: none.
 */
export function checkSwitcherToken(
  { where, template, stage }: Workload,
  { serviceAccounts, audience = SWITCHER_AUDIENCE }: Pick<Identity, "serviceAccounts" | "audience">,
  bound: readonly string[],
): Finding[] {
  const { serviceAccountName } = template.spec;
  const switcher = findSwitcher(template);
  if (!switcher) return [];
  const account = serviceAccountName || "default";
  if (serviceAccounts.length > 0 && !serviceAccounts.includes(account))
    return [
      fail(
        "switcher-token",
        where,
        `its pods run as service account \`${account}\`, and the scaler takes switchers that run as ${serviceAccounts.join(", ")}`,
        `set serviceAccountName, or give the scaler --switcher-service-account ${account} (\`switcher.serviceAccounts\` of the chart)`,
      ),
    ];
  if (bound.length > 0 && !bound.includes(account))
    return [
      fail(
        "switcher-token",
        where,
        `its pods run as service account \`${account}\`, and switchers of stage \`${stage}\` run as ${bound.join(", ")}`,
        "set serviceAccountName, or add it to the stage's serviceAccounts in the pipeline file",
      ),
    ];
  const problem = problemOfToken(template, switcher, audience);
  if (problem !== null) return [fail("switcher-token", where, problem, RECIPE)];
  return [ok("switcher-token", where, `shows a token for the audience ${audience}, of ${account}`)];
}

/** What is wrong with the token that a switcher shows; null: nothing. */
function problemOfToken({ spec }: PodTemplate, switcher: Container, wanted: string): string | null {
  const tokensOf = (volume: string) =>
    (spec.volumes ?? [])
      .filter(({ name }) => name === volume)
      .flatMap(({ projected }) => projected?.sources ?? [])
      .flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
  const mounts = switcher.volumeMounts ?? [];
  const file = optionOf(switcher, TOKEN_FLAG);
  const mounted = mounts.flatMap(({ name, mountPath }) =>
    tokensOf(name).map(token => ({ ...token, file: `${mountPath.replace(/\/+$/, "")}/${token.path}` })),
  );
  if (file === null) {
    // Its configuration may name the file.
    if (mounted.some(({ audience }) => audience === wanted)) return null;
    return `container ${switcher.name} shows no token: it has neither ${TOKEN_FLAG} nor a projected token for the audience ${wanted}`;
  }
  const token = mounted.find(one => one.file === file);
  if (!token)
    return `${TOKEN_FLAG} of container ${switcher.name} is ${file}, where no projected service account token is mounted`;
  if (token.audience === wanted) return null;
  return `the token of container ${switcher.name} is for ${token.audience ? `the audience ${token.audience}` : "the API server"}, and the scaler takes those for ${wanted}`;
}

/** Whether pods of the template report to a scaler. */
export function hasSwitcher(template: PodTemplate): boolean {
  return findSwitcher(template) !== undefined;
}

function findSwitcher({ spec }: PodTemplate): Container | undefined {
  return [...spec.containers, ...(spec.initContainers ?? [])].find(isSwitcher);
}

function isSwitcher(container: Container): boolean {
  const words = wordsOf(container);
  return words.some(word => /(^|\/)(variant-)?switcher$/.test(word)) || optionOf(container, TOKEN_FLAG) !== null;
}

function wordsOf({ command, args }: Container): readonly string[] {
  return [...(command ?? []), ...(args ?? [])];
}

/** Its value, written `--name=value` or `--name value`; null: it is not there. */
function optionOf(container: Container, name: string): string | null {
  const words = wordsOf(container);
  const at = words.findIndex(word => word === name || word.startsWith(`${name}=`));
  const word = words[at];
  if (word === undefined) return null;
  return word === name ? (words[at + 1] ?? null) : word.slice(name.length + 1);
}
