/** What a connection is opened with; PEM texts. */
export interface KubernetesAccess {
  /** Null: the CAs that Node trusts. */
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly token: string | null;
}

/** Where the API server is, and as whom it is called. */
export interface KubernetesConfig {
  /** `https://host:port`, with a path where a proxy adds one. */
  readonly server: string;
  /** What is meant where no namespace is named. */
  readonly namespace: string;
  /** For messages: where all this was read. */
  readonly origin: string;
  /** The name that the server's certificate must have; null: that of `server`. */
  readonly serverName: string | null;
  /** False: any certificate is taken. */
  readonly verify: boolean;
  /** An HTTP proxy that the server is reached through; null: there is none. */
  readonly proxyUrl: string | null;
  /** Headers that say as whom the user acts; none: as himself. */
  readonly impersonation: Readonly<Record<string, string | readonly string[]>>;
  /** Asked for every call: tokens and certificates change while the process lives. */
  access(): Promise<KubernetesAccess>;
}
