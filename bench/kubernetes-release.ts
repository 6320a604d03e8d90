import type { Cluster } from "../test/cluster/support/cluster.ts";
import type { Client } from "../test/cluster/support/load/client.ts";
import type { RealNode } from "../test/cluster/support/node/real-node.ts";
import { RealRelease } from "../test/cluster/support/real-release.ts";

export interface ReleasePlace {
  readonly cluster: Cluster;
  readonly node: RealNode;
  readonly namespace: string;
  /** By stage, the one variant that there is. */
  readonly fixed?: Readonly<Record<string, string>>;
}

/** Works with a release of the chart and its users, and takes both away. */
export async function withRelease<T>(
  { cluster, node, namespace, fixed }: ReleasePlace,
  work: (release: RealRelease, client: Client) => Promise<T>,
): Promise<T> {
  const release = await RealRelease.install(cluster, node, namespace, fixed);
  try {
    const client = await release.client();
    try {
      return await work(release, client);
    } finally {
      client.close();
    }
  } finally {
    await release.uninstall();
  }
}
