// The reference of all HTTP ports. What a route is for stands in http-routes.json; the switcher's admin endpoint has an OpenAPI document of
// its own. test/docs/references.test.ts holds both against the routes that there are.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { table } from "./table.mjs";

export async function httpApiReference(root) {
  const { adminOpenApi } = await import(pathToFileURL(join(root, "dist/variant-switcher/admin-openapi.js")).href);
  const known = JSON.parse(readFileSync(join(root, "scripts/references/http-routes.json"), "utf8"));
  const admin = Object.entries(adminOpenApi().paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary }]) => [`\`${method.toUpperCase()} ${path}\``, summary]),
  );
  return [
    "# Reference: HTTP",
    "",
    'Written by `npm run build && node scripts/write-references.mjs`. Errors are JSON, `{"error", "code"}`, with a status to match; a wrong method gets 405 with `allow`.',
    "Ports are the defaults. gRPC: [the KEDA contract](../keda-contract.md), [the switcher](../switcher.md).",
    "",
    "## Scaler, port 8080",
    "",
    "Reading is free to all who reach the port. `PUT` and `DELETE` need `Authorization: Bearer TOKEN` where the scaler has a token; without one they are taken from",
    "the same machine alone. Each is written to the audit log.",
    "",
    routes({ ...known.scaler, ...known.scalerProbes }),
    "",
    "## Gateway, port 8090",
    "",
    "503 and 504 say that a request was dropped: no room, or no time. Answers name the variants that made them.",
    "",
    routes({ ...known.gateway, ...known.gatewayProbes }),
    "",
    "## Switcher, port 8000",
    "",
    "The [Open Inference Protocol V2](../switcher.md#inference); the same by gRPC on port 8001. Metrics are on port 8003, with `/healthz` and `/readyz`.",
    "",
    routes(known.switcher),
    "",
    "## Switcher's admin endpoint, port 8002",
    "",
    "On the loopback interface unless it has mutual TLS or a token. Requests and answers in full: `GET /admin/v1/openapi.json`.",
    "",
    table(["route", "what it does"], admin),
  ].join("\n");
}

function routes(known) {
  return table(
    ["route", "what it does"],
    Object.entries(known).map(([route, text]) => [`\`${route}\``, text]),
  );
}
