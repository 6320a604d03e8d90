import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { findKubernetes, isInPod } from "../../runtime/find-kubernetes.ts";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { KubernetesApi } from "../support/kubernetes-api.ts";
import { CLIENT_PAIR, TEST_CA } from "../support/kubernetes-certificates.ts";

describe("findKubernetes()", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-kubernetes-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(name: string, text: string): string {
    const path = join(folder, name);
    // As Kubernetes does: a new file takes the place of the old one.
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    return path;
  }

  it("knows a pod by what the kubelet gives it: an address, or a service account", () => {
    assert.equal(isInPod({ KUBERNETES_SERVICE_HOST: "10.0.0.1" }, join(folder, "none")), true);
    assert.equal(isInPod({}, folder), true);
    assert.equal(isInPod({}, join(folder, "none")), false);
  });

  function kubeconfig(user: unknown, cluster: object = {}, more: object = {}): NodeJS.ProcessEnv {
    const config = {
      "current-context": "here",
      contexts: [{ name: "here", context: { cluster: "c", user: "u", namespace: "shop" } }],
      clusters: [{ name: "c", cluster: { server: "https://api.example:6443/", ...cluster } }],
      users: [{ name: "u", user }],
      ...more,
    };
    return { ...process.env, KUBECONFIG: write("config", JSON.stringify(config)) };
  }

  const code = (expected: string, message: RegExp) => (error: unknown) =>
    error instanceof VariscaleError && error.code === expected && message.test(error.message);

  describe("in a pod", () => {
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };

    it("uses the service account, and its token as it is when it is needed", async () => {
      write("token", "first\n");
      write("ca.crt", TEST_CA);
      write("namespace", "shop");
      const config = findKubernetes({ env, context: null, serviceAccountFolder: folder });
      assert.equal(config.server, "https://[fd00::1]:443");
      assert.equal(config.namespace, "shop");
      assert.deepEqual(await config.access(), { ca: TEST_CA, certificate: null, key: null, token: "first" });
      write("token", "second");
      assert.equal((await config.access()).token, "second");
    });

    it("says what to do where no token is mounted", async () => {
      const config = findKubernetes({ env, context: null, serviceAccountFolder: join(folder, "none") });
      await assert.rejects(config.access(), code("failed_precondition", /automountServiceAccountToken/));
    });

    it("uses the kubeconfig where a context is named", () => {
      const place = { env: { ...kubeconfig({ token: "t" }), ...env }, context: "here", serviceAccountFolder: folder };
      assert.equal(findKubernetes(place).server, "https://api.example:6443");
    });
  });

  describe("with a kubeconfig", () => {
    const find = (env: NodeJS.ProcessEnv, context: string | null = null) => findKubernetes({ env, context });

    it("reads server, namespace, CA and token", async () => {
      const data = Buffer.from(TEST_CA).toString("base64");
      const config = find(kubeconfig({ token: "t" }, { "certificate-authority-data": data, "tls-server-name": "n" }));
      assert.equal(config.namespace, "shop");
      assert.equal(config.serverName, "n");
      assert.equal(config.verify, true);
      assert.deepEqual(await config.access(), { ca: TEST_CA, certificate: null, key: null, token: "t" });
    });

    it("reads files beside it, again when they change", async () => {
      write("ca.pem", TEST_CA);
      write("c.pem", CLIENT_PAIR.certificate);
      write("k.pem", CLIENT_PAIR.key);
      write("tok", "one");
      const user = { "client-certificate": "c.pem", "client-key": "k.pem", tokenFile: "tok" };
      const config = find(kubeconfig(user, { "certificate-authority": "ca.pem" }));
      assert.deepEqual(await config.access(), {
        ca: TEST_CA,
        certificate: CLIENT_PAIR.certificate,
        key: CLIENT_PAIR.key,
        token: "one",
      });
      write("tok", "two");
      assert.equal((await config.access()).token, "two");
    });

    it("calls a server that asks for a client certificate", async () => {
      const api = await KubernetesApi.start();
      const encode = (text: string) => Buffer.from(text).toString("base64");
      const user = {
        "client-certificate-data": encode(CLIENT_PAIR.certificate),
        "client-key-data": encode(CLIENT_PAIR.key),
      };
      const server = `https://127.0.0.1:${api.port}`;
      const client = new KubernetesClient(
        find(kubeconfig(user, { server, "certificate-authority-data": encode(TEST_CA) })),
      );
      await client.getPath("/version");
      assert.equal(api.seen[0]?.client, "client");
      client.close();
      await api.close();
    });

    it("runs the program that gives the credentials, once until they expire", async () => {
      const credential = (expires: string) =>
        `{"kind":"ExecCredential","status":{"token":"t'$(wc -l < runs)'","expirationTimestamp":"${expires}"}}`;
      const exec = (script: string) => ({
        exec: {
          apiVersion: "client.authentication.k8s.io/v1",
          command: "sh",
          args: ["-c", script],
          env: [{ name: "D", value: folder }],
        },
      });
      const script = (expires: string) =>
        `cd "$D"; echo "$KUBERNETES_EXEC_INFO" >> runs; echo '${credential(expires)}'`;
      const config = find(kubeconfig(exec(script("2099-01-01T00:00:00Z"))));
      const tokens = await Promise.all([config.access(), config.access()]);
      tokens.push(await config.access());
      assert.deepEqual(
        tokens.map(({ token }) => token?.replaceAll(" ", "")),
        ["t1", "t1", "t1"],
      );
      const expired = find(kubeconfig(exec(script("2000-01-01T00:00:00Z"))));
      await expired.access();
      assert.equal((await expired.access()).token?.replaceAll(" ", ""), "t3");
    });

    it("says what a program that fails wrote, and nothing of one that wrote something else", async () => {
      const exec = (args: string[]) => ({
        exec: { apiVersion: "v1", command: "sh", args, installHint: "Install it." },
      });
      await assert.rejects(
        find(kubeconfig(exec(["-c", "echo log in first >&2; exit 1"]))).access(),
        code("failed_precondition", /`sh`.*log in first.*Install it/),
      );
      await assert.rejects(find(kubeconfig(exec(["-c", "echo secret"]))).access(), error => {
        assert.ok(error instanceof VariscaleError);
        assert.doesNotMatch(error.message, /secret/);
        return /ExecCredential/.test(error.message);
      });
    });

    it("takes the first of several files that has an entry", async () => {
      const first = write("first", JSON.stringify({ users: [{ name: "u", user: { token: "mine" } }] }));
      const env = kubeconfig({ token: "t" });
      const config = find({ ...env, KUBECONFIG: `${first}:${join(folder, "missing")}:${env["KUBECONFIG"]}` });
      assert.equal((await config.access()).token, "mine");
    });

    it("names what is wrong", () => {
      assert.throws(() => find({ KUBECONFIG: join(folder, "none") }), code("not_found", /set KUBECONFIG/));
      assert.throws(
        () => find(kubeconfig({ token: "t" }), "there"),
        code("not_found", /no context `there`; it has: here/),
      );
      assert.throws(
        () => find(kubeconfig({}, { server: "api:6443" })),
        code("invalid_argument", /server `api:6443` is no address: write https/),
      );
      assert.throws(() => find(kubeconfig({ username: "x" })), code("invalid_argument", /no longer takes/));
      assert.throws(() => find(kubeconfig({}, {}, { "current-context": "" })), code("invalid_argument", /--context/));
      assert.throws(() => find({ KUBECONFIG: write("bad", "clusters: 7") }), code("invalid_argument", /clusters/));
      assert.throws(
        () => find({ KUBECONFIG: write("bad", "{") }),
        code("invalid_argument", /line 1, column 2: not YAML/),
      );
    });
  });
});
