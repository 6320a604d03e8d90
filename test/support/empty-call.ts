import { once } from "node:events";
import { connect } from "node:http2";

/** What a gRPC call without a message is refused with: grpc-js says something else than takeUnaryCalls(). */
export async function emptyCall(port: number, path: string): Promise<string> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
    stream.end();
    const [headers] = await once(stream, "response");
    return decodeURI(String(headers["grpc-message"]));
  } finally {
    session.destroy();
  }
}
