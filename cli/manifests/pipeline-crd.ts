import { z } from "zod";
import { pipelineJsonSchema } from "../../domain/pipeline-file.ts";
import { pipelineStatusSchema } from "../../domain/pipeline-status.ts";
import { structuralSchema } from "./structural-schema.ts";

const GROUP = "variscale.dev";
const PLURAL = "inferencepipelines";

/** Longer lines of `kubectl get` are of no use; those of priority 1 are shown with `-o wide`. */
const COLUMNS = [
  { name: "Load", type: "number", jsonPath: ".status.loadRps", description: "Offered requests a second" },
  { name: "Accuracy", type: "number", jsonPath: ".status.accuracy", description: "Predicted share of right answers" },
  { name: "Cores", type: "number", jsonPath: ".status.cores", description: "Of all planned replicas" },
  { name: "SLO", type: "number", jsonPath: ".spec.slo.latencyMs", description: "Milliseconds, end to end" },
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  {
    name: "Accepted",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
    description: "False: the spec as it is now is wrong, and the last good one is served",
  },
  { name: "Mode", type: "string", jsonPath: ".status.mode" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  {
    name: "Latency",
    type: "number",
    jsonPath: ".status.latencyMs",
    priority: 1,
    description: "Predicted, milliseconds",
  },
  { name: "Decision", type: "string", jsonPath: ".status.decisionId", priority: 1 },
];

/** The CustomResourceDefinition of InferencePipeline. Its spec is the pipeline file's: both come from the one schema. */
export function pipelineCrd(): object {
  const file = structuralSchema(pipelineJsonSchema() as Record<string, unknown>) as {
    readonly properties: Readonly<Record<string, { readonly properties: Readonly<Record<string, object>> }>>;
  };
  const { name } = file.properties["metadata"]?.properties ?? {};
  const status = structuralSchema(z.toJSONSchema(pipelineStatusSchema, { io: "input" }) as Record<string, unknown>);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${PLURAL}.${GROUP}`,
      // With it go all objects: a chart that is uninstalled leaves it.
      annotations: { "helm.sh/resource-policy": "keep" },
    },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: {
        kind: "InferencePipeline",
        listKind: "InferencePipelineList",
        plural: PLURAL,
        singular: "inferencepipeline",
        shortNames: ["ipl"],
        categories: ["variscale"],
      },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: {
            openAPIV3Schema: {
              description: "A pipeline of inference stages under one latency SLO",
              type: "object",
              required: ["spec"],
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: { type: "object", properties: { name } },
                spec: file.properties["spec"],
                status: { ...status, description: "What the scaler says of it" },
              },
            },
          },
        },
      ],
    },
  };
}
