import { DNS_NAME, DNS_NAME_RULE } from "../domain/pipeline.ts";
import { DATATYPES, type StageContract, type TensorContract } from "../domain/tensor.ts";
import { LOG_LEVELS } from "../runtime/logger.ts";
import type { AccuracyConfig } from "./accuracy-signals.ts";
import type { ServicePoint, SwitcherConfig, SwitcherVariant } from "./config.ts";
import { ConfigValue } from "./config-value.ts";
import type { GoldenCase } from "./golden.ts";
import { findSizeProblem, type NamedTensor } from "./raw-tensor.ts";

const NAME = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9])?$/;
const NAME_RULE = "must be a name of letters, digits, `-`, `.` and `_`";
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+):\d{1,5}$/;
const WILDCARDS = ["0.0.0.0", "::"];
const LOOPBACK = ["127.0.0.1", "::1", "localhost"];
const MODEL = /^(?!\/)(?!(.*[\\/])?\.\.([\\/]|$))[^\0]+$/;
const MODEL_RULE = "must be a path inside the model folder, without `..`";
const LOOPBACK_URL = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]):\d{1,5}\/?$/;
const MIB = 1024 * 1024;
const MEMBERS = [
  "pipeline",
  "stage",
  "pod",
  "contract",
  "variants",
  "defaultVariant",
  "modelFolder",
  "cores",
  "crowding",
  "memoryMiB",
  "host",
  "adminHost",
  "adminToken",
  "adminTlsFolder",
  "modelControl",
  "ports",
  "scalerAddress",
  "tlsFolder",
  "scalerTokenFile",
  "advertiseAddress",
  "stateFile",
  "modelClaims",
  "queue",
  "golden",
  "accuracy",
  "logLevel",
] as const;

/**
 * Reads a switcher's configuration from parsed JSON. Small and by hand, so that the switcher need not load a schema library.
 * Throws `invalid_argument` naming the member, its value and the rule.
 */
export function parseSwitcherConfig(value: unknown): SwitcherConfig {
  const members = new ConfigValue(value, "", "switcher configuration").object(MEMBERS);
  const pipeline = members.pipeline.object(["namespace", "name"]);
  const contract = parseContract(members.contract);
  const variants = members.variants.list(parseVariant, 1, 100);
  const names = variants.map(variant => variant.name);
  const real = variants.filter(({ driver }) => driver !== "emulated").map(({ name }) => name);
  if (new Set(names).size < names.length) members.variants.refuse("must not have two variants of the same name");
  const memoryMiB = members.memoryMiB.optional(memory => memory.number(1, 1e7), 1024);
  const address = (member: ConfigValue): string => member.text("must be host:port", ADDRESS);
  const config: SwitcherConfig = {
    pipeline: {
      namespace: pipeline.namespace.text(DNS_NAME_RULE, DNS_NAME),
      name: pipeline.name.text(DNS_NAME_RULE, DNS_NAME),
    },
    stage: members.stage.text(DNS_NAME_RULE, DNS_NAME),
    pod: members.pod.text(DNS_NAME_RULE, DNS_NAME),
    contract,
    variants,
    defaultVariant: members.defaultVariant.oneOf(names),
    modelFolder: members.modelFolder.text(),
    cores: members.cores.optional(cores => cores.number(0.01, 10_000), 1),
    crowding: members.crowding.optional(crowding => crowding.number(1, 100), 1),
    memoryMiB,
    host: members.host.optional(host => host.text(), "127.0.0.1"),
    adminHost: members.adminHost.optional(host => host.text(), "127.0.0.1"),
    adminToken: members.adminToken.optional(
      token =>
        token.text("must be at least 16 characters that a header can show: no blanks, ASCII", /^[\x21-\x7e]{16,}$/),
      null,
    ),
    adminTlsFolder: members.adminTlsFolder.optional(folder => folder.text(), null),
    modelControl: members.modelControl.optional(control => control.oneOf(["none", "explicit"]), "none"),
    ports: parsePorts(members.ports),
    scalerAddress: members.scalerAddress.optional(address, null),
    tlsFolder: members.tlsFolder.optional(folder => folder.text(), null),
    scalerTokenFile: members.scalerTokenFile.optional(file => file.text(), null),
    advertiseAddress: members.advertiseAddress.optional(address, null),
    stateFile: members.stateFile.optional(file => file.text(), null),
    modelClaims: members.modelClaims.optional(claims => claims.oneOf(["self", "parent"]), "self"),
    queue: parseQueue(members.queue, memoryMiB),
    golden: members.golden.optional(golden => golden.list(item => parseGolden(item, contract, real), 0, 100), []),
    accuracy: members.accuracy.optional(accuracy => parseAccuracy(accuracy, contract, names), null),
    logLevel: members.logLevel.optional(level => level.oneOf(LOG_LEVELS), "info"),
  };
  if (!LOOPBACK.includes(config.adminHost) && config.adminToken === null && config.adminTlsFolder === null)
    members.adminHost.refuse("must be a loopback address unless there is an adminToken or an adminTlsFolder");
  if (config.scalerAddress !== null && WILDCARDS.includes(config.host) && config.advertiseAddress === null)
    members.advertiseAddress.refuse(`must be given with the host ${config.host}, which is no address to reach it by`);
  return config;
}

