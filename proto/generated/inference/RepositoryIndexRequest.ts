// Original file: proto/open_inference.proto


export interface RepositoryIndexRequest {
  'repositoryName'?: (string);
  /**
   * Only models that are ready.
   */
  'ready'?: (boolean);
}

export interface RepositoryIndexRequest__Output {
  'repositoryName': (string);
  /**
   * Only models that are ready.
   */
  'ready': (boolean);
}
