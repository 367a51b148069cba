import type { BlockSource } from '../fsck/walk-log.ts';
import { collectBytes } from '../protocol/bytes/collect-bytes.ts';
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
      const message = `The gateway sent more than ${maxBlockBytes} bytes for a block. Try another.`;
      return collectBytes(response.body, {
        maxBytes: maxBlockBytes,
        tooLong: () => new AutoPayError('upstream_error', message),
      });
    },
  };
}
