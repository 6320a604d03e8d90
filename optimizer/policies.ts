import type { AccuracyMethod } from "../domain/accuracy-method.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import type { PolicyName } from "../domain/policy-name.ts";

/**
 * What the latency of a stage is taken to be. `queueing`: the distribution of latency.ts. `paper`: mean service time of a full
 * batch + (b − 1)/λ until it has filled, as IPA and FA2 have it. `service`: mean service time of a full batch alone.
 */
export type LatencyModel = "queueing" | "paper" | "service";

/** An optimisation problem as data: what is chosen, what is given, and what counts. */
export interface Policy {
  readonly latency: LatencyModel;
  /** Soft: requests that are late only count as wrong; no share of them is too large. */
  readonly slo: "hard" | "soft";
  /** Null: the pipeline file's. */
  readonly accuracy: AccuracyMethod | null;
  /** What takes the place of the pipeline file's weights. */
  readonly weights: Partial<Objective["weights"]>;
  /** In the place of the pipeline file's; null: the file's. */
  readonly utilisation: number | null;
  /** `lightest` and `heaviest`: by the work of one row. */
  readonly variants: "free" | "default" | "lightest" | "heaviest";
  readonly batches: "free" | "smallest";
  /** `current`: those that serve now, the most allowed where none do. `hpa`: by the formula of Kubernetes' HPA. */
  readonly replicas: "free" | "current" | "most" | "hpa";
  /** Stages whose pipeline file says that they give classes (`votes`) may be served by several variants that vote. */
  readonly ensembles: boolean;
  /** Replicas may serve lighter variants than the planned one. False: they serve what is planned, as in the literature. */
  readonly ladder: boolean;
}

const DEFAULT: Policy = {
  latency: "queueing",
  slo: "hard",
  accuracy: null,
  weights: {},
  utilisation: null,
  variants: "free",
  batches: "free",
  replicas: "free",
  ensembles: false,
  ladder: true,
};

/** The literature's policies change variants with plans alone. */
const LITERATURE: Policy = { ...DEFAULT, ladder: false };

/** Cost decides; accuracy only between plans that cost the same. */
const LEAST_COST: Policy["weights"] = { accuracy: 1e-6, cost: 1 };
/** Accuracy decides; the batch only between plans that are equally accurate. */
const MOST_ACCURATE: Policy["weights"] = { accuracy: 1, cost: 0, batch: 1e-9, switch: 0 };

/**
 * The policies. Sources: IPA (JSys 2024, eqs. 1–9), INFaaS (ATC 2021, §5), Model-Switching (HotCloud 2020; reconstructed from its
 * abstract), Cocktail (NSDI 2022, objectives O1 and O2), FA2 (RTAS 2022) with the lightest and the heaviest variants, RIM (IoTDI
 * 2021, as IPA's authors ran it), the HPA of Kubernetes. docs/report/optimisation.md maps each paper's problem to these fields.
 */
export const POLICIES: Readonly<Record<PolicyName, Policy>> = {
  default: DEFAULT,
  /** The default with foreknowledge: to be given the load that comes. Switching is free, as it is known when to. */
  oracle: { ...DEFAULT, weights: { switch: 0 } },
  static: { ...DEFAULT, variants: "default" },
  ipa: { ...LITERATURE, latency: "paper", accuracy: "product", weights: { switch: 0 }, utilisation: 1 },
  infaas: { ...LITERATURE, latency: "service", weights: LEAST_COST, utilisation: 0.95 },
  modelSwitching: { ...LITERATURE, slo: "soft", weights: MOST_ACCURATE, replicas: "current" },
  cocktail: { ...LITERATURE, latency: "service", weights: LEAST_COST, utilisation: 1, ensembles: true },
  fa2Low: { ...LITERATURE, latency: "paper", weights: LEAST_COST, utilisation: 1, variants: "lightest" },
  fa2High: { ...LITERATURE, latency: "paper", weights: LEAST_COST, utilisation: 1, variants: "heaviest" },
  rim: { ...LITERATURE, latency: "paper", weights: MOST_ACCURATE, utilisation: 1, replicas: "most" },
  reactive: { ...DEFAULT, slo: "soft", variants: "default", batches: "smallest", replicas: "hpa" },
};
