import assert from "node:assert/strict";
import { once } from "node:events";
import { type RequestOptions, request } from "node:https";
import { afterEach, beforeEach, describe, it } from "mocha";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { TestAuthority, type TlsFiles } from "../support/certificates.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

describe("an admin endpoint with mutual TLS", () => {
  const authority = new TestAuthority("operators");
  let folder: TestFolder;
  let secret: SecretFolder;
  let switcher: TestSwitcher;

  beforeEach(async () => {
    folder = new TestFolder();
    secret = new SecretFolder(authority.issue("switcher"));
    switcher = await TestSwitcher.startReady(
      affineConfig(folder.path, { adminTlsFolder: secret.path, adminHost: "0.0.0.0" }),
    );
  });
  afterEach(async () => {
    await switcher.close();
    secret.remove();
    folder.delete();
  });

  /** Status of a request with this certificate; null: with none. Throws where there is no connection. */
  const ask = async (method: string, files: TlsFiles | null, headers: Record<string, string> = {}): Promise<number> => {
    const options: RequestOptions = {
      host: "127.0.0.1",
      port: switcher.switcher.ports.admin,
      path: "/admin/v1/assignment",
      method,
      headers: { host: "switcher.example", ...headers },
      servername: "localhost",
      ca: authority.certificate,
      agent: false,
      ...(files && { cert: files["tls.crt"], key: files["tls.key"] }),
    };
    const sent = request(options);
    sent.end(method === "PUT" ? '{"variant":"b"}' : undefined);
    const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
    response.resume();
    await once(response, "end");
    return response.statusCode ?? 0;
  };

  it("answers whoever has a certificate of its authority, under any name, and nobody else", async () => {
    const operator = authority.issue("operator");
    assert.equal(await ask("GET", operator), 200);
    assert.equal(await ask("PUT", operator, { "if-match": "*" }), 200);
    assert.equal((await switcher.infer([3])).body.model_version, "b");
    await assert.rejects(ask("GET", null));
    await assert.rejects(ask("GET", new TestAuthority("others").issue("operator")));
    await assert.rejects(fetch(`http://127.0.0.1:${switcher.switcher.ports.admin}/admin/v1/assignment`));
  });

  it("lets no other site use an operator's browser", async () => {
    const operator = authority.issue("operator");
    const origin = (from: string) => ask("PUT", operator, { "if-match": "*", origin: from });
    assert.equal(await origin("https://elsewhere.example"), 403);
    assert.equal(await origin("http://switcher.example"), 403);
    assert.equal(await origin("https://switcher.example"), 200);
  });

  it("is what an address beyond the loopback interface needs, where there is no token", () => {
    const config = (above: object) => affineConfig(folder.path, { adminHost: "0.0.0.0", ...above });
    assert.throws(
      () => parseSwitcherConfig(config({})),
      /adminHost .* unless there is an adminToken or an adminTlsFolder/,
    );
    assert.equal(parseSwitcherConfig(config({ adminTlsFolder: "/tls" })).adminTlsFolder, "/tls");
  });

  it("keeps a switcher from starting whose folder can't be used", async () => {
    secret.swap({ ...authority.issue("switcher"), "tls.key": authority.issue("other")["tls.key"] });
    await assert.rejects(
      TestSwitcher.start(affineConfig(folder.path, { adminTlsFolder: secret.path })),
      /TLS folder .*tls\.key does not belong to the certificate/,
    );
  });
});
