import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readKubeconfig } from "../../runtime/kubeconfig.ts";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { KubernetesApi } from "../support/kubernetes-api.ts";
import { TEST_CA } from "../support/kubernetes-certificates.ts";

const CA_DATA = Buffer.from(TEST_CA).toString("base64");

interface Proxy {
  readonly url: string;
  /** `host:port` of each tunnel, with what the client said of itself. */
  readonly tunnels: { readonly to: string; readonly authorization: string | undefined }[];
  close(): Promise<void>;
}

/** An HTTP proxy on the loopback interface that lets everything through. */
async function startProxy(): Promise<Proxy> {
  const tunnels: Proxy["tunnels"] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    const to = request.url ?? "";
    tunnels.push({ to, authorization: request.headers["proxy-authorization"] });
    const [host = "", port] = to.split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    for (const each of [socket, onward]) sockets.add(each.on("error", () => each.destroy()));
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

describe("readKubeconfig()", () => {
  let folder: string;
  let api: KubernetesApi;
  let proxy: Proxy;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-kubeconfig-"));
    api = await KubernetesApi.start();
    proxy = await startProxy();
  });

  afterEach(async () => {
    await proxy.close();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function read(cluster: object, user: object, env: NodeJS.ProcessEnv = {}) {
    const server = `https://127.0.0.1:${api.port}`;
    const config = {
      "current-context": "here",
      contexts: [{ name: "here", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server, "certificate-authority-data": CA_DATA, ...cluster } }],
      users: [{ name: "u", user: { token: "test", ...user } }],
    };
    const path = join(folder, "config");
    writeFileSync(path, JSON.stringify(config));
    return readKubeconfig({ KUBECONFIG: path, ...env }, null);
  }

  async function askVersion(...args: Parameters<typeof read>): Promise<void> {
    const client = new KubernetesClient(read(...args));
    try {
      assert.equal(((await client.getPath("/version")) as { minor: string }).minor, "36");
    } finally {
      client.close();
    }
  }

  it("goes through the cluster's `proxy-url`, with its credentials", async () => {
    const pair = Buffer.from("me:p@ss").toString("base64");
    await askVersion({ "proxy-url": proxy.url.replace("//", "//me:p%40ss@") }, {});
    assert.deepEqual(proxy.tunnels, [{ to: `127.0.0.1:${api.port}`, authorization: `Basic ${pair}` }]);
    assert.equal(api.seen[0]?.authorization, "Bearer test");
  });

  it("goes through the proxy of the environment, but for what NO_PROXY lists and for this machine", async () => {
    const readProxy = (server: string, env: NodeJS.ProcessEnv) => read({ server }, {}, env).proxyUrl;
    const env = { HTTPS_PROXY: proxy.url, HTTP_PROXY: "http://plain:1" };
    assert.equal(readProxy("https://api.example:6443", env), proxy.url);
    assert.equal(readProxy("http://api.example", env), "http://plain:1");
    assert.equal(readProxy("https://api.example", { https_proxy: "proxy:3128" }), "http://proxy:3128");
    for (const server of ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"])
      assert.equal(readProxy(server, env), null, server);
    for (const [server, except, isMeant] of [
      ["https://api.example", "*", true],
      ["https://api.example", "other, api.example", true],
      ["https://api.example", "EXAMPLE", true],
      ["https://api.example", ".example", true],
      ["https://api.example", "*.example", true],
      ["https://example", ".example", false],
      ["https://api.example", "pi.example", false],
      ["https://api.example:6443", "api.example:6443", true],
      ["https://api.example:6443", "api.example:443", false],
      ["https://api.example", "api.example:443", true],
      ["https://10.96.0.1", "10.96.0.0/12", true],
      ["https://10.112.0.1", "10.96.0.0/12", false],
      ["https://10.96.0.1", "10.96.0.1", true],
      ["https://10.96.0.1", "0.1", false],
      ["https://[fd00::1]:6443", "fd00::1", true],
      ["https://[fd00::1]", "fd00::/8", true],
      ["https://[fd00::1]:6443", "[fd00::1]:6443", true],
      ["https://api.example", "10.0.0.0/99,nonsense/x,,", false],
    ] as const)
      assert.equal(readProxy(server, { ...env, NO_PROXY: except }) === null, isMeant, `${server} ${except}`);
  });

  it("refuses a proxy that it can't speak with, without showing its password", () => {
    const isRefusal = (error: Error) =>
      /proxy-url.*of cluster c.*SOCKS is not/.test(error.message) && !/secret/.test(error.message);
    assert.throws(() => read({ "proxy-url": "socks5://me:secret@proxy:1080" }, {}), isRefusal);
    const env = { HTTPS_PROXY: "socks5://me:secret@proxy:1080" };
    assert.throws(
      () => read({ server: "https://api.example" }, {}, env),
      (error: Error) => /^HTTPS_PROXY/.test(error.message) && !/secret/.test(error.message),
    );
  });

  it("says so when the proxy refuses", async () => {
    await proxy.close();
    await assert.rejects(askVersion({ "proxy-url": proxy.url }, {}), { name: "VariscaleError", code: "unavailable" });
    proxy = await startProxy();
  });

  it("acts as whom the user says, in every call", async () => {
    const extra = { "example.org/Reason(s)": ["on call", "asked"] };
    await askVersion({}, { as: "jane", "as-uid": "17", "as-groups": ["ops", "dev"], "as-user-extra": extra });
    assert.deepEqual(api.seen[0]?.impersonation, {
      "impersonate-user": ["jane"],
      "impersonate-uid": ["17"],
      "impersonate-group": ["ops", "dev"],
      "impersonate-extra-example.org%2freason%28s%29": ["on call", "asked"],
    });
  });

  it("refuses groups, a uid or extra fields to act with where it does not say as whom", () => {
    for (const user of [{ "as-groups": ["ops"] }, { "as-uid": "17" }, { "as-user-extra": { a: ["b"] } }])
      assert.throws(() => read({}, user), { code: "invalid_argument", message: /user u has .* without `as`/ });
  });

  it("tells the program that gives credentials of the cluster where it asks for that, and else nothing", async () => {
    const exec = (more: object) => ({
      exec: {
        apiVersion: "client.authentication.k8s.io/v1",
        command: "sh",
        args: [
          "-c",
          `echo "$KUBERNETES_EXEC_INFO" > ${folder}/info; echo '{"kind":"ExecCredential","status":{"token":"t"}}'`,
        ],
        ...more,
      },
    });
    const config = { audience: "a" };
    const cluster = {
      server: "https://api.example:6443",
      "tls-server-name": "name",
      "proxy-url": "http://proxy:1",
      extensions: [
        { name: "other", extension: 1 },
        { name: "client.authentication.k8s.io/exec", extension: config },
      ],
    };
    const readSpec = async (more: object): Promise<object> => {
      await read(cluster, exec(more), { PATH: process.env["PATH"] }).access();
      return JSON.parse(readFileSync(join(folder, "info"), "utf8")).spec;
    };
    assert.deepEqual(await readSpec({ provideClusterInfo: true }), {
      cluster: {
        server: "https://api.example:6443",
        "tls-server-name": "name",
        "certificate-authority-data": CA_DATA,
        "proxy-url": "http://proxy:1",
        config,
      },
      interactive: false,
    });
    assert.deepEqual(await readSpec({}), { interactive: false });
  });

  it("refuses a key that comes twice, by its name and line, without showing what is written there", () => {
    const path = join(folder, "config");
    writeFileSync(path, "current-context: here\nusers:\n- name: u\n  user:\n    token: one\n    token: secret\n");
    assert.throws(() => readKubeconfig({ KUBECONFIG: path }, null), {
      code: "invalid_argument",
      message: `kubeconfig ${path}, line 6, column 5: not YAML: Map keys must be unique, and \`token\` comes again. Correct the YAML.`,
    });
  });

  it("refuses credentials in the server's address", () => {
    assert.throws(
      () => read({ server: "https://me:secret@api.example" }, {}),
      (error: Error) => /user name or a password/.test(error.message) && !/secret/.test(error.message),
    );
  });
});
