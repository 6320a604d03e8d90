import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parseAllDocuments } from "yaml";
import { packageFolder } from "../../runtime/version.ts";
import { ID_CARD, type KubernetesObject, named, notes, render } from "./helm.ts";

const WITHOUT = "--set=scaledObjects.enabled=false";

describe("the chart's notes", () => {
  it("have the ScaledObjects that it would make, ready to apply, where it makes none", () => {
    const values = [...ID_CARD, "--set=mode=active,tls.existingSecret=server"];
    const [, written = ""] = /as these:\n([\s\S]*?)\nProve/.exec(notes(...values, WITHOUT)) ?? [];
    const objects: readonly KubernetesObject[] = written
      .split(/(?=^ {2}apiVersion)/m)
      .filter(text => text.trim() !== "")
      .map(text => parseAllDocuments(text)[0]?.toJS());
    assert.equal(objects.length, 2);
    const made = render(...values);
    for (const { kind, metadata, spec } of objects) {
      assert.equal(metadata.namespace, "shop");
      assert.deepEqual(spec, named(made, kind, metadata.name).spec);
    }
    assert.doesNotMatch(notes(...values), /apiVersion/);
  });

  it("name the commands that show whether it works", () => {
    const text = notes(...ID_CARD);
    for (const command of ["helm test variscale --namespace shop", "variscale doctor --namespace shop"])
      assert.ok(text.includes(command), command);
    assert.match(text, /id-card is in shadow mode/);
  });

  it("name commands that there are", () => {
    const text = notes(...ID_CARD, "--set=scaler.token.existingSecret=mine");
    const [, list = ""] = /^Changes over HTTP \((.*)\)/m.exec(text) ?? [];
    const commands = [...list.matchAll(/`(?:variscale )?(\w+)`/g)].map(([, name]) => name);
    assert.ok(commands.includes("pin"), list);
    const reference = readFileSync(join(packageFolder, "docs/reference/cli.md"), "utf8");
    for (const name of commands) assert.ok(new RegExp(`^## ${name}\\b`, "m").test(reference), name);
  });
});
