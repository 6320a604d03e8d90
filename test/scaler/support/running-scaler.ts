import { credentials, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import type { PipelineBoard } from "../../../control/board.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import type { ExternalScalerClient } from "../../../proto/generated/externalscaler/ExternalScaler.ts";
import type { GetMetricSpecResponse__Output } from "../../../proto/generated/externalscaler/GetMetricSpecResponse.ts";
import type { GetMetricsResponse__Output } from "../../../proto/generated/externalscaler/GetMetricsResponse.ts";
import type { IsActiveResponse__Output } from "../../../proto/generated/externalscaler/IsActiveResponse.ts";
import type { ProtoGrpcType } from "../../../proto/generated/externalscaler.ts";
import { loadProto } from "../../../runtime/grpc.ts";
import { createLogger } from "../../../runtime/logger.ts";
import { type Scaler, type ScalerOptions, startScaler } from "../../../scaler/main.ts";
import { FakeGateway } from "./fake-gateway.ts";
import { FakeSwitcher } from "./fake-switcher.ts";
import { ManualClock } from "./manual-clock.ts";
import { testPipeline } from "./test-pipeline.ts";

const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;

export interface Ref {
  readonly name: string;
  readonly namespace: string;
  readonly scalerMetadata: Record<string, string>;
}

/** A ScaledObject of stage `detect` of shop/cards. */
export function refOf(stage = "detect", more: Partial<Ref> = {}): Ref {
  return {
    name: `cards-${stage}`,
    namespace: "shop",
    scalerMetadata: { scalerAddress: "scaler:6000", pipeline: "cards", stage },
    ...more,
  };
}

/** KEDA's side of the contract. */
export class KedaClient {
  readonly raw: ExternalScalerClient;

  /** @param at host:port, or a port of this machine. */
  constructor(at: number | string, secured = credentials.createInsecure()) {
    // A channel of its own, so that every client opens its own connection.
    const options = { "grpc.use_local_subchannel_pool": 1 };
    this.raw = new ExternalScaler(typeof at === "number" ? `localhost:${at}` : at, secured, options);
  }

  spec(ref: Ref): Promise<GetMetricSpecResponse__Output> {
    return promised(done => this.raw.GetMetricSpec(ref, done));
  }

  metrics(ref: Ref, metricName = "variscale-cards-detect"): Promise<GetMetricsResponse__Output> {
    return promised(done => this.raw.GetMetrics({ scaledObjectRef: ref, metricName }, done));
  }

  isActive(ref: Ref): Promise<IsActiveResponse__Output> {
    return promised(done => this.raw.IsActive(ref, done));
  }

  async replicas(ref: Ref): Promise<number | undefined> {
    return (await this.metrics(ref)).metricValues[0]?.metricValueFloat;
  }
}

/** One open server stream: what came, and how it ended. */
export class Received<T> {
  readonly messages: T[] = [];
  ended: StatusObject | null = null;

  constructor(stream: NodeJS.EventEmitter) {
    stream.on("data", message => this.messages.push(message));
    stream.on("status", ended => {
      this.ended = ended;
    });
    stream.on("error", () => undefined);
  }
}

function promised<T>(call: (done: (error: ServiceError | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value as T))));
}

/** A scaler with a clock that is moved by hand, a gateway, and clients of all its ports. */
export class RunningScaler {
  readonly clock: ManualClock;
  readonly gateway: FakeGateway;
  readonly scaler: Scaler;
  readonly keda: KedaClient;
  readonly pipeline: Pipeline;
  readonly #switchers: FakeSwitcher[] = [];

  private constructor(clock: ManualClock, gateway: FakeGateway, scaler: Scaler, pipeline: Pipeline) {
    this.clock = clock;
    this.gateway = gateway;
    this.scaler = scaler;
    this.pipeline = pipeline;
    this.keda = new KedaClient(scaler.ports.keda);
  }

  static async start(options: Partial<ScalerOptions> = {}, clock = new ManualClock()): Promise<RunningScaler> {
    const gateway = await FakeGateway.start(clock);
    const pipelines = options.pipelines ?? [testPipeline()];
    const starting = startScaler({
      loadSources: { gateway: { kind: "gateway", url: gateway.url } },
      host: "127.0.0.1",
      ports: { keda: 0, switchers: 0, http: 0 },
      stateDir: null,
      machineCores: null,
      logger: createLogger("test", "silent"),
      clock,
      ...options,
      pipelines,
    });
    const scaler = await starting.catch(async (error: unknown) => {
      await gateway.close();
      throw error;
    });
    return new RunningScaler(clock, gateway, scaler, pipelines[0] as Pipeline);
  }

  get board(): PipelineBoard | null {
    return this.scaler.boards.latest(this.pipeline.key);
  }

  /** Lets seconds pass until the board is as wanted, a minute at most. */
  async runUntil(wanted: (board: PipelineBoard) => boolean, eachSecond: () => void = () => undefined): Promise<void> {
    for (let second = 0; second < 60; second++) {
      eachSecond();
      const answered = this.gateway.answered;
      await this.clock.advance(1000);
      for (let i = 0; i < 50 && this.gateway.answered === answered; i++) await new Promise(r => setTimeout(r, 1));
      await this.clock.advance(0);
      if (this.board && wanted(this.board)) return;
    }
    throw new Error(`a minute was not enough; the board is ${JSON.stringify(this.board)}`);
  }

  /** Runs until there is a plan for about this rate. */
  async planFor(rateRps: number): Promise<void> {
    this.gateway.rateRps = rateRps;
    await this.runUntil(({ plan, load }) => load?.rateRps === rateRps && (plan?.rateRps ?? 0) >= rateRps / 2);
  }

  switcher(hello: ConstructorParameters<typeof FakeSwitcher>[1] = {}, token: string | null = null): FakeSwitcher {
    const switcher = new FakeSwitcher(this.scaler.ports.switchers, hello, true, token);
    this.#switchers.push(switcher);
    return switcher;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.scaler.ports.http}${path}`;
  }

  async close(): Promise<void> {
    for (const switcher of this.#switchers) switcher.close();
    this.keda.raw.close();
    await this.scaler.close();
    await this.gateway.close();
  }
}
