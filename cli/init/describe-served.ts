import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { DATATYPES } from "../../domain/tensor.ts";
import { parseHttpAddress } from "../../runtime/http-address.ts";
import { fetchJson } from "../fetch-json.ts";
import { plainText } from "../plain-text.ts";
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
 * Asks a server of the Open Inference Protocol V2 for what its models take and give. A model that the user named must be described; of all models of
 * a server those that can't be are left out, so that one of them does not stop the others.
 *
 * @param url of the server, or of one of its models: `http://host:8000/v2/models/NAME`.
 * @param say is told each model that is left out, and why.
 * @throws VariscaleError invalid_argument, unavailable, or not_found where it has no model or does not tell which.
 */
export async function describeServed(url: string, say: (line: string) => void): Promise<readonly DescribedModel[]> {
  parseHttpAddress(url, {
    where: "--from-v2",
    example: "http://127.0.0.1:8000",
    isHttpsAllowed: true,
    credentials: "remove them",
  });
  const [, base = "", one] = /^(.*?)(?:\/v2(?:\/models\/([^/]+))?)?\/*$/.exec(url) ?? [];
  if (one !== undefined) return [await describeModel(base, decodeName(url, one))];
  const models: DescribedModel[] = [];
  const reasons: string[] = [];
  for (const name of await listModels(base)) {
    try {
      models.push(await describeModel(base, name));
    } catch (error) {
      const { code, message } = VariscaleError.from(error);
      if (code === "unavailable") throw error;
      reasons.push(message.replace(/^--from-v2 /, ""));
    }
  }
  if (models.length === 0)
    throw new VariscaleError(
      "not_found",
      `--from-v2 ${base}: the server has these models, and none of them can be described:\n${reasons.map(line => `- ${line}`).join("\n")}`,
    );
  for (const reason of reasons) say(`left out: ${plainText(reason)}`);
  return models;
}

function decodeName(url: string, encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    const message = `--from-v2 ${url}: \`${encoded}\` is no encoded name of a model: write a percent sign as %25`;
    throw new VariscaleError("invalid_argument", message, { cause: error });
  }
}

async function listModels(base: string): Promise<readonly string[]> {
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
  if (status !== 200)
    throw new VariscaleError(
      "not_found",
      `--from-v2 ${url}: it is not loaded, or has another name (status ${status}): load it by \`curl -X POST ${base}/v2/repository/models/${encodeURIComponent(name)}/load\`, or correct the name`,
    );
  const parsed = metadataSchema.safeParse(answer);
  if (!parsed.success) throw new VariscaleError("not_found", `--from-v2 ${url}: ${explainMetadata(parsed.error)}`);
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

/** Says what the metadata of a model that is loaded lacks, and where it is written. */
function explainMetadata({ issues }: z.ZodError): string {
  const [issue] = issues;
  const path = issue?.path.join(".") ?? "";
  const lacks = /^(?:inputs|outputs)$/.test(path)
    ? `its metadata names no ${path}`
    : `its metadata has a wrong \`${path}\``;
  return `it is loaded, and ${lacks}: write name, datatype and shape of all \`inputs\` and \`outputs\` into the server's settings of the model (MLServer: model-settings.json, Triton: config.pbtxt)`;
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
