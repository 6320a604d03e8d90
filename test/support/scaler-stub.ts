import { type handleBidiStreamingCall, Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../../proto/generated/switcher.ts";
import type { Ack__Output } from "../../proto/generated/variscale/switcher/v1/Ack.ts";
import type { Assignment as AssignmentMessage } from "../../proto/generated/variscale/switcher/v1/Assignment.ts";
import type { Directive } from "../../proto/generated/variscale/switcher/v1/Directive.ts";
import type { Hello__Output } from "../../proto/generated/variscale/switcher/v1/Hello.ts";
import type { Nack__Output } from "../../proto/generated/variscale/switcher/v1/Nack.ts";
import type { Status__Output } from "../../proto/generated/variscale/switcher/v1/Status.ts";
import type { SwitcherReport__Output } from "../../proto/generated/variscale/switcher/v1/SwitcherReport.ts";
import { loadProto } from "../../runtime/grpc.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "./switcher-harness.ts";

const { SwitcherControl } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1;

type Call = ServerDuplexStream<SwitcherReport__Output, Directive>;

/** A real Follow server that does what the test says and remembers what it was told. */
export class ScalerStub {
  readonly address: string;
  readonly hellos: Hello__Output[] = [];
  readonly statuses: Status__Output[] = [];
  readonly acks: Ack__Output[] = [];
  readonly nacks: Nack__Output[] = [];
  /** What was shown when it was asked for. */
  readonly tokens: string[] = [];
  /** What each call showed. */
  readonly authorizations: unknown[] = [];
  /** Is sent as the answer to every hello. */
  onHello: Directive | null = null;
  calls: Call[] = [];
  ended = 0;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.address = `127.0.0.1:${port}`;
  }

  /** @param contract the client's class of another version's contract. */
  static async start(port = 0, contract = SwitcherControl): Promise<ScalerStub> {
    const server = new Server();
    let stub: ScalerStub | null = null;
    const Follow: handleBidiStreamingCall<SwitcherReport__Output, Directive> = call => stub?.accept(call);
    server.addService(contract.service, { Follow });
    const bound = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, given) =>
        error ? reject(error) : resolve(given),
      ),
    );
    stub = new ScalerStub(server, bound);
    return stub;
  }

  get port(): number {
    return Number(this.address.split(":")[1]);
  }

  accept(call: Call): void {
    this.calls.push(call);
    this.authorizations.push(...call.metadata.get("authorization"));
    call.on("data", (report: SwitcherReport__Output) => {
      if (report.hello) {
        this.hellos.push(report.hello);
        if (this.onHello) call.write(this.onHello);
      }
      if (report.status) this.statuses.push(report.status);
      if (report.token) this.tokens.push(report.token.value);
      if (report.ack) this.acks.push(report.ack);
      if (report.nack) this.nacks.push(report.nack);
    });
    call.on("error", () => undefined);
    call.on("end", () => {
      this.ended++;
      call.end();
    });
  }

  send(directive: Directive): void {
    this.calls.at(-1)?.write(directive);
  }

  assign(counter: number, above: ShortAssignment = {}): void {
    this.send({ assignment: assignmentMessage(counter, above) });
  }

  async untilConnected(): Promise<void> {
    await until(() => this.hellos.length > 0, "connected");
  }

  async untilAcked(counter: number): Promise<void> {
    await until(() => this.acks.some(ack => ack.version?.counter === counter), `acked ${counter}`);
  }

  async untilNacked(counter: number): Promise<Nack__Output> {
    const find = () => this.nacks.find(nack => nack.version?.counter === counter);
    await until(() => find() !== undefined, `nacked ${counter}`);
    return find()!;
  }

  /** Cuts every stream at once, as a crash does. */
  stop(): void {
    this.#server.forceShutdown();
  }
}

/** An Assignment in short: the variant that serves and its largest batch, with a lighter one below it where `floor` names one. */
export interface ShortAssignment extends AssignmentMessage {
  readonly batch?: number;
}

export function assignmentMessage(counter: number, above: ShortAssignment = {}): AssignmentMessage {
  const { batch = 4, top = "a", floor = top, ...others } = above;
  const rungs = [{ variant: top, maxBatch: batch }];
  if (floor !== top) rungs.push({ variant: floor, maxBatch: batch });
  return {
    version: { epoch: 1, counter },
    rungs,
    top,
    floor,
    budgetMs: 0,
    laterBudgetMs: 0,
    laterLeastMs: 0,
    headroom: 1,
    decisionId: `d${counter}`,
    ...others,
  };
}

/** A real switcher with a folder of its own that follows a scaler, which tells it what the test wants. */
export class FollowingSwitcher {
  readonly folder: TestFolder;
  readonly scaler: ScalerStub;
  readonly switcher: TestSwitcher;

  private constructor(folder: TestFolder, scaler: ScalerStub, switcher: TestSwitcher) {
    this.folder = folder;
    this.scaler = scaler;
    this.switcher = switcher;
  }

  /** `configure` gives what its configuration has beside that of affineConfig(), for files in this folder. */
  static async start(configure: (folder: string) => Record<string, unknown>): Promise<FollowingSwitcher> {
    const folder = new TestFolder();
    const scaler = await ScalerStub.start();
    const config = { scalerAddress: scaler.address, ...configure(folder.path) };
    const switcher = await TestSwitcher.start(affineConfig(folder.path, config));
    await scaler.untilConnected();
    return new FollowingSwitcher(folder, scaler, switcher);
  }

  async close(): Promise<void> {
    await this.switcher.close();
    this.scaler.stop();
    this.folder.delete();
  }
}