function parseContract(value: ConfigValue): StageContract {
  const { inputs, outputs } = value.object(["inputs", "outputs"]);
  return { inputs: inputs.list(parseTensor, 1, 32), outputs: outputs.list(parseTensor, 1, 32) };
}

function parseTensor(value: ConfigValue): TensorContract {
  const tensor = value.object(["name", "datatype", "shape"]);
  const datatype = tensor.datatype.oneOf(DATATYPES);
  const shape = tensor.shape.list(dimension => dimension.integer(-1, 1e9), 1, 8);
  if (shape[0] !== -1) tensor.shape.refuse("must begin with -1, the batch");
  if (shape.includes(0)) tensor.shape.refuse("must not have a dimension of 0");
  return { name: tensor.name.text(), datatype, shape };
}

const CONFIDENCES = ["max", "mean", "softmax"] as const;
const DRIVERS = ["onnx", "remote", "emulated"] as const;
const VARIANT_MEMBERS = ["name", "driver", "model", "sha256", "url", "loadMs", "memoryMiB", "points"] as const;

function parseVariant(value: ConfigValue): SwitcherVariant {
  const variant = value.object(VARIANT_MEMBERS);
  const driver = variant.driver.optional(given => given.oneOf(DRIVERS), DRIVERS[0]);
  const only = (member: ConfigValue, of: SwitcherVariant["driver"], rule: string, pattern: RegExp): string | null => {
    if (driver === of) return member.text(rule, pattern);
    return member.isAbsent || of === "onnx" ? null : member.refuse(`is for the driver ${of} alone`);
  };
  const points = variant.points.optional(parsePoints, []);
  if (driver === "emulated" && points.length === 0)
    variant.points.refuse("must say how long the emulated batches take");
  return {
    name: variant.name.text(NAME_RULE, NAME),
    driver,
    model: driver === "onnx" ? variant.model.text(MODEL_RULE, MODEL) : variant.model.optional(name => name.text(), ""),
    sha256: only(variant.sha256, "onnx", "must be 64 lower-case hexadecimal digits", /^[0-9a-f]{64}$/),
    url: only(variant.url, "remote", "must be an http:// address on the loopback interface, with a port", LOOPBACK_URL),
    loadMs: variant.loadMs.optional(load => load.number(0, 1e7), null),
    memoryMiB: variant.memoryMiB.optional(memory => memory.number(0, 1e7), null),
    points,
  };
}

function parsePoints(value: ConfigValue): readonly ServicePoint[] {
  const points = value.list(
    item => {
      const point = item.object(["batch", "latencyMs", "scv"]);
      return {
        batch: point.batch.integer(1, 4096),
        latencyMs: point.latencyMs.number(1e-3, 1e7),
        scv: point.scv.optional(scv => scv.number(0, 100), 0),
      };
    },
    0,
    64,
  );
  if (points.some(({ batch }, i) => i > 0 && batch <= (points[i - 1]?.batch ?? 0)))
    value.refuse("must have its batches in ascending order");
  return points;
}

