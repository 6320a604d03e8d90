import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { HttpRequest, HttpResponse, Route } from "../runtime/http-server.ts";
import { packageFolder } from "../runtime/version.ts";

/** Compiled folders whose scripts the page may load: its own, and the words that decisions are explained with. */
const FOLDERS: readonly string[] = ["dashboard", "explanation"];
/** Files of packages that the page loads as they are, by their names below `library/`. */
const LIBRARY: Readonly<Record<string, string>> = {
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.css": "uplot/dist/uPlot.min.css",
};
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/**
 * Nothing but files and answers of this server: no inline scripts or styles, no other hosts, no frames around it, and no text that
 * becomes markup.
 */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-cache",
};

interface PageFile {
  readonly body: Buffer;
  readonly etag: string;
  readonly type: string;
}

/** The live page at `/` and what it loads below `/page/`; all its addresses are relative, so that a proxy may put it anywhere. */
export function pageFileRoutes(): readonly Route[] {
  const files = new Map<string, PageFile>();
  const serve = (request: HttpRequest, folder: string, name: string): HttpResponse => {
    const path = `${folder}/${name}`;
    const file = files.get(path) ?? readPageFile(folder, name);
    if (!file) throw new VariscaleError("not_found", `there is nothing at ${request.path}`);
    files.set(path, file);
    const headers = { ...HEADERS, "content-type": file.type, etag: file.etag };
    if (request.headers["if-none-match"] === file.etag) return { status: 304, headers };
    return { status: 200, headers, body: file.body };
  };
  return [
    { method: "GET", path: "/", handle: request => serve(request, "dashboard", "index.html") },
    {
      method: "GET",
      path: "/page/:folder/:name",
      handle: request => serve(request, request.params["folder"] ?? "", request.params["name"] ?? ""),
    },
  ];
}

/** Read when it is first asked for; null: there is no such file, or the page has no use for it. */
function readPageFile(folder: string, name: string): PageFile | null {
  const extension = /^[a-z0-9][a-z0-9-]*\.(html|css|js|svg)$/.exec(name)?.[1];
  const type = extension === undefined ? undefined : TYPES[extension];
  const path = type === undefined ? null : pathOf(folder, name);
  if (type === undefined || path === null || !existsSync(path)) return null;
  const body = readFileSync(path);
  return { body, type, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 24)}"` };
}

function pathOf(folder: string, name: string): string | null {
  const inPackage = folder === "library" && Object.hasOwn(LIBRARY, name) ? LIBRARY[name] : undefined;
  if (inPackage !== undefined) return createRequire(import.meta.url).resolve(inPackage);
  return FOLDERS.includes(folder) ? join(packageFolder, "dist", folder, name) : null;
}
