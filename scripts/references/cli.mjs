// The reference of the command line: every command's own help, as it prints it, and what exit codes mean.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { table } from "./table.mjs";

/** Columns of the help texts. */
const WIDTH = 120;
const CODES = {
  done: "done",
  failed:
    "something failed: it can't be read, does not answer, refuses, or is not as the command demands (`doctor` found a failure, `demo` did not show what it must)",
  wrongInput: "what the command was given can't be used: options, names, files. The message names the fix",
  infeasible: "there is a result, and no plan in it meets every constraint (`plan`, `fleet`)",
  interrupted: "Ctrl-C, of commands that do not end by it otherwise",
};

export async function cliReference(root) {
  // Defaults are shown as they are for any user.
  process.env.HOME = "~";
  delete process.env.XDG_STATE_HOME;
  const from = path => import(pathToFileURL(join(root, "dist", path)).href);
  const { createProgram } = await from("cli/program.js");
  const { EXIT } = await from("cli/exit-codes.js");
  const { SWITCHER_USAGE } = await from("variant-switcher/run-switcher.js");
  const codes = { done: 0, ...EXIT };
  const unknown = Object.keys(codes).filter(name => !(name in CODES));
  if (unknown.length > 0) throw new Error(`scripts/references/cli.mjs does not say what exit code ${unknown} means`);
  return [
    "# Reference: command line",
    "",
    "Written by `npm run build && node scripts/write-references.mjs`. Results go to standard output, progress and logs to standard error; `--output json` prints JSON alone.",
    "",
    "## Exit codes",
    "",
    table(
      ["code", "what it means"],
      Object.entries(codes).map(([name, code]) => [`${code}`, CODES[name]]),
    ),
    ...commandsOf(createProgram(), []).flatMap(({ names, command }) => [
      "",
      `## ${names.join(" ")}`,
      "",
      "````text",
      names.join(" ") === "switcher" ? SWITCHER_USAGE : helpOf(command),
      "````",
    ]),
  ].join("\n");
}

function commandsOf(command, above) {
  return command.commands.flatMap(sub => {
    const names = [...above, sub.name()];
    return [...(sub.commands.length > 0 ? [] : [{ names, command: sub }]), ...commandsOf(sub, names)];
  });
}

function helpOf(command) {
  let text = "";
  const write = written => {
    text += written;
  };
  command.configureOutput({ writeOut: write, getOutHelpWidth: () => WIDTH, getOutHasColors: () => false });
  command.outputHelp();
  return text.trim();
}
