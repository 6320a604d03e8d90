// Original file: proto/switcher.proto


export interface VariantState {
  'variant'?: (string);
  /**
   * absent | loading | resident | serving | quarantined
   */
  'state'?: (string);
  'reason'?: (string);
  'loadMs'?: (number | string);
  'memoryMib'?: (number | string);
}

export interface VariantState__Output {
  'variant': (string);
  /**
   * absent | loading | resident | serving | quarantined
   */
  'state': (string);
  'reason': (string);
  'loadMs': (number);
  'memoryMib': (number);
}
