/** Constants of the control loop; design §8. All times in ms. */
export const SETTINGS = {
  /** Index into QUANTILES of the forecast quantile that is planned for: 0.95. */
  forecastQuantile: 2,
  /** Demand above what was planned for by this factor is planned for at once, without waiting for the interval. */
  surgeFactor: 1.1,
  /** Variants stay where others gain less than this by the objective, beside what their switches cost: estimates of accuracy vary by as much. */
  leastGain: 0.002,
  /** Batches and replicas with the same variants change where that gains this, as they cost hardly anything to change. */
  leastSizeGain: 0.0005,
  /** The current variants are left at once only where the demand takes more of their capacity than this. */
  overrunUtilisation: 0.95,
  /** Capacities that differ by less than this share are equal. */
  capacityTolerance: 0.001,
  /** Replicas at most double, or grow by this many, before the ones asked for are ready. */
  stepReplicas: 4,
  /** An HPA scales down to no less than it recommended in this time: the default of Kubernetes. */
  hpaStabilisationMs: 300_000,
  /** Without arrivals for this long, a pipeline whose stages allow it may go to zero. */
  idleAfterMs: 300_000,
  /** From wanting replicas to having them, before it was measured, and its bounds. */
  leadMs: 15_000,
  leadMinMs: 2_000,
  leadMaxMs: 300_000,
  leadSamples: 20,
  /** Replicas of which none became ready in this many leads are taken for stuck … */
  stuckLeads: 3,
  /** … and not before this, twice as much each time: what starts slowly must not be ended just before it is ready. */
  stuckAfterMs: 180_000,
  /** First retry of what was stuck or quarantined; doubles up to the maximum. */
  backoffMs: 60_000,
  backoffMaxMs: 3_600_000,
  /** A variant that a pod had no model file of is used again when a pod has it and none was without for this long. */
  missingHoldMs: 60_000,
  /** A tick moves the correction of service times by this share of the way, and by less where fewer batches tell of it. */
  correctionWeight: 0.2,
  correctionBatches: 5,
  correctionMin: 0.5,
  correctionMax: 4,
  /** More batches of one switcher in one tick count as this: one that lies must not outvote the others. */
  correctionMostBatches: 15,
  /** Plans are for at most so many times the load where less is answered in time than they say; rise and fall are of a second. */
  attainmentMost: 1.5,
  attainmentRise: 0.01,
  attainmentFall: 0.0005,
  attainmentTold: 1.01,
  /** Half of what was seen of the rows of a stage is forgotten in this time; fewer rows, or rows of less load time, say nothing. */
  rowsHalfLifeMs: 60_000,
  rowsLeast: 50,
  rowsLeastMs: 20_000,
  /** After a longer time without load data rows and requests are not of the same time. */
  rowsMostGapMs: 60_000,
  /** A fan-out is taken to have changed when it was seen to for this time. */
  rowsLastMs: 20_000,
  /** A stage of which not every ready replica was seen for this time is planned for at least the rows that the file says. */
  rowsUnseenMs: 10_000,
  /** Most entries of a list of times that is kept of a stage's rows. */
  rowsMostHeld: 150,
  /** A fan-out that is seen to differ by less is planned with as before. */
  rowsStep: 0.1,
  /** One that was learnt follows what is seen by smaller steps where that has moved by no more than this within `rowsLastMs`. */
  rowsFineStep: 0.02,
  /** Bounds of the fan-out that is learnt over the measured one: a switcher that lies must not ask for anything. */
  rowsLeastFactor: 0.1,
  rowsMostFactor: 100,
  /** A fan-out is not learnt to fall while more than this share of the rows is dropped … */
  rowsMostDropped: 0.01,
  /** … nor below the measured one while less than this share of the requests is answered in time. */
  rowsInTime: 0.99,
  /** A fan-out that is seen to differ by this share is told as a condition. */
  rowsTold: 0.25,
  /** Half of what answers say of accuracy is forgotten in this time; less than `evidenceLeast` answers is nothing. */
  evidenceHalfLifeMs: 300_000,
  evidenceLeast: 0.5,
  /** More answers, and more labels, of one combination are not held: with so many a share of one half is known to 1.3 points. */
  evidenceMostAnswers: 6000,
  evidenceMostLabels: 1500,
  /** Answers from which on an estimate is told. */
  evidenceTold: 20,
  /** What was measured counts as much as this many labelled items … */
  priorItems: 25,
  /** … an answer whose accuracy is estimated without a label as much as this; all of them, and all labels, at most as much as that. */
  estimateItems: 0.25,
  estimateMostItems: 400,
  /** Labels that correct an estimate by half of what they say; more of them by more. */
  labelsToTrust: 10,
  /** Accuracies that moved by less are planned with as before. */
  accuracyStep: 0.015,
  /** Evidence of what no longer serves is forgotten by half in this time, where there are trials. */
  rememberedHalfLifeMs: 900_000,
  /** A combination that may be better serves for this long, … */
  trialMs: 30_000,
  /**
   * … and none does before so long after the start of the last trial: a tenth of the time at most. Doubles up to `backoffMaxMs` with each trial
   * in a row that replicas did not carry.
   */
  trialEveryMs: 300_000,
  /** One ends where rows wait for this share of the SLO's latency. */
  trialQueueShare: 0.4,
  /** A variant that is not resident may be tried where it is loaded in this time. */
  trialLoadMs: 2_000,
  /**
   * How far a drift differs between combinations, as a share of it in log-odds: root mean square of 0.3 over the drifts that were measured of
   * the pipelines that come with the package (docs/report/accuracy.md).
   */
  driftSpread: 0.3,
  /** The upper end of an estimate is so many standard deviations above it: 0.95 of a normal distribution lie below. */
  upperDeviations: 1.645,
  /** Records of decisions hold no more accuracies than this: they are kept in memory and in the audit log. */
  mostRecordedAccuracies: 200,
  /** An estimate that is this far from what was measured is a drift. */
  accuracyDrift: 0.05,
  /** Replicas may serve something else than is planned for this long, and for the load time of what is planned, before it is told. */
  servedGraceMs: 5000,
  /** A pause in which replicas serve what is planned is part of the difference around it, unless it lasts this long. */
  servedSettleMs: 5000,
  /** Replicas are told of budgets that moved by a larger share than this. */
  budgetStep: 0.05,
} as const;
