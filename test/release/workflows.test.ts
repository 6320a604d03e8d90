import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parseDocument } from "yaml";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

const FOLDER = ".github/workflows";

interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Job {
  readonly needs?: string | readonly string[];
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly strategy?: { readonly matrix?: Readonly<Record<string, readonly string[]>> };
  readonly permissions?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly on: unknown;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const read = (path: string) => readFileSync(join(packageFolder, path), "utf8");
const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
const targets = [...read("Dockerfile").matchAll(/^FROM \S+ AS (\S+)$/gm)].map(match => match[1]);
const files = readdirSync(join(packageFolder, FOLDER));

function readWorkflow(file: string): Workflow {
  const document = parseDocument(read(`${FOLDER}/${file}`));
  assert.deepEqual([...document.errors, ...document.warnings], []);
  return document.toJS() as Workflow;
}

describe("the workflows", () => {
  it("are those of changes, of releases and of the night", () =>
    assert.deepEqual(files.sort(), ["ci.yaml", "nightly.yaml", "release.yaml"]));

  for (const file of files) {
    const workflow = readWorkflow(file);
    const jobs = Object.entries(workflow.jobs);
    const steps = jobs.flatMap(([name, job]) => (job.steps ?? []).map(step => ({ name, step })));

    it(`${file}: every action is of one commit, its version beside it, and every workflow of ours is there`, () => {
      const used = [...steps.map(({ step }) => step.uses), ...jobs.map(([, job]) => job.uses)].filter(
        uses => uses !== undefined,
      );
      assert.ok(used.length > 0);
      for (const uses of used) {
        if (uses.startsWith("./")) assert.ok(existsSync(join(packageFolder, uses)), uses);
        else assert.match(uses, /^[\w-]+\/[\w/-]+@[0-9a-f]{40}$/);
      }
      const versions = new Map<string, string>();
      for (const [, action = "", version = ""] of read(`${FOLDER}/${file}`).matchAll(/uses: ([\w-]+\/.*@\S+)(.*)$/gm)) {
        assert.match(version, /^ # v\d+\.\d+\.\d+$/, action);
        assert.equal(versions.get(action) ?? version, version, action);
        versions.set(action, version);
      }
    });

    it(`${file}: what steps run is there`, () => {
      const runs = steps.flatMap(({ step }) => (step.run === undefined ? [] : [step.run]));
      assert.ok(runs.length > 0);
      for (const run of runs) {
        for (const [, name = ""] of run.matchAll(/npm run (?:--silent )?([\w:-]+)/g)) assert.ok(scripts[name], name);
        for (const [path] of run.matchAll(/(?:scripts|charts)\/[\w./-]+/g))
          assert.ok(existsSync(join(packageFolder, path)), path);
        for (const [path] of run.matchAll(/\.ci\/\w+/g)) accessSync(join(packageFolder, path), constants.X_OK);
        // What comes from outside is given by the environment: in the text of a script it would be run.
        assert.doesNotMatch(run, /\$\{\{/);
      }
    });

    it(`${file}: jobs wait for jobs that there are, and may only read where nothing else is said`, () => {
      for (const [name, { needs = [] }] of jobs)
        for (const other of [needs].flat()) assert.ok(workflow.jobs[other], `${name} needs ${other}`);
      assert.deepEqual(workflow.permissions, { contents: "read" });
      for (const { step } of steps)
        if (step.uses?.startsWith("actions/checkout@")) assert.equal(step.with?.["persist-credentials"], false);
    });
  }

  it("release.yaml: nothing is published before all of .ci/run has passed, and it builds every target", () => {
    const { on, jobs } = readWorkflow("release.yaml");
    assert.deepEqual(on, { push: { tags: ["v*"] } });
    assert.equal(jobs["ci"]?.uses, `./${FOLDER}/ci.yaml`);
    for (const name of ["images", "chart", "npm"]) {
      assert.deepEqual(jobs[name]?.needs, ["check", "ci"]);
      // To sign as this workflow.
      assert.equal(jobs[name].permissions?.["id-token"], "write");
    }
    const built = jobs["images"]?.strategy?.matrix?.["target"] ?? [];
    assert.deepEqual(built, ["all", "scaler", "variant-switcher", "gateway", "demo"]);
    for (const target of built) assert.ok(targets.includes(target), target);
  });

  describe("release.yaml, before anything is pushed", () => {
    const text = read(`${FOLDER}/release.yaml`);
    const { jobs } = readWorkflow("release.yaml");
    const stepOf = (id: string): Step => {
      const step = jobs["check"]?.steps?.find(one => one.id === id);
      assert.ok(step, `there is no step ${id}`);
      return step;
    };
    /** As the runner has bash run it. */
    const run = ({ run: script = "" }: Step, env: NodeJS.ProcessEnv) =>
      spawnSync("bash", ["--noprofile", "--norc", "-e", "-c", script], {
        env: { PATH: process.env["PATH"], ...env },
        encoding: "utf8",
      });

    it("asks for every variable and secret that it uses, by name", () => {
      const settings = stepOf("settings");
      const used = new Set([...text.matchAll(/\$\{\{ (?:vars|secrets)\.(\w+) \}\}/g)].map(([, name = ""]) => name));
      assert.deepEqual(Object.keys(settings.env ?? {}).toSorted(), [...used].toSorted());
      const all = Object.fromEntries([...used].map(name => [name, "x"]));
      assert.equal(run(settings, all).status, 0);
      for (const name of used) {
        const { status, stderr } = run(settings, { ...all, [name]: "" });
        assert.equal(status, 1, name);
        assert.match(stderr, new RegExp(`^set ${name}, .*docs/releasing\\.md\n$`));
      }
    });

    it("knows a prerelease, which is neither npm's `latest` nor the page's", () => {
      const folder = new TestFolder();
      try {
        const outputsOf = (tag: string): string => {
          const file = join(folder.path, tag);
          assert.equal(run(stepOf("version"), { TAG: tag, GITHUB_OUTPUT: file }).status, 0);
          return readFileSync(file, "utf8");
        };
        assert.equal(outputsOf("v1.2.3"), "version=1.2.3\nprerelease=false\ndist-tag=latest\n");
        assert.equal(outputsOf("v1.2.3-rc.1"), "version=1.2.3-rc.1\nprerelease=true\ndist-tag=next\n");
      } finally {
        folder.delete();
      }
      assert.match(
        text,
        /run: npm publish .*--tag "\$DIST_TAG"\n\s+env:\n\s+DIST_TAG: \$\{\{ needs\.check\.outputs\.dist-tag \}\}/,
      );
      assert.match(text, /PRERELEASE: \$\{\{ needs\.check\.outputs\.prerelease \}\}/);
      assert.match(text, /run: gh release create .*"--prerelease=\$PRERELEASE"/);
      for (const job of ["npm", "release"]) assert.ok([jobs[job]?.needs].flat().includes("check"), job);
    });
  });

  for (const [file, program] of [
    ["ci.yaml", ".ci/run"],
    ["nightly.yaml", ".ci/nightly"],
  ] as const) {
    it(`${file}: runs ${program} with the whole history, and gives it the time that its stages may take together`, () => {
      const steps = Object.values(readWorkflow(file).jobs).flatMap(job => job.steps ?? []);
      assert.ok(steps.some(step => step.run?.endsWith(program)));
      // A test takes the chart of version 0.1.0 from a commit, which a shallow clone lacks.
      for (const step of steps)
        if (step.uses?.startsWith("actions/checkout@")) assert.equal(step.with?.["fetch-depth"], 0);
      const limit = /timeout-minutes: (\d+)/.exec(read(`${FOLDER}/${file}`))?.[1];
      assert.ok(Number(limit) >= sumMinutes(read(program)), `${limit}`);
    });
  }

  it("nightly.yaml: runs every night", () => {
    const { on } = readWorkflow("nightly.yaml");
    assert.match(
      (on as { readonly schedule: readonly [{ readonly cron: string }] }).schedule[0].cron,
      /^\d+ \d+ \* \* \*$/,
    );
  });
});

/** Adds up the limits of all stages; those in a loop over versions count once for each. */
function sumMinutes(program: string): number {
  let times = 1;
  let stages = 0;
  let minutes = 0;
  for (const line of program.split("\n")) {
    const versions = /^for version in (.*); do$/.exec(line)?.[1];
    if (versions !== undefined) times = versions.split(" ").length;
    if (line === "done") times = 1;
    const limit = /\b(?:stage|tests) \S+ (\d+) /.exec(line)?.[1];
    if (limit === undefined || line.startsWith("#")) continue;
    stages += 1;
    minutes += times * Number(limit);
  }
  assert.ok(stages > 3);
  return minutes;
}
