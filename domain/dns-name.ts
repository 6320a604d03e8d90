/** Kubernetes names pods and namespaces so, and the pipeline file its pipelines and stages. */
export const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
export const DNS_NAME_RULE =
  "must be a DNS name: at most 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends";
