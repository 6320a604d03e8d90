import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import { HANDSHAKE_WITHIN_MS } from "./tls-material.ts";

/** Mutual TLS whose certificates can be renewed: every server that was started with it uses the newest for its next connections. */
export class RenewedServerCredentials extends ServerCredentials {
  constructor(context: SecureContextOptions) {
    super({ requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_WITHIN_MS }, context);
  }

  renew(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}
