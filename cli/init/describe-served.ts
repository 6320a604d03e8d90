import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { DATATYPES } from "../../domain/tensor.ts";
import { parseHttpAddress } from "../../runtime/http-address.ts";
import { fetchJson } from "../fetch-json.ts";
import { type DescribedModel, nameFrom } from "./described-model.ts";
import { contractOf } from "./tensor-contract.ts";

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 1024 * 1024;
const MOST_MODELS = 100;

const tensors = z
  .array(z.object({ name: z.string().min(1).max(255), datatype: z.enum(DATATYPES), shape: z.array(z.number()).max(8) }))
  .min(1)
  .max(32);
const metadataSchema = z.object({ name: z.string().min(1).max(1024), inputs: tensors, outputs: tensors });
const indexSchema = z.array(z.object({ name: z.string().min(1).max(1024) })).max(10_000);

/**
 * Asks a server of the Open Inference Protocol V2 for what its models take and give.
 *
 * @param url of the server, or of one of its models: `http://host:8000/v2/models/NAME`.
 * @throws VariscaleError invalid_argument, unavailable, or not_found where it has no model or does not tell which.
 */
export async function describeServed(url: string): Promise<readonly DescribedModel[]> {
  parseHttpAddress(url, {
    where: "--from-v2",
    example: "http://127.0.0.1:8000",
    isHttpsAllowed: true,
    credentials: "remove them",
  });
  const [, base = "", one] = /^(.*?)(?:\/v2(?:\/models\/([^/]+))?)?\/*$/.exec(url) ?? [];
  const names = one === undefined ? await modelsOf(base) : [decodeURIComponent(one)];
  const models: DescribedModel[] = [];
  for (const name of names) models.push(await describeModel(base, name));
  return models;
}

async function modelsOf(base: string): Promise<readonly string[]> {
  const { status, answer } = await ask("POST", `${base}/v2/repository/index`, {});
  const parsed = indexSchema.safeParse(answer);
  if (status !== 200 || !parsed.success)
    throw new VariscaleError(
      "not_found",
      `--from-v2 ${base}: the server does not tell which models it has (status ${status}): name each, as in ${base}/v2/models/NAME`,
    );
  const names = [...new Set(parsed.data.map(({ name }) => name))];
  if (names.length === 0) throw new VariscaleError("not_found", `--from-v2 ${base}: the server has no model`);
  if (names.length > MOST_MODELS)
    throw new VariscaleError(
      "invalid_argument",
      `--from-v2 ${base}: the server has ${names.length} models: name those that are wanted, as in ${base}/v2/models/NAME`,
    );
  return names;
}

async function describeModel(base: string, name: string): Promise<DescribedModel> {
  const url = `${base}/v2/models/${encodeURIComponent(name)}`;
  const { status, answer } = await ask("GET", url, null);
  const parsed = metadataSchema.safeParse(answer);
  if (status !== 200 || !parsed.success)
    throw new VariscaleError(
      "not_found",
      `--from-v2 ${url} gives no description of a model (status ${status}): is it loaded, and is the name right?`,
    );
  const described = (what: string, list: z.output<typeof tensors>) =>
    list.map(tensor =>
      contractOf(`--from-v2 ${url}: ${what} \`${tensor.name}\``, tensor.name, tensor.datatype, tensor.shape),
    );
  return {
    stage: null,
    name: nameFrom(name),
    inputs: described("input", parsed.data.inputs),
    outputs: described("output", parsed.data.outputs),
    source: { kind: "served", url: base, model: name },
  };
}

async function ask(
  method: string,
  url: string,
  body: object | null,
): Promise<{ readonly status: number; readonly answer: unknown }> {
  try {
    return await fetchJson(url, { method, body, timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES });
  } catch (error) {
    const rule = `--from-v2 ${url} does not answer: ${VariscaleError.from(error).message}. Is it the server's HTTP port?`;
    throw new VariscaleError("unavailable", rule, { cause: error });
  }
}
