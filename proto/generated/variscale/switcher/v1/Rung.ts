// Original file: proto/switcher.proto


export interface Rung {
  'variant'?: (string);
  /**
   * Largest number of rows in one batch.
   */
  'maxBatch'?: (number);
}

export interface Rung__Output {
  'variant': (string);
  /**
   * Largest number of rows in one batch.
   */
  'maxBatch': (number);
}
