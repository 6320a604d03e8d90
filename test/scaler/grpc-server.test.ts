import assert from "node:assert/strict";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { service as healthService } from "grpc-health-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { loadProtoDefinition } from "../../runtime/grpc.ts";
import { CHANNEL_OPTIONS } from "../../runtime/grpc-server.ts";
import { until } from "./support/manual-clock.ts";
import { KedaClient, Received, RunningScaler, refOf } from "./support/running-scaler.ts";

type AnyMethod = MethodDefinition<object, object>;

const { Watch } = healthService as unknown as { Watch: AnyMethod };
const reflectionFolder = new URL("../proto/", import.meta.resolve("@grpc/reflection")).pathname;

function watch(client: Client, service: string): Received<{ readonly status: string }> {
  return new Received(
    client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { service }),
  );
}

describe("startGrpcServer()", () => {
  let running: RunningScaler;
  let client: Client;
  beforeEach(async () => {
    running = await RunningScaler.start();
    client = new Client(`127.0.0.1:${running.scaler.ports.keda}`, credentials.createInsecure());
  });
  afterEach(async () => {
    client.close();
    await running.close();
  });

  it("T26: stops although its health is watched: it says so, and ends the watch with OK", async () => {
    const watches = ["", "externalscaler.ExternalScaler"].map(service => watch(client, service));
    const unknown = watch(client, "other");
    await until(() => [...watches, unknown].every(one => one.messages.length === 1), "the first status");
    await running.scaler.close();
    await until(() => [...watches, unknown].every(one => one.ended !== null), "the end");
    for (const { messages, ended } of watches) {
      assert.deepEqual(messages, [{ status: "SERVING" }, { status: "NOT_SERVING" }]);
      assert.equal(ended?.code, status.OK);
    }
    assert.deepEqual(unknown.messages, [{ status: "SERVICE_UNKNOWN" }]);
  });

  for (const version of ["v1", "v1alpha"]) {
    it(`is described by reflection ${version} as the .proto file has it, and shuts down although someone still asks`, async () => {
      const definition = loadSync(`grpc/reflection/${version}/reflection.proto`, {
        includeDirs: [reflectionFolder],
        defaults: true,
        oneofs: true,
      });
      const { ServerReflectionInfo } = definition[`grpc.reflection.${version}.ServerReflection`] as unknown as {
        ServerReflectionInfo: AnyMethod;
      };
      const { path, requestSerialize, responseDeserialize } = ServerReflectionInfo;
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      const received = new Received<ReflectionAnswer>(stream);
      stream.write({ listServices: "" });
      stream.write({ fileContainingSymbol: "externalscaler.ExternalScaler" });
      stream.write({ fileContainingSymbol: "constructor" });
      stream.write({});
      await until(() => received.messages.length === 4, "the answers");
      assert.deepEqual(received.messages[0]?.listServicesResponse?.service.map(({ name }) => name).sort(), [
        "externalscaler.ExternalScaler",
        "grpc.health.v1.Health",
      ]);
      const [file] = received.messages[1]?.fileDescriptorResponse?.fileDescriptorProto ?? [];
      const own = loadProtoDefinition("externalscaler.proto")["externalscaler.MetricValue"] as unknown as {
        fileDescriptorProtos: readonly Buffer[];
      };
      assert.ok(file && own.fileDescriptorProtos.some(known => known.equals(file)));
      assert.equal(received.messages[3]?.errorResponse?.errorCode, status.UNIMPLEMENTED);
      await running.scaler.close();
      await until(() => received.ended !== null, "the end");
      assert.equal(received.ended?.code, status.OK);
    });
  }

  it("T27: no connection has a maximal age, whose end would cut streams", () => {
    assert.deepEqual(
      Object.keys(CHANNEL_OPTIONS).filter(name => name.includes("max_connection")),
      [],
    );
  });

  it("T28: the first call that reaches the port finds StreamMetricSpec", async () => {
    const port = running.scaler.ports.keda;
    await running.close();
    const early = new KedaClient(port);
    const stream = new Received(early.raw.StreamMetricSpec(refOf(), new Metadata({ waitForReady: true })));
    running = await RunningScaler.start({ ports: { keda: port, switchers: 0, http: 0 } });
    await until(() => stream.messages.length === 1 || stream.ended !== null, "the spec");
    assert.equal(stream.ended, null);
    early.raw.close();
  });
});

interface ReflectionAnswer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly errorResponse?: { readonly errorCode: number };
}

const MIB = 1024 * 1024;
const HEADERS = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };

describe("the scaler's ports", () => {
  let running: RunningScaler;
  let peers: (ClientHttp2Session | Socket)[];
  beforeEach(async () => {
    peers = [];
    running = await RunningScaler.start();
  });
  afterEach(async () => {
    for (const peer of peers) peer.destroy();
    await running.close();
  });

  /** Opens calls whose messages are never whole; `onEnd` is called when the scaler has no room for them and ends the connection. */
  function floodSwitchers(onEnd: () => void): void {
    const session = connect(`http://127.0.0.1:${running.scaler.ports.switchers}`);
    peers.push(session);
    session.on("error", () => undefined).once("close", onEnd);
    const message = Buffer.alloc(MIB - 1);
    message.writeUInt32BE(MIB - 5, 1);
    for (let i = 0; i < 8; i++) {
      const stream = session.request({ ...HEADERS, ":path": "/variscale.switcher.v1.SwitcherControl/Follow" });
      stream.on("error", () => undefined).resume();
      stream.write(message);
    }
  }

  /** Sends a body that is never whole; `onEnd` is called when it is refused. */
  function floodHttp(onEnd: () => void): void {
    const socket = connectTcp(running.scaler.ports.http, "127.0.0.1").on("error", () => undefined);
    peers.push(socket);
    socket.once("data", onEnd);
    socket.write("PUT /api/v1/pipelines/shop/cards/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65536\r\n\r\n");
    socket.write(Buffer.alloc(65_000));
  }

  it("have memory of their own: what fills those of switchers and of HTTP leaves KEDA answered", async () => {
    const full = new Set<string>();
    for (let i = 0; i < 12; i++) floodSwitchers(() => full.add("switchers"));
    for (let i = 0; i < 700; i++) floodHttp(() => full.add("http"));
    const refused: unknown[] = [];
    while (full.size < 2) {
      await running.keda.isActive(refOf()).catch((error: unknown) => refused.push(error));
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.deepEqual(refused, []);
  });

  it("take no message of KEDA's of more than 64 KiB", async () => {
    const { pipeline = "", ...others } = refOf().scalerMetadata ?? {};
    const ask = (bytes: number) => {
      const scalerMetadata = { ...others, pipeline, note: "x".repeat(bytes) };
      return running.keda.isActive({ ...refOf(), scalerMetadata }).then(
        () => status.OK,
        ({ code }: ServiceError) => code,
      );
    };
    assert.notEqual(await ask(60_000), status.RESOURCE_EXHAUSTED);
    assert.equal(await ask(65_536), status.RESOURCE_EXHAUSTED);
  });

  it("take few calls of a connection of switchers at once", async () => {
    const session = connect(`http://127.0.0.1:${running.scaler.ports.switchers}`);
    peers.push(session);
    await new Promise(resolve => session.once("remoteSettings", resolve));
    assert.equal(session.remoteSettings.maxConcurrentStreams, 8);
  });
});
