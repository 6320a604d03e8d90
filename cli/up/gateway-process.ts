import type { Logger } from "pino";
import { VariscaleError } from "../../domain/errors.ts";
import type { EndpointsMessage, EndpointTable } from "../../gateway/endpoint-source.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import type { ReadOptions } from "../../runtime/read-pipeline.ts";
import { KeptProcess } from "./kept-process.ts";

const STOP_GRACE_MS = 10_000;

export interface GatewayProcessOptions {
  /** The pipeline file, or its folder. */
  readonly file: string;
  readonly read: ReadOptions;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly logger: Logger;
  readonly logLevel: LogLevel;
}

/** The gateway as a child process. When it ends by itself it is started again on the same port, and told the endpoints again. */
export interface GatewayProcess {
  readonly port: number;
  /** Stages with `votes` in the file whose code can't join any. */
  readonly withoutVote: readonly string[];
  readonly pid: () => number | undefined;
  setEndpoints(stages: EndpointTable): void;
  /** Lets the requests that it has end. */
  close(): Promise<void>;
}

/** Resolves when it listens; throws unavailable when it ends before that. */
export function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  let port = options.port;
  let listens = false;
  let endpoints: EndpointsMessage = { kind: "endpoints", stages: {} };
  return new Promise((resolve, reject) => {
    const kept = new KeptProcess({
      name: "gateway",
      args: () => gatewayArgs(options, port),
      logger: options.logger,
      onListening: (given, message) => {
        port = given;
        listens = true;
        kept.send(endpoints);
        resolve({
          port,
          withoutVote: (message as { readonly withoutVote?: readonly string[] }).withoutVote ?? [],
          pid: () => kept.pid,
          setEndpoints: stages => {
            endpoints = { kind: "endpoints", stages };
            kept.send(endpoints);
          },
          close: () => kept.stop(STOP_GRACE_MS),
        });
      },
      onEnded: status => {
        if (listens) return;
        kept.stop(0).catch(() => undefined);
        reject(
          new VariscaleError("unavailable", `the gateway ended while it started (${status}); what it said is above`),
        );
      },
    });
  });
}

function gatewayArgs(options: GatewayProcessOptions, port: number): string[] {
  const { file, host, logLevel } = options;
  const { set = [], speedFactor } = options.read;
  const args = ["gateway", file, "--host", host, "--port", String(port), "--log-level", logLevel];
  if (speedFactor !== undefined) args.push("--speed-factor", String(speedFactor));
  return [...args, ...set.flatMap(pair => ["--set", pair])];
}
