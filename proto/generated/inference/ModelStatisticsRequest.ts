// Original file: proto/open_inference.proto


export interface ModelStatisticsRequest {
  /**
   * Empty: all models, all versions.
   */
  'name'?: (string);
  'version'?: (string);
}

export interface ModelStatisticsRequest__Output {
  /**
   * Empty: all models, all versions.
   */
  'name': (string);
  'version': (string);
}
