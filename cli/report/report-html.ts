import { posix } from "node:path";
import { Marked, type Tokens } from "marked";
import type { Chapter } from "./chapters.ts";
import { figuresSummary } from "./figures-summary.ts";
import { REPORT_STYLE } from "./report-style.ts";

export interface ReportParts {
  readonly chapters: readonly Chapter[];
  readonly version: string;
  /** The text of a picture of the package, by its path there; null where there is none. */
  readonly picture: (path: string) => string | null;
}

/** A heading of the first or second level, for the table of contents. */
interface Heading {
  readonly id: string;
  readonly html: string;
  readonly level: number;
}

/** The whole report as one page: pictures are in it, nothing is fetched. Links between its chapters are links within the page. */
export function reportHtml({ chapters, version, picture }: ReportParts): string {
  const files = new Set(chapters.map(({ file }) => file));
  const headings: Heading[] = [];
  const body = chapters.map(chapter => `<section>${renderChapter(chapter, files, picture, headings)}</section>`);
  const contents = headings.map(({ id, html, level }) => `<li class="level${level}"><a href="#${id}">${html}</a></li>`);
  const summary = figuresSummary(chapters.find(({ file }) => file === "docs/benchmarks.md")?.markdown ?? "");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>variscale: technical report</title><style>${REPORT_STYLE}</style></head>
<body>
<header><h1 class="title">variscale: technical report</h1>
<p>Version ${escaped(version)}. Accuracy, latency and cost of inference pipelines, chosen by load. Written by <code>variscale report</code>.</p>
${summaryHtml(summary)}</header>
<nav aria-label="Contents"><h2>Contents</h2><ul>${contents.join("\n")}</ul></nav>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

function summaryHtml(summary: ReturnType<typeof figuresSummary>): string {
  if (summary.length === 0) return "";
  const rows = summary.map(
    ({ suite, held, all }) => `<tr><td>${escaped(suite)}</td><td>${held}</td><td>${all}</td></tr>`,
  );
  return `<table><caption>Figures that meet their bars, by suite</caption><thead><tr><th scope="col">suite</th><th scope="col">meet their bar</th><th scope="col">figures</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function renderChapter(
  { file, markdown }: Chapter,
  files: ReadonlySet<string>,
  picture: ReportParts["picture"],
  headings: Heading[],
): string {
  const marked = new Marked({ gfm: true });
  const chapterId = idOf(file, "");
  let isFirst = true;
  const times = new Map<string, number>();
  /** As GitHub counts headings that come to the same anchor. */
  const uniqueSlugOf = (text: string): string => {
    const slug = slugOf(text);
    const before = times.get(slug) ?? 0;
    times.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  };
  marked.use({
    renderer: {
      heading(this: { parser: { parseInline(tokens: Tokens.Heading["tokens"]): string } }, { tokens, depth, text }) {
        const html = this.parser.parseInline(tokens);
        const id = isFirst ? chapterId : idOf(file, uniqueSlugOf(text));
        isFirst = false;
        if (depth <= 2) headings.push({ id, html: withoutLinks(html), level: depth });
        return `<h${depth} id="${id}">${html}</h${depth}>\n`;
      },
      link(this: { parser: { parseInline(tokens: Tokens.Link["tokens"]): string } }, { href, tokens }) {
        const html = this.parser.parseInline(tokens);
        if (/^https?:/.test(href)) return `<a href="${escaped(href)}">${html}</a>`;
        const [path = "", anchor = ""] = href.split("#", 2);
        const target = path === "" ? file : posix.join(posix.dirname(file), path);
        if (files.has(target)) return `<a href="#${idOf(target, anchor)}">${html}</a>`;
        // It is in the package, and not in the report.
        return `${html} <span class="file">(${escaped(target)})</span>`;
      },
      image({ href, text }) {
        const svg = picture(posix.join(posix.dirname(file), href));
        return svg === null
          ? `<span class="file">[${escaped(text)}]</span>`
          : `<figure>${svg.replaceAll(/ id="(title|description)"/g, "").replace(/aria-labelledby="[^"]*"/, `aria-label="${escaped(text)}"`)}</figure>`;
      },
      code({ text }) {
        return `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`;
      },
      // Marks that scripts write tables between; what is folded up would not be on paper.
      html: ({ text }) => (text.startsWith("<!--") ? "" : text.replaceAll("<details>", "<details open>")),
    },
  });
  return marked.parse(markdown, { async: false });
}

function idOf(file: string, anchor: string): string {
  const chapter = file
    .replace(/(\/README)?\.md$/, "")
    .replace(/^docs\//, "")
    .replaceAll("/", "-");
  return anchor === "" ? chapter : `${chapter}-${anchor}`;
}

/** As GitHub makes anchors of headings, so that links of the documents hold. */
function slugOf(text: string): string {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function withoutLinks(html: string): string {
  return html.replaceAll(/<\/?a\b[^>]*>/g, "");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
