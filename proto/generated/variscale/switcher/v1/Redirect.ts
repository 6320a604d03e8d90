// Original file: proto/switcher.proto


export interface Redirect {
  /**
   * host:port of the leader.
   */
  'address'?: (string);
}

export interface Redirect__Output {
  /**
   * host:port of the leader.
   */
  'address': (string);
}
