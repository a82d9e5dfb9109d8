// What the chats share: how they reach the server, and how they wait.
//
// The environment says where the server is (PARLEY_URL) and how to speak to it (PARLEY_PROTOCOL): http1, h2c (HTTP/2 without TLS)
// or h2 (HTTP/2 that TLS has negotiated).
import { Agent, buildConnector, install, setGlobalDispatcher } from 'undici';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as http2 from 'node:http2';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';

export const url = process.env.PARLEY_URL ?? '';
const protocol = process.env.PARLEY_PROTOCOL ?? '';

/** A `fetch` whose requests are all streams of one HTTP/2 connection: undici speaks HTTP/2 only where TLS has negotiated it. */
function fetchOver(session: http2.ClientHttp2Session): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const body = Buffer.from(await request.arrayBuffer());
    const fields = { ...Object.fromEntries(request.headers), ':method': request.method, ':path': pathname + search };
    const stream = session.request(fields, { endStream: body.length === 0, signal: request.signal });
    if (body.length > 0) stream.end(body);
    return new Promise((resolve, reject) => {
      stream.on('error', reject);
      stream.on('response', (answered) => {
        const headers = new Headers();
        for (const [name, value] of Object.entries(answered)) {
          if (!name.startsWith(':')) headers.set(name, String(value));
        }
        const status = Number(answered[':status']);
        const content = status === 204 ? null : (Readable.toWeb(stream) as NodeReadableStream<Uint8Array> as ReadableStream);
        resolve(new Response(content, { status, headers }));
      });
    });
  };
}

/** Every `fetch` of this process speaks the protocol from here on. */
function connect(): void {
  if (protocol === 'h2c') {
    globalThis.fetch = fetchOver(http2.connect(url));
    return;
  }
  install();
  const open = buildConnector({ allowH2: protocol === 'h2' });
  setGlobalDispatcher(
    new Agent({
      allowH2: protocol === 'h2',
      connect: (options, done) =>
        open(options, (...result) => {
          const [, socket] = result;
          if (socket && 'alpnProtocol' in socket) {
            assert.equal(socket.alpnProtocol || 'http/1.1', protocol === 'h2' ? 'h2' : 'http/1.1');
          }
          done(...result);
        }),
    }),
  );
}

// At once: a generated client may keep the `fetch` that it finds when it is made.
connect();

export function newUser(name: string): { username: string; password: string } {
  return { username: `${name}.${randomUUID().slice(0, 13)}`, password: 'correct horse battery' };
}

export async function waitUntil(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); ) {
    assert.ok(Date.now() < end, `not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Runs a chat. Connections are still open at its end, so the process is ended. */
export function run(chat: () => Promise<void>): void {
  chat().then(
    () => {
      console.log('done');
      process.exit(0);
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}
