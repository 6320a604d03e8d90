import { Command } from "commander";
import { packageVersion } from "../runtime/version.ts";
import { addAgent } from "./commands/agent.ts";
import { addBacktest } from "./commands/backtest.ts";
import { addDemo } from "./commands/demo.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDrift } from "./commands/drift.ts";
import { addExplain } from "./commands/explain.ts";
import { addFleet } from "./commands/fleet.ts";
import { addForecast } from "./commands/forecast.ts";
import { addGateway } from "./commands/gateway.ts";
import { addInit } from "./commands/init.ts";
import { addManifests } from "./commands/manifests.ts";
import { addMcp } from "./commands/mcp.ts";
import { addMode } from "./commands/mode.ts";
import { addModels } from "./commands/models.ts";
import { addPin } from "./commands/pin.ts";
import { addPlan } from "./commands/plan.ts";
import { addProfile } from "./commands/profile.ts";
import { addReport } from "./commands/report.ts";
import { addScaler } from "./commands/scaler.ts";
import { addSimulate } from "./commands/simulate.ts";
import { addTop } from "./commands/top.ts";
import { addUp } from "./commands/up.ts";
import { addValidate } from "./commands/validate.ts";
import { EXIT } from "./exit-codes.ts";
import { optionText } from "./option-text.ts";

const DESCRIPTION =
  "Chooses model variant, batch size and replicas of every stage of an inference pipeline, and switches variants inside running pods.";

const EXIT_CODES =
  "\nExit codes: 0 done; 1 something failed; 2 what it was given can't be used; 3 no plan meets every constraint; 130 Ctrl-C.";

/** The command line. Every command imports what it runs only when it runs. */
export function createProgram(): Command {
  const program = new Command("variscale")
    .description(DESCRIPTION)
    .version(packageVersion)
    .configureHelp({ optionDescription: optionText })
    .showHelpAfterError("(--help shows what it takes)")
    .addHelpText("after", "\nExample:\n  variscale up pipelines/id-card")
    .addHelpText("afterAll", EXIT_CODES)
    // Of options and arguments; help and version end with 0.
    .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : EXIT.wrongInput));
  addUp(program);
  addDemo(program);
  addInit(program);
  addModels(program);
  addValidate(program);
  addProfile(program);
  addDrift(program);
  addPlan(program);
  addFleet(program);
  addSimulate(program);
  addTop(program);
  addExplain(program);
  addPin(program);
  addMode(program);
  addScaler(program);
  addGateway(program);
  addBacktest(program);
  addForecast(program);
  addMcp(program);
  addManifests(program);
  addDoctor(program);
  addReport(program);
  addAgent(program);
  program
    .command("switcher")
    .description(
      "run the variant-switcher of one stage's pod; it takes its own flags: variscale switcher --config FILE",
    )
    .helpCommand(false);
  return program;
}
