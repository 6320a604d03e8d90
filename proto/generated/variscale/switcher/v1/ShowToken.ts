// Original file: proto/switcher.proto


/**
 * Show the token of the pod as it is now: the one that the stream was opened with ends. Of a switcher that does not answer that one is
 * reviewed.
 */
export interface ShowToken {
}

/**
 * Show the token of the pod as it is now: the one that the stream was opened with ends. Of a switcher that does not answer that one is
 * reviewed.
 */
export interface ShowToken__Output {
}
