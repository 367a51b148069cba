import type { ServerResponse } from 'node:http';
import type { ResponseSink } from '../call/types.ts';

/** How long a broken-off answer may take to reach a client before its connection is simply dropped. */
const flushTimeoutMs = 5_000;

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
      if (gone || response.write(bytes)) return Promise.resolve();
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
      if (bytes) response.end(bytes);
      else response.end();
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
