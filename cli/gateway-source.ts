import type { BlockSource } from '../fsck/walk-log.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { maxBlockBytes } from '../protocol/log/batch-block.ts';

const gatewayTimeoutMs = 30_000;

/**
 * Blocks of an IPFS gateway, asked for as raw blocks (trustless gateway specification, "Block responses").
 * @param gatewayUrl such as `http://127.0.0.1:4000` or `https://trustless-gateway.link`.
 */
export function createGatewaySource(gatewayUrl: string): BlockSource {
  if (!URL.canParse(gatewayUrl)) {
    throw new AutoPayError(
      'invalid_argument',
      '--ipfs takes the URL of a gateway, such as https://trustless-gateway.link.',
    );
  }
  return {
    async get(cid) {
      const response = await fetch(new URL(`/ipfs/${cid.toString()}?format=raw`, gatewayUrl), {
        headers: { accept: 'application/vnd.ipld.raw' },
        signal: AbortSignal.timeout(gatewayTimeoutMs),
      });
      if (response.status === 404) return undefined;
      if (!response.ok || response.body === null) {
        throw new AutoPayError(
          'upstream_error',
          `The gateway answered ${response.status} for block ${cid.toString()}. Try another.`,
        );
      }
      const what = `The gateway sent more than ${maxBlockBytes} bytes for a block. Try another.`;
      return readBounded(response.body, { maxBytes: maxBlockBytes, what });
    },
  };
}

/**
 * Reads a body that may not be longer than it should be.
 * @throws AutoPayError `upstream_error` with `what` if it is
 */
export async function readBounded(
  body: ReadableStream<Uint8Array>,
  { maxBytes, what }: { maxBytes: number; what: string },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new AutoPayError('upstream_error', what);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
