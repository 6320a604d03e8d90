/**
 * Environment of processes whose threads come and go with their models: by itself glibc gives every thread a heap of its own, up to
 * eight for each core, and keeps what was freed in each of them.
 */
export const FEW_ARENAS = { MALLOC_ARENA_MAX: "2" } as const;
