import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFolder } from "../runtime/version.ts";

/** A fenced block of a document. */
export interface Block {
  /** Relative to the package's folder. */
  readonly file: string;
  /** Of its first line of text, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** What `<!-- run by FILE -->` right above it names: where it is tried instead. Null: where all documents are. */
  readonly runBy: string | null;
  /** Why nothing runs it, as `<!-- not run: REASON -->` right above it says; null where something does. */
  readonly notRun: string | null;
}

/** Every document that a user reads, relative to the package's folder. */
export function documents(): readonly string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(packageFolder, folder), { withFileTypes: true }).flatMap(entry => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return below(path);
      return entry.name.endsWith(".md") ? [path] : [];
    });
  const atRoot = readdirSync(packageFolder).filter(name => name.endsWith(".md"));
  return [...atRoot, ...below("docs"), ...below("pipelines"), ...below("charts")].toSorted();
}

export function blocksOf(file: string): readonly Block[] {
  return blocksIn(file, readFileSync(join(packageFolder, file), "utf8"));
}

/** Fences of three backticks or more, closed by as many; within another one they are text. */
export function blocksIn(file: string, text: string): readonly Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent = "", fence, language = ""] = /^( *)(`{3,})([^`]*)$/.exec(lines[at] ?? "") ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, i) => i > at && line.trim() === fence);
    if (end < 0) throw new Error(`${file}:${at + 1}: this fence is never closed`);
    const body = lines.slice(at + 1, end).map(line => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({ file, line: at + 2, language: language.trim(), text: body.join("\n"), ...runOf(lines, at) });
    at = end;
  }
  return blocks;
}

function runOf(lines: readonly string[], at: number): Pick<Block, "runBy" | "notRun"> {
  const above = lines.slice(0, at).findLast(line => line.trim() !== "") ?? "";
  return {
    runBy: /^\s*<!-- run by (\S+) -->$/.exec(above)?.[1] ?? null,
    notRun: /^\s*<!-- not run: (.+) -->$/.exec(above)?.[1] ?? null,
  };
}

/** Links to files of ours, relative to the package's folder, with what is behind the `#`. */
export function linksOf(
  file: string,
): readonly { readonly to: string; readonly anchor: string; readonly line: number }[] {
  const lines = readFileSync(join(packageFolder, file), "utf8").split("\n");
  return lines.flatMap((text, i) =>
    [...text.replace(/`[^`]*`/g, "").matchAll(/\]\(([^()\s]+)\)/g)].flatMap(([, target = ""]) => {
      if (/^[a-z]+:/.test(target)) return [];
      const [path = "", anchor = ""] = target.split("#", 2);
      return [{ to: path === "" ? file : join(dirname(file), path), anchor, line: i + 1 }];
    }),
  );
}

/** The anchors of a document's headings, as GitHub gives them. */
export function anchorsOf(file: string): readonly string[] {
  const text = readFileSync(join(packageFolder, file), "utf8");
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = ""]) =>
    title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
