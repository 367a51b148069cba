import type { CID } from 'multiformats/cid';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** A block as a node is to keep it. */
export interface KeptBlock {
  cid: CID;
  bytes: Uint8Array;
  /** What the node's operator sees in its list of pins. */
  name: string;
}

/** An IPFS node that keeps blocks, each pinned by itself: so each pin is one step, however long the history is. */
export interface IpfsNode {
  /**
   * Puts a block, pins it, and reads both back. Repeating it changes nothing.
   * @throws AutoPayError `ipfs_unavailable` if the node fails, `verification_failed` if it has other bytes than were put
   */
  keep(block: KeptBlock): Promise<void>;
  /**
   * Whether the node has the block and a pin for it.
   * @throws AutoPayError `ipfs_unavailable` if it does not say
   */
  holds(block: KeptBlock): Promise<boolean>;
}

/** The node's own blocks, not those that it could fetch: what is read back is what was put. */
const ownBlocks = { offline: true };

/**
 * Connects to the RPC API of a Kubo node.
 *
 * @param options.authorization value of the `Authorization` header, if the node wants one
 * @param options.timeoutMs of one question
 * @param options.signal ends what is under way
 */
export async function createIpfsNode(options: {
  apiUrl: string;
  authorization?: string | undefined;
  timeoutMs: number;
  signal: AbortSignal;
}): Promise<IpfsNode> {
  const { apiUrl, authorization, timeoutMs, signal: stopping } = options;
  // It brings much with it, which a relay without a node need not load.
  const { create } = await import('kubo-rpc-client');
  const client = create({ url: apiUrl, ...(authorization !== undefined && { headers: { authorization } }) });

  async function ask<T>(what: string, work: (options: { signal: AbortSignal }) => Promise<T>): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await work({ signal: AbortSignal.any([stopping, timeout]) });
    } catch (cause) {
      const reason = timeout.aborted ? `gave no answer within ${timeoutMs} ms` : describeFailure(cause);
      throw new AutoPayError('ipfs_unavailable', `The IPFS node did not ${what}: it ${reason}.`, { cause });
    }
  }

  /** Directly, as the relay pins; or recursively, as its operator may have. */
  async function isPinned(cid: CID): Promise<boolean> {
    for (const type of ['direct', 'recursive'] as const) {
      const isFound = await ask('list a pin', async ({ signal }) => {
        try {
          for await (const _pin of client.pin.ls({ paths: cid, type, signal })) return true;
          return false;
        } catch (error) {
          if (isAnswer(error, /not pinned/)) return false;
          throw error;
        }
      });
      if (isFound) return true;
    }
    return false;
  }

  async function readBack(cid: CID): Promise<Uint8Array | undefined> {
    return ask('give a block back', async ({ signal }) => {
      try {
        return await client.block.get(cid, { ...ownBlocks, signal });
      } catch (error) {
        if (isAnswer(error, /not found|could not find/)) return undefined;
        throw error;
      }
    });
  }

  return {
    async keep({ cid, bytes, name }) {
      const codec = { cidCodec: 'dag-cbor' };
      const stored = await ask('take a block', (rest) =>
        client.block.put(bytes, { ...codec, mhtype: 'sha2-256', ...rest }),
      );
      if (stored.toString() !== cid.toString()) {
        throw new AutoPayError(
          'verification_failed',
          `The IPFS node took block ${cid.toString()} for ${stored.toString()}.`,
        );
      }
      if (!(await isPinned(cid))) {
        await ask('pin a block', (rest) => client.pin.add(cid, { recursive: false, name, ...rest }));
      }
      const read = await readBack(cid);
      if (read === undefined || Buffer.compare(read, bytes) !== 0) {
        const what = read === undefined ? 'does not have' : 'gives back other bytes for';
        throw new AutoPayError(
          'verification_failed',
          `The IPFS node ${what} block ${cid.toString()}, which it has taken.`,
        );
      }
      if (await isPinned(cid)) return;
      throw new AutoPayError('verification_failed', `The IPFS node lost the pin of block ${cid.toString()} at once.`);
    },
    async holds({ cid, bytes }) {
      if (!(await isPinned(cid))) return false;
      const read = await readBack(cid);
      return read !== undefined && Buffer.compare(read, bytes) === 0;
    },
  };
}

/** Whether a node says this of itself, rather than failing. */
function isAnswer(error: unknown, words: RegExp): boolean {
  return error instanceof Error && error.name === 'HTTPError' && words.test(error.message);
}

/** In words that hold no address: it may carry a secret. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if ('response' in error && error.response instanceof Response) return `answered with status ${error.response.status}`;
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : error.name;
  return `could not be reached (${code.slice(0, 60)})`;
}
