/**
 * Of node:tls, without an `import`: that reads all that the module exports, the list of 150 root certificates among it, and keeps
 * 0.6 MiB which nobody asks for.
 */
export const { createSecureContext } = process.getBuiltinModule("node:tls");
