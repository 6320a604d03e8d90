import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import { packageFolder, packageVersion } from "../../runtime/version.ts";
import { readChapters } from "./chapters.ts";
import { findChromium, printPdf } from "./print-pdf.ts";
import { reportHtml } from "./report-html.ts";

export interface ReportCommand {
  readonly folder: string;
  readonly format: "all" | "html" | "pdf";
  readonly env: NodeJS.ProcessEnv;
  /** Takes one line about what was done. */
  readonly say: (line: string) => void;
}

/** Writes report.html and report.pdf. @throws VariscaleError failed_precondition where a PDF was asked for alone and can't be made. */
export async function writeReport({ folder, format, env, say }: ReportCommand): Promise<void> {
  const chromium = format === "html" ? null : findChromium(env);
  const missing =
    "there is no Chromium: install one (Debian: apt-get install chromium), or name it in VARISCALE_CHROMIUM";
  if (format === "pdf" && chromium === null) throw new VariscaleError("failed_precondition", `no PDF, ${missing}`);
  mkdirSync(folder, { recursive: true });
  const htmlFile = resolve(folder, "report.html");
  const pdfFile = resolve(folder, "report.pdf");
  const pictureOf = (path: string): string | null => {
    const file = join(packageFolder, path);
    return path.endsWith(".svg") && existsSync(file) ? readFileSync(file, "utf8") : null;
  };
  const html = reportHtml({ chapters: readChapters(packageFolder), version: packageVersion, picture: pictureOf });
  // Whoever reads the old one never sees half of the new one.
  writeFileSync(`${htmlFile}.tmp`, html);
  renameSync(`${htmlFile}.tmp`, htmlFile);
  if (format !== "pdf") say(`written: ${htmlFile}`);
  if (chromium !== null) {
    await printPdf(chromium, htmlFile, pdfFile);
    say(`written: ${pdfFile}`);
  } else if (format === "all") say(`no PDF, ${missing}`);
  if (format === "pdf") rmSync(htmlFile);
}
