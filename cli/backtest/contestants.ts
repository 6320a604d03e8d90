import { VariscaleError } from "../../domain/errors.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import type { Contestant } from "../../predictor/backtest.ts";
import { cellsOf } from "../../predictor/cells-of.ts";
import type { AskedExpert } from "../../predictor/expert.ts";
import { ALL_EXPERTS, EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import { createNetworkExperts, NETWORK } from "../../predictor/network/network-experts.ts";
import { type OpenModel, openModel } from "../../predictor/network/open-model.ts";
import { rememberingExpert } from "../../predictor/remembering-expert.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";

/** What the scaler forecasts with. */
const PRODUCTION = "variscale";
/** The same with a network of the load's own, as the scaler has trained it by then. */
const TRAINED = "trained";

/** Who takes part when nobody is named. */
export const USUAL_FORECASTERS: readonly string[] = [PRODUCTION, NETWORK, ...ALL_EXPERTS.map(({ name }) => name)];
const FORECASTERS = [...USUAL_FORECASTERS, TRAINED];

export interface ContestantOptions {
  readonly names: readonly string[];
  readonly horizonsSeconds: readonly number[];
  readonly trace: LoadTrace;
  /** What is trained is trained on the seconds before it. */
  readonly testFromSecond: number;
  readonly onTraining: (share: number) => void;
}

/** @throws VariscaleError invalid_argument for a name that there is not. */
export function checkForecasters(names: readonly string[]): void {
  for (const name of names.flatMap(one => (one === TRAINED ? [] : one.split("+"))))
    if (!FORECASTERS.includes(name) || name === TRAINED)
      throw new VariscaleError(
        "invalid_argument",
        `--forecaster ${name}: there is none of that name; it is one of ${FORECASTERS.join(", ")}`,
      );
}

/**
 * The forecaster of the scaler with the bundled network, and with one trained on what lies before the split; experts alone, and such as
 * `ewma+daily` that are weighed as the scaler's. Each has the same calibration, so that what is compared are predictions.
 *
 * @throws VariscaleError failed_precondition where there is too little to train the network on.
 */
export async function contestantsOf(options: ContestantOptions): Promise<readonly Contestant[]> {
  const { names, horizonsSeconds, testFromSecond } = options;
  const bundled = await openModel(readBundledModel());
  const isNamed = (name: string): boolean => names.some(one => one.split("+").includes(name));
  const { peak } = createNetworkExperts(new InstantNetwork(bundled));
  const all = [...ALL_EXPERTS, ...(peak === null ? [] : [peak])].map(rememberingExpert);
  const production = all.filter(({ name }) => name === NETWORK || EXPERTS.some(expert => expert.name === name));
  const expertsNamed = (name: string): readonly AskedExpert[] =>
    name === PRODUCTION ? production : all.filter(expert => expert.name === name);
  const own = isNamed(TRAINED) ? await ownModel(options) : null;
  return [...new Set(names)].map(name => {
    if (name === TRAINED) {
      const experts = production.filter(expert => expert.name !== NETWORK);
      const forecaster = new LoadForecaster({ experts, network: new InstantNetwork(bundled) });
      const changes = [{ second: testFromSecond, apply: () => forecaster.setNetwork(own && new InstantNetwork(own)) }];
      return { name, horizonsSeconds, forecaster, changes };
    }
    const experts = new Set(name.split("+").flatMap(expertsNamed));
    return { name, horizonsSeconds, forecaster: new LoadForecaster({ experts: [...experts] }) };
  });
}

/** As the scaler trains one. */
async function ownModel({ trace, testFromSecond, onTraining }: ContestantOptions): Promise<OpenModel> {
  const { trainOwnModel } = await import("../../predictor/training/train-own-model.ts");
  onTraining(0);
  const known = { startMs: trace.startMs, ratesRps: trace.ratesRps.subarray(0, testFromSecond) };
  const trained = await trainOwnModel(cellsOf(known), []);
  if (trained !== null) return openModel(trained.model);
  throw new VariscaleError(
    "failed_precondition",
    `--forecaster ${TRAINED}: the load before the split is too short to train on; split later, or leave ${TRAINED} out`,
  );
}
