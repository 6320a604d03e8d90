import { basename } from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { VariscaleError } from "../domain/errors.ts";
import { isSeriesSelector, type LoadQuery } from "../domain/load-query.ts";
import { generateLoad } from "../load/generate-load.ts";
import { hideZeroRuns } from "../load/hide-zero-runs.ts";
import { LOAD_KINDS, mixedLoad } from "../load/load-kinds.ts";
import { readLoadTable } from "../load/load-table.ts";
import type { LoadTrace } from "../load/load-trace.ts";
import { traceOf, VALUE_KINDS, type ValueKind } from "../load/table-trace.ts";
import { withoutCredentials } from "../runtime/http-address.ts";
import { parseDuration, parseNumber } from "./options.ts";
import { readLoadFile } from "./read-load-file.ts";

/** A user's load, wherever it comes from. */
export interface LoadInput {
  readonly name: string;
  readonly trace: LoadTrace;
}

export interface LoadInputFlags {
  readonly csv?: string;
  readonly prometheus?: string;
  readonly generate?: number;
  readonly column?: string;
  readonly values?: ValueKind;
  readonly silentAfter?: number;
  readonly counter?: string;
  readonly query?: string;
  readonly since: number;
  readonly kind: string;
  readonly days: number;
}

const KINDS = [...Object.keys(LOAD_KINDS), "mixed"];
const DAY_SECONDS = 86_400;

/** The options by which commands are given a load. */
export function addLoadInput(command: Command): Command {
  return command
    .option("--csv <file>", "a file with the load: a rate a line, or columns; - is standard input", takeOnce)
    .option("--column <name>", "of the file: column of the values, by its heading or number")
    .addOption(
      new Option(
        "--values <kind>",
        "of the file: requests a second, requests since the last line, a counter, or each line is a request",
      ).choices(VALUE_KINDS),
    )
    .option(
      "--silent-after <seconds>",
      "so many zeros in a row are a source that fell silent, not a load of zero",
      text => parseNumber(text, 1, DAY_SECONDS, true),
    )
    .option("--prometheus <url>", "a Prometheus, as http://host:9090 or with the options of a load source")
    .option("--counter <selector>", "of the Prometheus: series that count requests")
    .option("--query <expression>", "of the Prometheus: an expression of requests a second")
    .option(
      "--since <time>",
      "how much of the Prometheus's past is read, as 36h or 14d",
      parseDuration,
      14 * DAY_SECONDS,
    )
    .option("--generate <seed>", "a generated load", text => parseNumber(text, 0, 2 ** 32 - 1, true))
    .addOption(new Option("--kind <kind>", "of the generated load").choices(KINDS).default("web"))
    .option("--days <n>", "of the generated load", text => parseNumber(text, 0.05, 60), 14);
}

/** The last of several would win, and the others would be left out without a word. */
function takeOnce(value: string, before: string | undefined): string {
  if (before === undefined) return value;
  throw new InvalidArgumentError(`can be given once, and is given as ${before} already: put the loads into one file.`);
}

/**
 * @throws VariscaleError invalid_argument when it is given by none or by several ways, or the file is wrong; what reading throws.
 */
export async function readLoadInput(
  flags: LoadInputFlags,
  environment: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<LoadInput> {
  const given = [flags.csv, flags.prometheus, flags.generate].filter(value => value !== undefined);
  if (given.length !== 1)
    throw new VariscaleError(
      "invalid_argument",
      "give the load by one of --csv FILE, --prometheus URL and --generate SEED",
    );
  if (flags.generate !== undefined) return generated(flags.generate, flags);
  const input =
    flags.csv === undefined ? await fromPrometheus(flags, environment, say) : fromFile(flags.csv, flags, say);
  if (flags.silentAfter === undefined) return input;
  const { trace, hidden } = hideZeroRuns(input.trace, flags.silentAfter);
  say(`${input.name}: ${hidden} seconds of ${flags.silentAfter} zeros in a row or more are taken as missing`);
  return { ...input, trace };
}

function generated(seed: number, flags: LoadInputFlags): LoadInput {
  const spec = flags.kind === "mixed" ? mixedLoad(seed) : LOAD_KINDS[flags.kind as keyof typeof LOAD_KINDS];
  return { name: `${flags.kind} ${seed}`, trace: generateLoad(spec, Math.round(flags.days * DAY_SECONDS), seed) };
}

function fromFile(path: string, flags: LoadInputFlags, say: (line: string) => void): LoadInput {
  const name = path === "-" ? "standard input" : basename(path);
  const isEachLineARequest = flags.values === "requests";
  // Errors name the whole path: of /dev/null the last part alone says nothing.
  const fileName = path === "-" ? name : path;
  const table = readLoadTable(readLoadFile(path), fileName, { column: flags.column ?? null, isEachLineARequest });
  const { trace, notes } = traceOf(table, flags.values ?? null);
  // Two columns may also be numbers with a decimal comma.
  if (table.valueName === null && table.rows.some(({ time }) => time !== null) && !isEachLineARequest)
    say(`${name}: there is no heading, so the first column is taken for times`);
  for (const note of notes) say(`${name}: ${note}`);
  if (table.rows.every(({ time }) => time === null))
    say(`${name}: there are no times, so each line is taken for a second, and times are counted from the first`);
  return { name, trace };
}

async function fromPrometheus(
  flags: LoadInputFlags,
  environment: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<LoadInput> {
  const { openPrometheusClient } = await import("../scaler/prometheus-client.ts");
  const { readPast } = await import("../scaler/read-past.ts");
  const { parseLoadSource } = await import("./load-source.ts");
  const url = flags.prometheus ?? "";
  const [, source] = parseLoadSource(`prometheus=${url.startsWith("http") ? `prometheus+${url}` : url}`, environment);
  if (source.kind !== "prometheus")
    throw new VariscaleError(
      "invalid_argument",
      `--prometheus ${withoutCredentials(url)}: must be an address, as in http://prometheus:9090`,
    );
  const client = openPrometheusClient(source);
  const toMs = Math.floor(Date.now() / 1000) * 1000;
  let saidPercent = 0;
  try {
    const trace = await readPast({
      client,
      query: queryOf(flags),
      fromMs: toMs - flags.since * 1000,
      toMs,
      onProgress: share => {
        const percent = Math.floor(10 * share) * 10;
        if (percent > saidPercent) say(`${client.options.url}: ${percent} % read`);
        saidPercent = Math.max(saidPercent, percent);
      },
    });
    return { name: client.options.url, trace };
  } catch (thrown) {
    const { code, message } = VariscaleError.from(thrown);
    if (code !== "unavailable") throw thrown;
    throw new VariscaleError(
      code,
      `--prometheus ${client.options.url} can't be read: ${message}. Does it name a Prometheus that this machine reaches?`,
      { cause: thrown },
    );
  } finally {
    client.close();
  }
}

function queryOf(flags: LoadInputFlags): LoadQuery {
  if ((flags.counter === undefined) === (flags.query === undefined))
    throw new VariscaleError(
      "invalid_argument",
      "--prometheus needs one of --counter 'http_requests_total{…}' and --query 'sum(rate(…[1m]))'",
    );
  if (flags.query !== undefined) return { kind: "rate", expression: flags.query };
  const selector = flags.counter ?? "";
  if (!isSeriesSelector(selector))
    throw new VariscaleError(
      "invalid_argument",
      `--counter ${selector}: must select series and nothing else, as in http_requests_total{job="shop"}; for an expression use --query`,
    );
  return { kind: "counter", selector };
}
