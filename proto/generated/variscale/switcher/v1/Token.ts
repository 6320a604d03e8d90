// Original file: proto/switcher.proto


/**
 * The answer to `show_token`, which alone asks for it.
 */
export interface Token {
  'value'?: (string);
}

/**
 * The answer to `show_token`, which alone asks for it.
 */
export interface Token__Output {
  'value': (string);
}
