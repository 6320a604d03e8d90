import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import type { EndpointTable } from "../../gateway/endpoint-source.ts";
import { type Gateway, type GatewayOptions, startGateway } from "../../gateway/gateway.ts";
import { definePipeline, type PipelineCode, type Row } from "../../gateway/stage.ts";
import { createLogger } from "../../runtime/logger.ts";

const stageText = (name: string) => `
    - name: ${name}
      contract:
        inputs: [{ name: x, datatype: UINT8, shape: [-1, 2] }]
        outputs: [{ name: y, datatype: FP32, shape: [-1, 1] }]
      defaultVariant: light
      variants:
        - { name: light, model: light.onnx, sha256: "${"0".repeat(64)}", profile: { cores: 1, points: [{ batch: 1, latencyMs: 1 }] } }
        - { name: heavy, model: heavy.onnx, sha256: "${"1".repeat(64)}", profile: { cores: 1, points: [{ batch: 1, latencyMs: 8 }] } }`;

/** Two stages, `count` and `read`, with two variants each. */
export function numberPipeline(latencyMs = 5000, extra = ""): Pipeline {
  const parsed = parsePipelineFile(
    `apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: numbers, namespace: test }
spec:
  slo: { latencyMs: ${latencyMs} }
  ${extra}
  stages:${stageText("count")}${stageText("read")}
`,
    () => null,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.pipeline;
}

export const stageOf = (pipeline: Pipeline, name: string): Stage => pipeline.stages.find(s => s.name === name)!;

export interface Numbers {
  readonly numbers: readonly number[];
  count: number;
  values: number[];
}

function rowOf(first: number, second: number): Row {
  return { x: { datatype: "UINT8", shape: [2], data: new Uint8Array([first, second]) } };
}

const yOf = (row: Row): number => Number(row["y"]?.data[0]);

/** A request `{numbers: [1, 2]}` has one row in `count` and one row for each number in `read`. */
export const numberCode: PipelineCode<Numbers> = definePipeline({
  decode: (body): Numbers => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(Buffer.from(body).toString());
    } catch {
      throw new VariscaleError("invalid_argument", "the body must be JSON");
    }
    const { numbers } = (parsed ?? {}) as { numbers?: unknown };
    if (!Array.isArray(numbers) || !numbers.every(Number.isInteger))
      throw new VariscaleError("invalid_argument", "`numbers` must be a list of whole numbers");
    return { numbers, count: -1, values: [] };
  },
  stages: {
    count: {
      rows: context => [rowOf(context.numbers.length % 256, 0)],
      collect: (context, [output]) => {
        context.count = output ? yOf(output) : -1;
      },
    },
    read: {
      rows: context => context.numbers.map(number => rowOf(number % 256, Math.floor(number / 256))),
      collect: (context, outputs) => {
        context.values = outputs.map(yOf);
      },
    },
  },
  respond: context => ({ count: context.count, values: context.values }),
});

export interface TestGateway {
  readonly gateway: Gateway;
  readonly url: string;
  setEndpoints(table: EndpointTable): void;
  post(body: unknown, headers?: Record<string, string>, signal?: AbortSignal): Promise<Response>;
}

/** A gateway whose endpoints the test sets. */
export async function startNumberGateway(
  table: EndpointTable,
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  let listener: (table: EndpointTable) => void = () => {};
  const gateway = await startGateway({
    pipeline: numberPipeline(),
    code: numberCode as PipelineCode,
    host: "127.0.0.1",
    port: 0,
    logger: createLogger("test", "silent"),
    endpoints: {
      follow: listen => {
        listener = listen;
        listen(table);
        return () => {};
      },
    },
    ...options,
  });
  const url = `http://127.0.0.1:${gateway.port}`;
  return {
    gateway,
    url,
    setEndpoints: next => listener(next),
    post: (body, headers = {}, signal) =>
      fetch(`${url}/v1/pipelines/test/numbers`, {
        method: "POST",
        body:
          typeof body === "string" ? body : body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body),
        headers,
        ...(signal ? { signal } : {}),
      }),
  };
}

/** Waits until `holds`. The time is for the case that it never does, and is long: no test fails for being slow. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const lastMs = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > lastMs) throw new Error(`never came true: ${holds}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
