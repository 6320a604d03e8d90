import { type FileIssue, formatPath, showValue } from "./file-issue.ts";
import type { PipelineFile, StageFile } from "./pipeline-schema.ts";
import { profileAt } from "./profile.ts";
import type { Measurements } from "./profile-schema.ts";
import { ELEMENT_BYTES } from "./tensor.ts";
import { unservedOf } from "./unserved.ts";

type Path = readonly (string | number)[];

/** Rules across fields, which the schema alone can't say. */
export function checkPipelineFile(file: PipelineFile): FileIssue[] {
  const issues: FileIssue[] = [];
  const report = (path: Path, rule: string, fix: string) =>
    issues.push({ path: formatPath(path), value: showValue(file, path), rule, fix });
  if (file.spec.load.counter !== undefined && file.spec.load.query !== undefined)
    report(["spec", "load", "query"], "must not stand beside `counter`", "Remove one of them.");
  if (file.spec.mode === "active") checkServable(file, report);
  checkPackages(file, report);
  checkFloors(file, report);
  const seen = new Set<string>();
  file.spec.stages.forEach((stage, i) => {
    const at: Path = ["spec", "stages", i];
    if (seen.has(stage.name))
      report([...at, "name"], "two stages have this name", "Give each stage a name of its own.");
    seen.add(stage.name);
    checkDependsOn(file, i, report);
    checkVariants(stage, file.spec.objective.podShape, at, report);
    checkVotes(stage, at, report);
    const upstream = stage.dependsOn ? stage.dependsOn[0] : file.spec.stages[i - 1]?.name;
    checkFanOut(
      file.spec.stages.find(other => other.name === upstream),
      stage,
      at,
      report,
    );
    checkContract(stage, at, report);
    checkDrivers(stage, at, report);
    checkGolden(stage, at, report);
    checkSigns(stage, at, report);
  });
  return issues;
}

type Report = (path: Path, rule: string, fix: string) => void;

function checkServable(file: PipelineFile, report: Report): void {
  for (const { field, rule } of unservedOf(file.spec.objective))
    report(["spec", "objective", field], rule, "Write `mode: shadow`, or choose another.");
}

function checkPackages(file: PipelineFile, report: Report): void {
  const names = file.spec.packages.map(one => one.name);
  names.forEach((name, i) => {
    if (names.indexOf(name) !== i)
      report(["spec", "packages", i, "name"], "two packages have this name", "Name each package once.");
  });
  file.spec.stages.forEach((stage, i) => {
    stage.variants.forEach((variant, j) => {
      if (variant.package === undefined || names.includes(variant.package)) return;
      const fix = names.length > 0 ? `Write one of: ${names.join(", ")}.` : "Describe it there.";
      report(["spec", "stages", i, "variants", j, "package"], "is not in `spec.packages`", fix);
    });
    if (stage.variants.every(variant => variant.package !== undefined))
      report(
        ["spec", "stages", i, "variants"],
        "all come from packages, so nothing can be served before those are installed",
        "Give the stage a variant without `package`.",
      );
  });
}

function checkFloors(file: PipelineFile, report: Report): void {
  for (const [name, variant] of Object.entries(file.spec.serving.floor)) {
    const path: Path = ["spec", "serving", "floor", name];
    const stage = file.spec.stages.find(other => other.name === name);
    const known = (stage?.variants ?? file.spec.stages).map(other => other.name);
    const rule = stage ? `is not a variant of stage \`${name}\`` : "is of no stage of the pipeline";
    if (!stage || !known.includes(variant)) report(path, rule, `Write one of: ${known.join(", ")}.`);
  }
}

function checkDependsOn(file: PipelineFile, index: number, report: Report): void {
  const earlier = file.spec.stages.slice(0, index).map(stage => stage.name);
  const written = file.spec.stages[index]?.dependsOn ?? [];
  written.forEach((name, j) => {
    const path: Path = ["spec", "stages", index, "dependsOn", j];
    const fix = earlier.length > 0 ? `Write one of: ${earlier.join(", ")}.` : "Remove it: this is the first stage.";
    if (!earlier.includes(name)) report(path, "is not a stage that stands before this one in the file", fix);
    else if (written.indexOf(name) !== j) report(path, "is named twice", "Remove it.");
  });
}

function checkVariants(stage: StageFile, podShape: string, at: Path, report: Report): void {
  const names = stage.variants.map(variant => variant.name);
  stage.variants.forEach((variant, j) => {
    if (names.indexOf(variant.name) !== j)
      report(
        [...at, "variants", j, "name"],
        "two variants of the stage have this name",
        "Give each variant a name of its own.",
      );
    if (variant.profile && podShape === "stage")
      checkCores(
        profileAt(variant.profile, stage.cores).cores,
        stage,
        [...at, "variants", j, "profile", "cores"],
        report,
      );
  });
  if (!names.includes(stage.defaultVariant)) {
    report([...at, "defaultVariant"], "is not a variant of the stage", `Write one of: ${names.join(", ")}.`);
  }
}

