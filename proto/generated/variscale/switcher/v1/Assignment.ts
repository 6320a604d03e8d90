// Original file: proto/switcher.proto

import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from '../../../variscale/switcher/v1/Version.ts';
import type { Rung as _variscale_switcher_v1_Rung, Rung__Output as _variscale_switcher_v1_Rung__Output } from '../../../variscale/switcher/v1/Rung.ts';

/**
 * Version 2 of the protocol. Fields 2 to 6 were those of version 1.
 */
export interface Assignment {
  'version'?: (_variscale_switcher_v1_Version | null);
  /**
   * For the logs and the explanation of the decision.
   */
  'decisionId'?: (string);
  /**
   * To be kept in memory, the most accurate first: from 1 to 5.
   */
  'rungs'?: (_variscale_switcher_v1_Rung)[];
  /**
   * The most accurate and the lightest rung that may serve; the same one: it alone serves.
   */
  'top'?: (string);
  'floor'?: (string);
  /**
   * The part of the SLO that is planned for this stage.
   */
  'budgetMs'?: (number | string);
  /**
   * The stages after it are planned to take so long, and take at least so long with their lightest rungs.
   */
  'laterBudgetMs'?: (number | string);
  'laterLeastMs'?: (number | string);
  /**
   * The share of a call's time up to its soft deadline.
   */
  'headroom'?: (number | string);
  /**
   * The top alone serves; which rungs the ladder would choose is only counted.
   */
  'shadow'?: (boolean);
  /**
   * Variants that serve nobody, not even who asks for one that is in memory.
   */
  'belowFloor'?: (string)[];
}

/**
 * Version 2 of the protocol. Fields 2 to 6 were those of version 1.
 */
export interface Assignment__Output {
  'version': (_variscale_switcher_v1_Version__Output | null);
  /**
   * For the logs and the explanation of the decision.
   */
  'decisionId': (string);
  /**
   * To be kept in memory, the most accurate first: from 1 to 5.
   */
  'rungs': (_variscale_switcher_v1_Rung__Output)[];
  /**
   * The most accurate and the lightest rung that may serve; the same one: it alone serves.
   */
  'top': (string);
  'floor': (string);
  /**
   * The part of the SLO that is planned for this stage.
   */
  'budgetMs': (number);
  /**
   * The stages after it are planned to take so long, and take at least so long with their lightest rungs.
   */
  'laterBudgetMs': (number);
  'laterLeastMs': (number);
  /**
   * The share of a call's time up to its soft deadline.
   */
  'headroom': (number);
  /**
   * The top alone serves; which rungs the ladder would choose is only counted.
   */
  'shadow': (boolean);
  /**
   * Variants that serve nobody, not even who asks for one that is in memory.
   */
  'belowFloor': (string)[];
}
