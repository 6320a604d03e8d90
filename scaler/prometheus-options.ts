import { VariscaleError } from "../domain/errors.ts";
import { withoutCredentials } from "../runtime/http-address.ts";

export const PROMETHEUS_SCHEME = "prometheus+";

/** A Prometheus, or whatever answers as one, that load is read from. */
export interface PrometheusOptions {
  readonly kind: "prometheus";
  /** Address without query and credentials; the API's paths are appended. */
  readonly url: string;
  /** Read anew for every query, so that a token that is rotated is followed. */
  readonly bearerTokenFile: string | null;
  readonly basicAuth: { readonly username: string; readonly password: string } | null;
  /** PEM; null: the certificates that Node trusts. */
  readonly caFile: string | null;
  /** Sent as X-Scope-OrgID. */
  readonly tenant: string | null;
  /** From a query to the last byte of its answer. */
  readonly timeoutMs: number;
  /** How much of the past is read at start. */
  readonly backfillMs: number;
  /** Between two points of a `query`, whole seconds; a `counter` is read at the scrapes themselves. */
  readonly stepMs: number;
}

interface NumberRule {
  readonly least: number;
  readonly most: number;
  readonly multipleOf: number;
  readonly default: number;
}

const NUMBERS = {
  timeoutMs: { least: 100, most: 60_000, multipleOf: 1, default: 5000 },
  backfillMs: { least: 0, most: 7_200_000, multipleOf: 1, default: 3_600_000 },
  stepMs: { least: 1000, most: 120_000, multipleOf: 1000, default: 5000 },
} as const satisfies Record<string, NumberRule>;
const TEXTS = ["bearerTokenFile", "caFile", "tenant"];

/**
 * Reads `prometheus+http://host:port/path?timeoutMs=…`.
 *
 * @throws VariscaleError invalid_argument that names the rule, and never a password.
 */
export function parsePrometheusUrl(text: string, basicAuth: PrometheusOptions["basicAuth"]): PrometheusOptions {
  const plain = text.slice(PROMETHEUS_SCHEME.length);
  const url = URL.canParse(plain) ? new URL(plain) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.hash !== "")
    throw invalid(
      `\`${withoutCredentials(text)}\` is no address: write prometheus+http://host:port or prometheus+https://…`,
    );
  if (url.username !== "" || url.password !== "")
    throw invalid(
      "credentials must not stand in the address, where others see them: give them by environment variables, or `bearerTokenFile`",
    );
  const known = [...Object.keys(NUMBERS), ...TEXTS];
  for (const name of new Set(url.searchParams.keys())) {
    if (!known.includes(name)) throw invalid(`there is no option \`${name}\`: it is one of ${known.join(", ")}`);
    if (url.searchParams.getAll(name).length > 1) throw invalid(`\`${name}\` is given more than once`);
    if (url.searchParams.get(name) === "") throw invalid(`\`${name}\` is empty: give a value, or leave it out`);
  }
  const option = (name: string): string | null => url.searchParams.get(name);
  if (basicAuth !== null && option("bearerTokenFile") !== null)
    throw invalid("it has both a bearer token and a user name: leave one of them out");
  if (option("caFile") !== null && url.protocol === "http:")
    throw invalid("`caFile` needs prometheus+https://, http has no certificate");
  return {
    kind: "prometheus",
    url: `${url.origin}${url.pathname.replace(/\/+$/, "")}`,
    bearerTokenFile: option("bearerTokenFile"),
    basicAuth,
    caFile: option("caFile"),
    tenant: headerText("tenant", option("tenant")),
    timeoutMs: numberOf("timeoutMs", option("timeoutMs")),
    backfillMs: numberOf("backfillMs", option("backfillMs")),
    stepMs: numberOf("stepMs", option("stepMs")),
  };
}

function numberOf(name: keyof typeof NUMBERS, text: string | null): number {
  const rule = NUMBERS[name];
  if (text === null) return rule.default;
  const value = Number(text);
  const isValue = /^\d+$/.test(text) && value >= rule.least && value <= rule.most && value % rule.multipleOf === 0;
  if (isValue) return value;
  const whole = rule.multipleOf === 1 ? "" : ` in steps of ${rule.multipleOf}`;
  throw invalid(`\`${name}\` is \`${text}\`: must be whole milliseconds from ${rule.least} to ${rule.most}${whole}`);
}

function headerText(name: string, text: string | null): string | null {
  if (text === null || /^[\x21-\x7e]{1,200}$/.test(text)) return text;
  throw invalid(`\`${name}\` must be 1 to 200 printable ASCII characters without spaces`);
}

function invalid(message: string): VariscaleError {
  return new VariscaleError("invalid_argument", `load source: ${message}`);
}
