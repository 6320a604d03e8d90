/** Cores and memory: of a pod, or allocatable on a node. */
export interface NodeShape {
  readonly cores: number;
  readonly memoryMiB: number;
}

/**
 * Puts pods on nodes, the largest first, each on the node where it leaves the least room (best fit decreasing). Gives back those
 * that found none; a better packing may exist.
 */
export function placePods(pods: readonly NodeShape[], nodes: readonly NodeShape[]): NodeShape[] {
  const all = nodes.reduce(
    (sum, node) => ({ cores: sum.cores + node.cores, memoryMiB: sum.memoryMiB + node.memoryMiB }),
    {
      cores: 1e-9,
      memoryMiB: 1e-9,
    },
  );
  const size = (shape: NodeShape) => shape.cores / all.cores + shape.memoryMiB / all.memoryMiB;
  const room = nodes.map(node => ({ ...node }));
  const left: NodeShape[] = [];
  for (const pod of pods.toSorted((a, b) => size(b) - size(a))) {
    let best: { cores: number; memoryMiB: number } | null = null;
    for (const node of room) {
      const hasRoom = node.cores >= pod.cores - ROUNDING && node.memoryMiB >= pod.memoryMiB - ROUNDING;
      if (hasRoom && (best === null || size(node) < size(best))) best = node;
    }
    if (best === null) {
      left.push(pod);
      continue;
    }
    best.cores -= pod.cores;
    best.memoryMiB -= pod.memoryMiB;
  }
  return left;
}

const ROUNDING = 1e-9;
