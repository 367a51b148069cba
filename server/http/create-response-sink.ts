import type { ServerResponse } from 'node:http';
import type { ResponseSink } from '../call/types.ts';

/** How long a broken-off answer may take to reach a client before its connection is simply dropped. */
const flushTimeoutMs = 5_000;

/** Up to this an answer's last bytes are copied, which is less work than to send them apart from its head. */
const maxJoinedBytes = 16_384;

/** A sink that writes to an HTTP response, unbuffered, at the pace of the client. */
export function createResponseSink(response: ServerResponse): ResponseSink {
  let started = false;
  let gone = false;
  const listeners: (() => void)[] = [];
  response.once('close', () => {
    if (response.writableEnded || gone) return;
    gone = true;
    for (const listener of listeners.splice(0)) listener();
  });
  // A write to a connection that has just broken is reported here; 'close' follows and says it all.
  response.on('error', () => undefined);

  return {
    start(status, headers) {
      started = true;
      if (gone) return;
      response.writeHead(status, headers);
      if (headers['content-type']?.startsWith('text/event-stream')) response.flushHeaders();
    },
    write(bytes) {
      if (gone || response.write(bytes)) return undefined;
      return new Promise((resolve) => {
        const done = () => {
          response.off('drain', done);
          response.off('close', done);
          resolve();
        };
        response.on('drain', done);
        response.on('close', done);
      });
    },
    end(bytes) {
      if (gone) return;
      if (bytes === undefined) response.end();
      // A Latin-1 string is the same bytes, and leaves with the head in one write; a buffer needs two, gathered.
      else if (bytes.length <= maxJoinedBytes)
        response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'), 'latin1');
      else response.end(bytes);
    },
    destroy() {
      if (gone) return;
      gone = true;
      const { socket } = response;
      if (!socket) return void response.destroy();
      // Without the last chunk of the chunked coding the client knows that the answer is not whole (RFC 9112 §8).
      socket.destroySoon();
      setTimeout(() => socket.destroy(), flushTimeoutMs).unref();
    },
    get started() {
      return started;
    },
    get closed() {
      return gone;
    },
    onClose(callback) {
      if (gone) callback();
      else listeners.push(callback);
    },
  };
}
