import { z } from "zod";
import { findKubernetes } from "../../runtime/find-kubernetes.ts";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { examine } from "../doctor/doctor.ts";
import { defineTool, type Tool } from "./tool.ts";

/** Findings that are told; failures and warnings come first. */
const MOST_FINDINGS = 200;
const KINDS = ["fail", "warn", "ok"] as const;

/** @param context of the kubeconfig. */
export function doctorTool(context: string, env: NodeJS.ProcessEnv): Tool {
  return defineTool({
    name: "doctor",
    title: "Check the cluster",
    description:
      "Checks how variscale is set up in the Kubernetes cluster: KEDA, ScaledObjects, their live HPAs, the scaler, TLS. Each finding has its fix. It reads and changes nothing.",
    input: z.strictObject({
      namespace: z.string().min(1).max(63).optional().describe("Default: all namespaces"),
      kedaNamespace: z.string().min(1).max(63).default("keda"),
    }),
    output: z.object({
      ok: z.boolean(),
      findings: z.array(
        z.object({
          kind: z.enum(KINDS),
          check: z.string(),
          where: z.string(),
          what: z.string(),
          fix: z.string().nullable(),
        }),
      ),
      leftOut: z.int(),
    }),
    changes: false,
    run: async ({ namespace = null, kedaNamespace }) => {
      const client = new KubernetesClient(findKubernetes({ env, context }));
      try {
        const nowMs = Date.now();
        const found = await examine({
          client,
          pipeline: null,
          namespace,
          kedaNamespace,
          scaler: null,
          scalerPair: null,
          nowMs,
        });
        const findings = found.toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
        return {
          ok: !findings.some(({ kind }) => kind === "fail"),
          findings: findings.slice(0, MOST_FINDINGS),
          leftOut: Math.max(0, findings.length - MOST_FINDINGS),
        };
      } finally {
        client.close();
      }
    },
  });
}
