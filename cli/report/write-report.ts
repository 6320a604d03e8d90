import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import { packageFolder, packageVersion } from "../../runtime/version.ts";
import { makeFolder } from "../make-folder.ts";
import { readChapters } from "./chapters.ts";
import { findChromium, printPdf } from "./print-pdf.ts";
import { reportHtml } from "./report-html.ts";

export interface ReportCommand {
  readonly folder: string;
  readonly format: "all" | "html" | "pdf";
  readonly env: NodeJS.ProcessEnv;
  /** Takes one line about what was left out. */
  readonly say: (line: string) => void;
}

export interface WrittenReport {
  /** Paths of files. */
  readonly written: readonly string[];
  /** Why there is no PDF, though one was asked for; null: there is, or none was asked for. */
  readonly noPdf: string | null;
}

/**
 * Writes report.html and report.pdf.
 *
 * @throws VariscaleError failed_precondition where the folder can't be written to, or a PDF was asked for alone and can't be made.
 */
export async function writeReport({ folder, format, env, say }: ReportCommand): Promise<WrittenReport> {
  const chromium = format === "html" ? null : findChromium(env);
  const missing =
    "there is no Chromium: install one (Debian: apt-get install chromium), or name it in VARISCALE_CHROMIUM";
  if (format === "pdf" && chromium === null) throw new VariscaleError("failed_precondition", `no PDF, ${missing}`);
  const htmlFile = resolve(folder, "report.html");
  const pdfFile = resolve(folder, "report.pdf");
  const pictureOf = (path: string): string | null => {
    const file = join(packageFolder, path);
    return path.endsWith(".svg") && existsSync(file) ? readFileSync(file, "utf8") : null;
  };
  const html = reportHtml({ chapters: readChapters(packageFolder), version: packageVersion, picture: pictureOf });
  writeWhole(htmlFile, html);
  if (chromium !== null) await printPdf(chromium, htmlFile, pdfFile);
  if (format === "pdf") {
    rmSync(htmlFile);
    return { written: [pdfFile], noPdf: null };
  }
  const isWithout = format === "all" && chromium === null;
  if (isWithout) say(`no PDF, ${missing}`);
  return { written: chromium === null ? [htmlFile] : [htmlFile, pdfFile], noPdf: isWithout ? missing : null };
}

/** Whoever reads the old one never sees half of the new one. */
function writeWhole(file: string, text: string): void {
  try {
    makeFolder(dirname(file));
    writeFileSync(`${file}.tmp`, text);
    renameSync(`${file}.tmp`, file);
  } catch (error) {
    try {
      rmSync(`${file}.tmp`, { force: true });
    } catch {
      // What is wrong is said below.
    }
    throw new VariscaleError(
      "failed_precondition",
      `can't write ${file} (${VariscaleError.from(error).message}). Make room, or name another folder with --folder.`,
      { cause: error },
    );
  }
}
