// `npm run test:nodes -- VERSION… [--whole|--tfjs-node] [-- mocha options]`: runs tests on other Nodes than this machine's, with the binaries of
// the npm package node-PLATFORM-ARCH; they are kept in node_modules/.cache, so that `npm ci` fetches them again. Without an option the suites
// run whose subjects depend on Node itself: servers, TLS, streams, threads, native addons and training.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SUITES = [
  ["runtime", /./],
  ["variant-switcher", /^(data-server|rest|grpc|lost-session|session-.*|run-switcher|main)$/],
  ["scaler", /^(grpc-server|tls|http-api|analysis-thread|forecast-trainer|network-thread|main)$/],
  ["gateway", /^(gateway|main)$/],
  ["predictor", /^(backends|network|train-network)$/],
];

const ours = process.argv.slice(2);
const split = ours.indexOf("--");
const [own, others] = split === -1 ? [ours, []] : [ours.slice(0, split), ours.slice(split + 1)];
const versions = own.filter(arg => !arg.startsWith("--"));
const [option = "--some"] = own.filter(arg => arg.startsWith("--"));
const MOCHA = join(root, "node_modules/mocha/bin/mocha.js");
const PROGRAMS = {
  "--some": () => [MOCHA, ...mochaOptions()],
  "--whole": () => [MOCHA],
  "--tfjs-node": () => [join(root, "scripts/test-tfjs-node.mjs")],
};
if (!Object.hasOwn(PROGRAMS, option)) fail(`there is no ${option}; there are ${Object.keys(PROGRAMS).join(", ")}`);
if (versions.length === 0 || versions.some(version => !/^\d+(\.\d+){0,2}$/.test(version)))
  fail("name at least one version of Node, as in: npm run test:nodes -- 22 26");

let status = 0;
for (const version of versions) {
  const node = installNode(version);
  console.log(`test:nodes: ${version} is ${spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()}`);
  const ended = spawnSync(node, [...PROGRAMS[option](), ...others], {
    cwd: root,
    stdio: "inherit",
    // Tests that start `node` start this one.
    env: { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) },
  });
  status ||= ended.status ?? 1;
}
process.exit(status);

function mochaOptions() {
  const options = ["--no-config", "--forbid-only", "--timeout", "120000"];
  for (const name of ["no-telemetry", "seeded-properties"]) options.push("--require", `./dist/test/support/${name}.js`);
  return [...options, ...SUITES.flatMap(findSpecs)];
}

/** Finds the files of a suite; a suite without files was moved, and its tests would be left out unseen. */
function findSpecs([folder, names]) {
  const specs = readdirSync(join(root, "dist/test", folder), { recursive: true })
    .filter(file => file.endsWith(".test.js") && names.test(basename(file, ".test.js")))
    .map(file => join("dist/test", folder, file));
  if (specs.length === 0)
    fail(`no test of dist/test/${folder} matches ${names}: say in scripts/test-nodes.mjs where they are`);
  return specs;
}

function installNode(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(root, "node_modules/.cache/node", version);
  const node = join(folder, "node_modules", name, "bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = [
    "install",
    "--silent",
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    `${name}@${version}`,
  ];
  if (spawnSync("npm", args, { cwd: folder, stdio: "inherit" }).status !== 0)
    fail(`could not install ${name}@${version} from the npm registry`);
  return node;
}

function fail(message) {
  console.error(`test:nodes failed: ${message}`);
  process.exit(1);
}
