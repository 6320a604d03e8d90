// Original file: proto/switcher.proto


/**
 * Stop taking new work, finish what is queued, then end the stream.
 */
export interface Drain {
  'graceMs'?: (number | string);
}

/**
 * Stop taking new work, finish what is queued, then end the stream.
 */
export interface Drain__Output {
  'graceMs': (number);
}
