import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { FollowingSwitcher } from "../support/scaler-stub.ts";
import { affineConfig, errorOf, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

/** The lines of docs/switcher.md that are run here. */
const LINES = readFileSync(join(packageFolder, "docs/switcher.md"), "utf8")
  .split("\n")
  .filter(line => line.startsWith("curl "));

interface FieldSchema {
  readonly $ref?: string;
  readonly items?: FieldSchema;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
}

type Schemas = Readonly<Record<string, FieldSchema>>;

interface Answers {
  readonly components: { readonly schemas: Schemas };
  readonly variants: readonly object[];
  readonly switches: readonly object[];
  readonly assignment: object | null;
  readonly pin: object | null;
  readonly serving: object;
}

/** The fields of an answer that its schema does not have. */
function findUndescribed(schemas: Schemas, schema: FieldSchema, answer: unknown, path: string): readonly string[] {
  const { items = {}, properties = {} } = schemas[schema.$ref?.split("/").at(-1) ?? ""] ?? schema;
  if (Array.isArray(answer)) return answer.flatMap(one => findUndescribed(schemas, items, one, `${path}[]`));
  if (typeof answer !== "object" || answer === null) return [];
  return Object.entries(answer).flatMap(([name, value]) => {
    const field = properties[name];
    return field ? findUndescribed(schemas, field, value, `${path}.${name}`) : [`${path}.${name}`];
  });
}

describe("the documented admin endpoint", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;

  before(async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
  });
  after(async () => {
    await switcher.close();
    folder.delete();
  });

  it("has an OpenAPI document with every path and method there is, and no other", async () => {
    type Document = { openapi: string; paths: Record<string, Record<string, unknown>>; components: object };
    const document = (await (await switcher.admin("openapi.json")).json()) as Document;
    assert.equal(document.openapi, "3.1.0");
    const paths = Object.keys(document.paths);
    assert.equal(paths.length, 7);
    for (const path of paths) {
      const documented = Object.keys(document.paths[path] ?? {}).map(method => method.toUpperCase());
      // PATCH is understood nowhere, so the answer says what is.
      const { status, headers } = await switcher.admin(path.slice("/admin/v1/".length), { method: "PATCH" });
      assert.equal(status, 405, path);
      assert.deepEqual(headers.get("allow")?.split(", ").toSorted(), documented.toSorted(), path);
    }
    const references = JSON.stringify(document).match(/#\/components\/schemas\/\w+/g) ?? [];
    const schemas = Object.keys((document.components as { schemas: object }).schemas);
    for (const reference of references) assert.ok(schemas.includes(reference.split("/").at(-1) ?? ""), reference);
  });

  it("describes every field of its answers about assignments, variants and Switches", async () => {
    const following = await FollowingSwitcher.start(() => ({}));
    try {
      following.scaler.assign(1, { top: "b", floor: "a" });
      await following.scaler.untilAcked(1);
      assert.equal((await following.switcher.pin("c")).status, 200);
      const read = async (path: string) => (await (await following.switcher.admin(path)).json()) as Answers;
      const { components } = await read("openapi.json");
      const { schemas } = components;
      const assignment = await read("assignment");
      assert.ok(assignment.assignment && assignment.pin && assignment.serving, JSON.stringify(assignment));
      for (const [name, answers] of Object.entries({
        Assignment: [assignment],
        Variant: (await read("variants")).variants,
        Switch: (await read("switches")).switches,
      })) {
        assert.ok(answers.length > 0);
        for (const answer of answers) assert.deepEqual(findUndescribed(schemas, schemas[name]!, answer, name), []);
      }
    } finally {
      await following.close();
    }
  });

  it("says in its document which refusals there are, and which values it takes", async () => {
    interface Schema {
      readonly minimum: number;
      readonly maximum: number;
    }
    const { paths, components } = (await (await switcher.admin("openapi.json")).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
      components: { schemas: Record<string, { properties: Record<string, Schema> }> };
    };
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { responses }] of Object.entries(methods))
        assert.ok(responses["401"] && responses["403"], `${method} ${path}`);
    assert.ok(paths["/admin/v1/assignment"]?.["put"]?.responses["503"]);
    const put = (body: object) =>
      switcher.admin("assignment", { method: "PUT", headers: { "if-match": "*" }, body: JSON.stringify(body) });
    const properties = components.schemas["Pin"]?.properties ?? {};
    for (const name of ["ttlMs", "batch"]) {
      const { minimum, maximum } = properties[name] ?? { minimum: Number.NaN, maximum: Number.NaN };
      for (const value of [minimum - 1, maximum + 1])
        assert.equal((await put({ variant: "a", [name]: value })).status, 400, `${name} ${value}`);
      assert.equal((await put({ variant: "a", [name]: minimum })).status, 200, `${name} ${minimum}`);
    }
    const ttlMs = properties["ttlMs"]?.maximum;
    assert.equal((await put({ variant: "a", ttlMs })).status, 200, `ttlMs ${ttlMs}`);
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
  });

  it("is used by a line for each path and method", () => {
    assert.equal(LINES.length, 9);
  });

  it("measures a variant where it is", async () => {
    const measure = (body: object) => switcher.admin("profile", { method: "POST", body: JSON.stringify(body) });
    const [first, second] = await Promise.all([
      measure({ variant: "b", batches: [1, 2], seconds: 0.1 }),
      measure({ variant: "b" }),
    ]);
    assert.equal(first.status, 200);
    const { points, loadMs } = (await first.json()) as { loadMs: number; points: Record<string, number>[] };
    assert.deepEqual(
      points.map(({ batch }) => batch),
      [1, 2],
    );
    for (const { latencyMs = 0, scv = -1, runs = 0 } of points) assert.ok(latencyMs > 0 && scv >= 0 && runs >= 5);
    assert.ok(loadMs > 0);
    assert.equal(second.status, 412);
    assert.match(await errorOf(second), /another profile is being measured/);
    assert.equal((await measure({ variant: "z" })).status, 400);
    assert.equal((await measure({ variant: "b", seconds: 11 })).status, 400);
    assert.equal((await switcher.infer([1])).body.model_version, "a");
  });

  it("changes the level of the log", async () => {
    const put = (body: object) => switcher.admin("log-level", { method: "PUT", body: JSON.stringify(body) });
    assert.equal((await put({ level: "loud" })).status, 400);
    assert.deepEqual(await (await put({ level: "error" })).json(), { level: "error" });
    assert.deepEqual(await (await switcher.admin("log-level")).json(), { level: "error" });
  });

  for (const line of LINES)
    it(`answers ${line}`, async () => {
      const command = line.replace("127.0.0.1:8002", `127.0.0.1:${switcher.switcher.ports.admin}`);
      const process_ = spawn("sh", ["-c", command]);
      let text = "";
      process_.stdout.on("data", data => {
        text += data;
      });
      const [code] = (await once(process_, "close")) as [number];
      assert.equal(code, 0, text);
      assert.match(text, /^(HTTP\/1\.1 200|\{)/);
      if (!line.includes("-X PUT -H 'if-match")) return;
      assert.equal((await switcher.infer([1])).body.model_version, "b");
    });

  it("takes in no more work after the drain, and is not ready", async () => {
    const { status, body } = await switcher.infer([1]);
    assert.equal(status, 503);
    assert.match(body.error ?? "", /the switcher drains; ask another replica/);
    assert.equal((await switcher.http("/v2/health/ready")).status, 503);
  });
});
