/** Fixed addresses inside the test's own network namespace: one for each program, so that each has its usual ports. */
export const ADDRESS = {
  apiServer: "10.77.0.1",
  etcd: "10.77.0.2",
  controllers: "10.77.0.3",
  keda: "10.77.0.4",
  adapter: "10.77.0.5",
  otherAdapter: "10.77.0.6",
  proxy: "10.77.0.7",
  prometheus: "10.77.0.8",
  names: "10.77.0.10",
  node: "10.77.0.20",
} as const;

/** Of the Services; within the namespace's own network. */
export const SERVICE_RANGE = "10.77.128.0/17";
/** Of the Service `kubernetes`: the first of the range. */
export const SERVICE_OF_API = "10.77.128.1";
