import { type ClientDuplexStream, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../../../proto/generated/switcher.ts";
import type { Assignment__Output } from "../../../proto/generated/variscale/switcher/v1/Assignment.ts";
import type { Directive__Output } from "../../../proto/generated/variscale/switcher/v1/Directive.ts";
import type { Hello } from "../../../proto/generated/variscale/switcher/v1/Hello.ts";
import type { Status } from "../../../proto/generated/variscale/switcher/v1/Status.ts";
import type { SwitcherControlClient } from "../../../proto/generated/variscale/switcher/v1/SwitcherControl.ts";
import type { SwitcherReport } from "../../../proto/generated/variscale/switcher/v1/SwitcherReport.ts";
import { loadProto } from "../../../runtime/grpc.ts";
import { until } from "./manual-clock.ts";

const { SwitcherControl } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1;

const HELLO: Hello = {
  protocolVersions: [2],
  namespace: "shop",
  pipeline: "cards",
  stage: "detect",
  pod: "detect-0",
  address: "127.0.0.1:8000",
  softwareVersion: "0.2.0",
  cores: 1,
  memoryMib: 512,
  variant: "heavy",
  residentVariants: ["heavy", "light"],
  ready: true,
};

/** The client side of Follow, by hand. */
export class FakeSwitcher {
  readonly assignments: Assignment__Output[] = [];
  /** Where it was sent; null: nowhere. */
  redirect: string | null = null;
  /** What it answers when it is asked for its token; null: nothing, as earlier versions. */
  token: string | null;
  timesAsked = 0;
  /** How the stream ended; null: it is open. */
  ended: { readonly code: number; readonly details: string } | null = null;
  readonly hello: Hello;
  readonly #client: SwitcherControlClient;
  readonly #stream: ClientDuplexStream<SwitcherReport, Directive__Output>;

  /**
   * @param at host:port, or a port of this machine.
   * @param token what it shows; null: nothing.
   * @param contract the client's class of another version's contract.
   */
  constructor(
    at: number | string,
    hello: Partial<Hello> = {},
    greet = true,
    token: string | null = null,
    contract = SwitcherControl,
  ) {
    this.hello = { ...HELLO, ...hello };
    this.token = token;
    // Each switcher has a connection of its own.
    const options = { "grpc.use_local_subchannel_pool": 1 };
    const address = typeof at === "number" ? `127.0.0.1:${at}` : at;
    this.#client = new contract(address, credentials.createInsecure(), options);
    const metadata = new Metadata();
    if (token !== null) metadata.set("authorization", `Bearer ${token}`);
    this.#stream = this.#client.Follow(metadata);
    this.#stream.on("data", (directive: Directive__Output) => {
      if (directive.assignment) this.assignments.push(directive.assignment);
      if (directive.redirect) this.redirect = directive.redirect.address;
      if (!directive.showToken) return;
      this.timesAsked += 1;
      if (this.token !== null) this.send({ token: { value: this.token } });
    });
    this.#stream.on("status", ended => {
      this.ended = ended;
    });
    this.#stream.on("error", (_error: ServiceError) => undefined);
    if (greet) this.send({ hello: this.hello });
  }

  get newest(): Assignment__Output | undefined {
    return this.assignments.at(-1);
  }

  send(report: SwitcherReport): void {
    this.#stream.write(report);
  }

  /** Serves what it was told newest, as its next status says. */
  report(status: Partial<Status> = {}): void {
    this.send({
      status: {
        applied: this.newest?.version ?? null,
        variant: this.newest?.top ?? this.hello.variant ?? "",
        batch: this.newest?.rungs.find(({ variant }) => variant === this.newest?.top)?.maxBatch ?? 1,
        ready: true,
        residentVariants: ["heavy", "middle", "light"],
        ...status,
      },
    });
  }

  ack(): void {
    this.send({ ack: { version: this.newest?.version ?? null, switchMs: 3 } });
  }

  /** @param variant the rung that can't be served; empty: the top. */
  nack(code: string, version = this.newest?.version, variant = ""): void {
    this.send({ nack: { version: version ?? null, code, message: "no", variant } });
  }

  halfClose(): void {
    this.#stream.end();
  }

  async endedWith(): Promise<{ readonly code: number; readonly details: string }> {
    await until(() => this.ended !== null, "the end of the stream");
    return this.ended ?? { code: status.UNKNOWN, details: "" };
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}
