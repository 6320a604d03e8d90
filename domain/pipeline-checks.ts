import { type FileIssue, formatPath, showValue } from "./file-issue.ts";
import type { PipelineFile, StageFile } from "./pipeline-schema.ts";
import type { Measurements } from "./profile-schema.ts";

type Path = readonly (string | number)[];

/** Rules across fields, which the schema alone can't say. */
export function checkPipelineFile(file: PipelineFile): FileIssue[] {
  const issues: FileIssue[] = [];
  const report = (path: Path, rule: string, fix: string) =>
    issues.push({ path: formatPath(path), value: showValue(file, path), rule, fix });
  if (file.spec.load.counter !== undefined && file.spec.load.query !== undefined)
    report(["spec", "load", "query"], "must not stand beside `counter`", "Remove one of them.");
  const seen = new Set<string>();
  file.spec.stages.forEach((stage, i) => {
    const at: Path = ["spec", "stages", i];
    if (seen.has(stage.name))
      report([...at, "name"], "two stages have this name", "Give each stage a name of its own.");
    seen.add(stage.name);
    checkDependsOn(file, i, report);
    checkVariants(stage, at, report);
    checkFanOut(file.spec.stages[i - 1], stage, at, report);
    checkContract(stage, at, report);
  });
  return issues;
}

type Report = (path: Path, rule: string, fix: string) => void;

function checkDependsOn(file: PipelineFile, index: number, report: Report): void {
  const stage = file.spec.stages[index];
  const before = file.spec.stages[index - 1];
  if (stage?.dependsOn === undefined) return;
  const isChain =
    before === undefined
      ? stage.dependsOn.length === 0
      : stage.dependsOn.length === 1 && stage.dependsOn[0] === before.name;
  if (isChain) return;
  const rule = "stages must form a chain in the order of the file";
  const fix =
    before === undefined
      ? "Remove `dependsOn` of the first stage."
      : `Write [${before.name}], or leave \`dependsOn\` out.`;
  report(["spec", "stages", index, "dependsOn"], rule, fix);
}

function checkVariants(stage: StageFile, at: Path, report: Report): void {
  const names = stage.variants.map(variant => variant.name);
  stage.variants.forEach((variant, j) => {
    if (names.indexOf(variant.name) !== j)
      report(
        [...at, "variants", j, "name"],
        "two variants of the stage have this name",
        "Give each variant a name of its own.",
      );
    if (variant.profile) checkCores(variant.profile.cores, stage, [...at, "variants", j, "profile", "cores"], report);
  });
  if (!names.includes(stage.defaultVariant)) {
    report([...at, "defaultVariant"], "is not a variant of the stage", `Write one of: ${names.join(", ")}.`);
  }
}

function checkCores(cores: number, stage: StageFile, path: Path, report: Report): void {
  if (cores === stage.cores) return;
  report(
    path,
    `was measured at ${cores} cores, but a replica of the stage has ${stage.cores}`,
    "Measure it at the shape of the stage: run `variscale profile`.",
  );
}

function checkFanOut(upstream: StageFile | undefined, stage: StageFile, at: Path, report: Report): void {
  if (typeof stage.fanOut === "number") return;
  for (const variant of Object.keys(stage.fanOut.byUpstreamVariant)) {
    if (upstream?.variants.some(other => other.name === variant)) continue;
    const fix =
      upstream === undefined
        ? "Remove it: the first stage has no upstream stage."
        : `Write a variant of \`${upstream.name}\`.`;
    report([...at, "fanOut", "byUpstreamVariant", variant], "is not a variant of the upstream stage", fix);
  }
}

function checkContract(stage: StageFile, at: Path, report: Report): void {
  for (const side of ["inputs", "outputs"] as const) {
    const names = stage.contract[side].map(tensor => tensor.name);
    names.forEach((tensor, j) => {
      if (names.indexOf(tensor) !== j)
        report(
          [...at, "contract", side, j, "name"],
          "two tensors have this name",
          "Give each tensor a name of its own.",
        );
    });
  }
}

/** Rules between a pipeline file and its measurements; paths are those of the measurements file. */
export function checkMeasurements(file: PipelineFile, measurements: Measurements): FileIssue[] {
  const issues: FileIssue[] = [];
  const report = (path: Path, rule: string, fix: string) =>
    issues.push({ path: `measurements: ${formatPath(path)}`, value: showValue(measurements, path), rule, fix });
  for (const stage of file.spec.stages) {
    for (const [variant, profile] of Object.entries(measurements.stages[stage.name] ?? {})) {
      checkCores(profile.cores, stage, ["stages", stage.name, variant, "cores"], report);
    }
  }
  return issues;
}