function parseAccuracy(value: ConfigValue, contract: StageContract, names: readonly string[]): AccuracyConfig {
  const accuracy = value.object(["output", "confidence", "thresholds", "range", "rowLength", "classes"]);
  const thresholds = accuracy.thresholds.optional(given => given.object(names), null);
  const number = (member: ConfigValue): number => member.number(-1e30, 1e30);
  const given = Object.entries(thresholds ?? {}).filter(([, threshold]) => !threshold.isAbsent);
  return {
    output: accuracy.output.oneOf(contract.outputs.map(({ name }) => name)),
    confidence: accuracy.confidence.optional(kind => kind.oneOf(CONFIDENCES), null),
    thresholds: Object.fromEntries(given.map(([name, threshold]) => [name, number(threshold)])),
    range: accuracy.range.optional(range => {
      const { min, max } = range.object(["min", "max"]);
      return { min: number(min), max: number(max) };
    }, null),
    rowLength: accuracy.rowLength.optional(length => length.integer(1, 1e9), null),
    classes: accuracy.classes.optional(classes => classes.oneOf([true, false]), false),
  };
}

function parsePorts(value: ConfigValue): SwitcherConfig["ports"] {
  const ports = value.optional(given => given.object(["http", "grpc", "admin", "metrics"]), null);
  const port = (member: ConfigValue | undefined, usual: number): number =>
    member ? member.optional(given => given.integer(0, 65_535), usual) : usual;
  return {
    http: port(ports?.http, 8000),
    grpc: port(ports?.grpc, 8001),
    admin: port(ports?.admin, 8002),
    metrics: port(ports?.metrics, 8003),
  };
}

/** By default an eighth of the memory, from 16 to 256 MiB, may wait. */
function parseQueue(value: ConfigValue, memoryMiB: number): SwitcherConfig["queue"] {
  const queue = value.optional(given => given.object(["maxRows", "maxBytes"]), null);
  const usualBytes = Math.min(256, Math.max(16, memoryMiB / 8)) * MIB;
  return {
    maxRows: queue?.maxRows.optional(rows => rows.integer(1, 1e6), null) ?? 1024,
    maxBytes: queue?.maxBytes.optional(bytes => bytes.integer(1, 2 ** 31), null) ?? usualBytes,
  };
}

function parseGolden(value: ConfigValue, contract: StageContract, names: readonly string[]): GoldenCase {
  const golden = value.object(["variant", "inputs", "outputs", "tolerance"]);
  return {
    variant: golden.variant.oneOf(names),
    inputs: golden.inputs.list(input => parseGoldenTensor(input, contract.inputs), 1, 32),
    outputs: golden.outputs.list(output => parseGoldenTensor(output, contract.outputs), 1, 32),
    tolerance: golden.tolerance.optional(tolerance => tolerance.number(0, 1e6), 1e-3),
  };
}

/** `data` is the tensor's bytes, little-endian, in base64. */
function parseGoldenTensor(value: ConfigValue, tensors: readonly TensorContract[]): NamedTensor {
  const tensor = value.object(["name", "shape", "data"]);
  const name = tensor.name.oneOf(tensors.map(known => known.name));
  const datatype = tensors.find(known => known.name === name)?.datatype;
  if (datatype === undefined) return tensor.name.refuse("must be a tensor of the contract");
  const shape = tensor.shape.list(dimension => dimension.integer(1, 1e9), 1, 8);
  const data = Buffer.from(tensor.data.text("must be base64", /^[A-Za-z0-9+/]+={0,2}$/), "base64");
  const golden = { name, datatype, shape, bytes: new Uint8Array(data) };
  if (findSizeProblem(golden) !== null) tensor.data.refuse(`must have the bytes of ${datatype} [${shape}]`);
  return golden;
}
