import { VariscaleError } from "../domain/errors.ts";
import { withoutCredentials } from "../runtime/http-address.ts";
import type { LoadSourceOptions } from "../scaler/load-sources.ts";
import { PROMETHEUS_SCHEME, type PrometheusOptions, parsePrometheusUrl } from "../scaler/prometheus-options.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `name=url` of `--load-source`. A Prometheus's user name and password come from VARISCALE_NAME_USERNAME and
 * VARISCALE_NAME_PASSWORD, with the source's name in capitals and `_` for everything else.
 *
 * @throws VariscaleError invalid_argument.
 */
export function parseLoadSource(pair: string, environment: Environment): [name: string, source: LoadSourceOptions] {
  const at = pair.indexOf("=");
  const [name, url] = [pair.slice(0, Math.max(at, 0)), pair.slice(at + 1)];
  if (url.startsWith(PROMETHEUS_SCHEME) && name !== "")
    return [name, parsePrometheusUrl(url, basicAuthOf(name, environment))];
  if (name === "" || !URL.canParse(url))
    throw new VariscaleError(
      "invalid_argument",
      `--load-source ${withoutCredentials(pair)}: must be name=url, as in gateway=http://gateway:8090 or prometheus=prometheus+http://prometheus:9090`,
    );
  return [name, { kind: "gateway", url }];
}

function basicAuthOf(name: string, environment: Environment): PrometheusOptions["basicAuth"] {
  const prefix = `VARISCALE_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`;
  const [username, password] = [environment[`${prefix}_USERNAME`], environment[`${prefix}_PASSWORD`]];
  if (username === undefined && password === undefined) return null;
  if (username === undefined || password === undefined || username === "" || username.includes(":"))
    throw new VariscaleError(
      "invalid_argument",
      `load source \`${name}\`: ${prefix}_USERNAME and ${prefix}_PASSWORD must both be set, the user name not empty and without \`:\``,
    );
  return { username, password };
}