function checkDrivers({ variants }: StageFile, at: Path, report: Report): void {
  variants.forEach(({ driver, sha256, url, package: source }, j) => {
    const path = (member: string): Path => [...at, "variants", j, member];
    if (driver !== "remote") {
      if (sha256 === undefined) report(path("sha256"), "is missing", "Write that of the model's file.");
      if (url !== undefined) report(path("url"), "is for the driver `remote` alone", "Remove it.");
      return;
    }
    if (url === undefined) report(path("url"), "is missing", "Write where the other server is.");
    if (sha256 !== undefined) report(path("sha256"), "is of a file, which the driver `remote` has not", "Remove it.");
    if (source !== undefined) report(path("package"), "is of a file, which the driver `remote` has not", "Remove it.");
  });
}

/** What switchers would refuse. */
function checkGolden({ golden, variants, contract }: StageFile, at: Path, report: Report): void {
  golden.forEach((one, g) => {
    const path: Path = [...at, "golden", g];
    const variant = variants.find(({ name }) => name === one.variant);
    const names = variants.filter(({ driver }) => driver !== "emulated").map(({ name }) => name);
    if (!variant || variant.driver === "emulated")
      report([...path, "variant"], "is not a variant that computes something", `Write one of: ${names.join(", ")}.`);
    for (const side of ["inputs", "outputs"] as const)
      one[side].forEach(({ name, shape, data }, t) => {
        const tensor = contract[side].find(known => known.name === name);
        if (!tensor) {
          const known = contract[side].map(other => other.name).join(", ");
          report([...path, side, t, "name"], "is not in the stage's contract", `Write one of: ${known}.`);
          return;
        }
        if (tensor.datatype === "BYTES") return;
        const wanted = shape.reduce((product, dimension) => product * dimension, ELEMENT_BYTES[tensor.datatype]);
        const found = base64Bytes(data);
        if (found !== wanted)
          report(
            [...path, side, t, "data"],
            `has ${found} bytes, ${tensor.datatype} [${shape}] has ${wanted}`,
            "Write the tensor's bytes in base64.",
          );
      });
  });
}

function base64Bytes(text: string): number {
  return Math.floor((text.replace(/=+$/, "").length * 3) / 4);
}

function checkSigns({ accuracy, variants, contract }: StageFile, at: Path, report: Report): void {
  if (!accuracy) return;
  const outputs = contract.outputs.map(({ name }) => name);
  if (!outputs.includes(accuracy.output))
    report([...at, "accuracy", "output"], "is not an output of the stage", `Write one of: ${outputs.join(", ")}.`);
  const names = variants.map(({ name }) => name);
  for (const name of Object.keys(accuracy.thresholds))
    if (!names.includes(name))
      report(
        [...at, "accuracy", "thresholds", name],
        "is not a variant of the stage",
        `Write one of: ${names.join(", ")}.`,
      );
}

function checkVotes({ votes, variants }: StageFile, at: Path, report: Report): void {
  const names = variants.map(variant => variant.name);
  const seen = new Set<string>();
  votes?.measured.forEach((set, j) => {
    const path: Path = [...at, "votes", "measured", j, "variants"];
    const key = [...set.variants].sort().join("+");
    set.variants.forEach((variant, v) => {
      if (!names.includes(variant))
        report([...path, v], "is not a variant of the stage", `Write one of: ${names.join(", ")}.`);
      else if (set.variants.indexOf(variant) !== v) report([...path, v], "votes twice", "Write each variant once.");
    });
    if (set.variants.length % 2 === 0) report(path, "must be three or five variants", "Add or remove one.");
    else if (seen.has(key)) report(path, "is a vote that stands here twice", "Remove one of them.");
    seen.add(key);
  });
}

function checkCores(cores: number, stage: StageFile, path: Path, report: Report): void {
  if (cores === stage.cores) return;
  report(
    path,
    `was measured at ${cores} cores, but a replica of the stage has ${stage.cores}`,
    "Measure it at the shape of the stage: run `variscale profile`, with `--cores` for several.",
  );
}

function checkFanOut(upstream: StageFile | undefined, stage: StageFile, at: Path, report: Report): void {
  if (typeof stage.fanOut === "number") return;
  for (const variant of Object.keys(stage.fanOut.byUpstreamVariant)) {
    if (upstream?.variants.some(other => other.name === variant)) continue;
    const fix =
      upstream === undefined
        ? "Remove it: the stage has no upstream stage."
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
  if (file.spec.objective.podShape === "variant") return issues;
  for (const stage of file.spec.stages) {
    for (const [variant, profile] of Object.entries(measurements.stages[stage.name] ?? {})) {
      const { cores } = profileAt(profile, stage.cores);
      checkCores(cores, stage, ["stages", stage.name, variant, "cores"], report);
    }
  }
  return issues;
}
