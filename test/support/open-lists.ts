import { OpenList } from "../../runtime/open-list.ts";

/** How many streams servers of this process put in lists meanwhile. */
export async function streamsKept(meanwhile: () => Promise<unknown>): Promise<number> {
  const { prototype } = OpenList;
  const { set } = prototype;
  let streams = 0;
  prototype.set = function (this: OpenList<unknown, unknown>, key, value) {
    // Streams that have no number yet are kept by themselves.
    if (typeof key === "number") streams++;
    return set.call(this, key, value);
  };
  try {
    await meanwhile();
  } finally {
    prototype.set = set;
  }
  return streams;
}
