// Original file: proto/switcher.proto


export interface Pin {
  'variant'?: (string);
  'batch'?: (number);
  'expiresInMs'?: (number | string);
}

export interface Pin__Output {
  'variant': (string);
  'batch': (number);
  'expiresInMs': (number);
}
