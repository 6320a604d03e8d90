import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { generateLoad } from "../load/generate-load.ts";
import { hideZeroRuns } from "../load/hide-zero-runs.ts";
import { LOAD_KINDS } from "../load/load-kinds.ts";
import { readLoadTable } from "../load/load-table.ts";
import type { LoadTrace } from "../load/load-trace.ts";
import { traceOf } from "../load/table-trace.ts";
import { packageFolder } from "../runtime/version.ts";

const DAY = 86_400;
/** Its collector was down for half an hour each night, and for seconds now and then. */
const SILENT_AFTER_SECONDS = 5;

/** The loads of the figures of accuracy, and what a reader of the figures should know of them. */
export interface BenchTraces {
  readonly note: string;
  /** Tweets of three weeks, by second. */
  readonly twitter: LoadTrace;
  /** Requests to a language model, an hour each: conversations, and code with its bursts. */
  readonly azureConv: LoadTrace;
  readonly azureCode: LoadTrace;
}

/** Recorded loads where there are any: in `folder`, in VARISCALE_TRACES, or beside the project; generated ones of their kind elsewhere. */
export function openBenchTraces(folder: string | null, isShort: boolean): BenchTraces {
  const path = resolve(folder ?? process.env["VARISCALE_TRACES"] ?? join(packageFolder, "../shared/traces"));
  const archive = join(path, "twitter-2021-08/workload.tbz2");
  if (isShort || !existsSync(archive)) return generated(isShort ? 4 : 21);
  const azure = (name: string): LoadTrace => readTrace(name, readFileSync(join(path, "azure-llm-2023", name), "utf8"));
  return {
    note: "recorded loads",
    twitter: hideZeroRuns(readTrace(archive, unpack(archive)), SILENT_AFTER_SECONDS).trace,
    azureConv: azure("azure_llm_conv_per_second.csv"),
    azureCode: azure("azure_llm_code_per_second.csv"),
  };
}

function generated(days: number): BenchTraces {
  return {
    note: "generated loads, since the recorded ones are not here",
    twitter: generateLoad(LOAD_KINDS.web, days * DAY, 1),
    azureConv: generateLoad({ baseRps: 5.5, groupSize: 1.2, components: [] }, 3600, 1),
    azureCode: generateLoad(LOAD_KINDS.onOff, 3600, 1),
  };
}

function readTrace(name: string, text: string): LoadTrace {
  return traceOf(readLoadTable(text, name, { column: null }), null).trace;
}

function unpack(archive: string): string {
  const { status, stdout, stderr } = spawnSync("tar", ["-xjOf", archive], { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`tar can't unpack ${archive}: ${stderr}`);
  return stdout;
}
