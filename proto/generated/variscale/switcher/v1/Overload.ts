// Original file: proto/switcher.proto


export interface Overload {
  /**
   * Age of the oldest queued row above which the switcher protects itself …
   */
  'enterQueueMs'?: (number | string);
  /**
   * … and below which, for dwell_ms, it goes back.
   */
  'exitQueueMs'?: (number | string);
  'dwellMs'?: (number | string);
}

export interface Overload__Output {
  /**
   * Age of the oldest queued row above which the switcher protects itself …
   */
  'enterQueueMs': (number);
  /**
   * … and below which, for dwell_ms, it goes back.
   */
  'exitQueueMs': (number);
  'dwellMs': (number);
}
