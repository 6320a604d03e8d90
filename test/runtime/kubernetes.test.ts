import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { KubernetesClient, readLines } from "../../runtime/kubernetes.ts";
import type { KubernetesConfig } from "../../runtime/kubernetes-config.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { KubernetesApi, refuse } from "../support/kubernetes-api.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";

async function failure(promise: Promise<unknown>): Promise<VariscaleError> {
  const error = await promise.then(
    () => assert.fail("it did not fail"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof VariscaleError, String(error));
  return error;
}

describe("readLines()", () => {
  it("gives lines whatever the pieces in which they come, and no empty ones", async () => {
    const bytes = Buffer.from('{"a":"ä€😀"}\n\n{"b":1}\n{"c"');
    async function* cut(size: number): AsyncGenerator<Buffer> {
      for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
    }
    for (const size of [1, 2, 3, 11, 100]) {
      const lines: string[] = [];
      for await (const line of readLines(cut(size), "watch")) lines.push(line);
      assert.deepEqual(lines, ['{"a":"ä€😀"}', '{"b":1}']);
    }
  });
});

describe("KubernetesClient", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    client = new KubernetesClient(api.config());
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  function withConfig(changes: Partial<KubernetesConfig>): void {
    client.close();
    client = new KubernetesClient({ ...api.config(), ...changes });
  }

  it("gets an object with its token", async () => {
    api.put(SCALED_OBJECTS, { metadata: { namespace: "shop", name: "detect" }, spec: { maxReplicaCount: 7 } });
    const object = (await client.get(RESOURCES.scaledObjects, "shop", "detect")) as { spec: unknown };
    assert.deepEqual(object.spec, { maxReplicaCount: 7 });
    assert.equal(api.seen[0]?.authorization, "Bearer test");
  });

  it("lists page by page", async () => {
    for (let i = 0; i < 600; i++) api.put(SCALED_OBJECTS, { metadata: { namespace: "shop", name: `s${i}` } });
    const names: string[] = [];
    await client.list(RESOURCES.scaledObjects, null, item =>
      names.push((item as { metadata: { name: string } }).metadata.name),
    );
    assert.equal(new Set(names).size, 600);
    assert.equal(api.seen.length, 3);
  });

  it("says which RBAC rule is missing", async () => {
    api.intercept = (_request, response) => refuse(response, 403, "Forbidden", 'User "x" cannot list resource');
    const error = await failure(client.list(RESOURCES.autoscalers, "shop", () => undefined));
    assert.equal(error.code, "failed_precondition");
    assert.match(
      error.message,
      /list horizontalpodautoscalers\.autoscaling in namespace shop was answered with 403 Forbidden/,
    );
    assert.match(
      error.message,
      /apiGroups: \["autoscaling"\], resources: \["horizontalpodautoscalers"\], verbs: \["list"\]/,
    );
  });

  it("tells KEDA that is not installed from an object that is not there", async () => {
    const missing = await failure(client.get(RESOURCES.scaledObjects, "shop", "detect"));
    assert.equal(missing.code, "not_found");
    assert.match(missing.message, /install KEDA/);
    api.collections.add(SCALED_OBJECTS);
    const error = await failure(client.get(RESOURCES.scaledObjects, "shop", "detect"));
    assert.equal(error.code, "not_found");
    assert.doesNotMatch(error.message, /install KEDA/);
  });

  for (const [status, code] of [
    [401, "failed_precondition"],
    [409, "aborted"],
    [422, "invalid_argument"],
    [429, "resource_exhausted"],
    [500, "unavailable"],
  ] as const) {
    it(`takes ${status} for ${code}`, async () => {
      api.intercept = (_request, response) => refuse(response, status, "Reason", "told so");
      const error = await failure(client.get(RESOURCES.scaledObjects, "shop", "detect"));
      assert.equal(error.code, code);
      assert.match(
        error.message,
        new RegExp(`get scaledobjects\\.keda\\.sh shop/detect was answered with ${status} Reason: told so`),
      );
    });
  }

  it("refuses a server whose certificate the CA did not sign, unless told not to look", async () => {
    withConfig({ access: async () => ({ ca: null, certificate: null, key: null, token: "test" }) });
    const error = await failure(client.getPath("/version"));
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, /certificate-authority/);
    withConfig({ verify: false, access: async () => ({ ca: null, certificate: null, key: null, token: "test" }) });
    assert.equal(((await client.getPath("/version")) as { minor: string }).minor, "36");
  });

  it("refuses a certificate for another name", async () => {
    withConfig({ serverName: "elsewhere.example" });
    assert.match((await failure(client.getPath("/version"))).message, /tls-server-name/);
  });

  it("says so when nothing listens, when it is no TLS, and when the certificate is no PEM", async () => {
    const plain = createServer(socket => {
      socket.on("error", () => undefined);
      socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>(resolve => plain.listen(0, "127.0.0.1", resolve));
    const { port } = plain.address() as AddressInfo;
    withConfig({ server: `https://127.0.0.1:${port}` });
    assert.match((await failure(client.getPath("/version"))).message, /does not speak TLS/);
    await new Promise(resolve => plain.close(resolve));
    const refused = await failure(client.getPath("/version"));
    assert.equal(refused.code, "unavailable");
    assert.match(refused.message, /nothing listens there/);
    withConfig({ access: async () => ({ ca: "no PEM", certificate: "no PEM", key: "no PEM", token: null }) });
    assert.match((await failure(client.getPath("/version"))).message, /is no PEM/);
  });

  it("refuses an answer that is no JSON or has no end", async () => {
    api.intercept = (_request, response) => {
      response.end("<html>");
      return true;
    };
    assert.match((await failure(client.getPath("/version"))).message, /not JSON/);
    api.intercept = (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(" ".repeat(1024 * 1024)));
        response.once("drain", more);
      };
      more();
      return true;
    };
    const error = await failure(client.getPath("/version"));
    assert.equal(error.code, "resource_exhausted");
  });

  it("creates and patches", async () => {
    const collection = "/apis/events.k8s.io/v1/events";
    api.collections.add(collection);
    await client.create(RESOURCES.events, "shop", { metadata: { namespace: "shop", name: "e" }, note: "one" });
    await client.patch(RESOURCES.events, "shop", "e", { note: "two" });
    assert.equal(api.find(collection, "shop", "e")?.["note"], "two");
  });

  it("asks for the token again before every call", async () => {
    let token = "first";
    withConfig({ access: async () => ({ ...(await api.config().access()), token }) });
    await client.getPath("/version");
    token = "second";
    await client.getPath("/version");
    assert.deepEqual(
      api.seen.map(request => request.authorization),
      ["Bearer first", "Bearer second"],
    );
  });
});
