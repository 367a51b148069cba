import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { OpenDeployment } from '../client/chain/open-deployment.ts';
import { asChainError } from '../client/chain/send-transaction.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { originOf } from '../protocol/log/checkpoint.ts';
import { createRelayVerifier, recoverSignedCheckpoint } from '../protocol/log/relay-signature.ts';
import type { NoteVerifier } from '../protocol/log/signed-note.ts';

/** What KeyRegistry has of a key in a block that is final; times are unix seconds. */
interface FinalPeriod {
  from: number;
  /** 0 as long as it has no end. */
  until: number;
  /** Before this, no later block can change what is known: a retirement ends the key an hour after it. */
  knownUntil: number;
}

/** Keys that are remembered; a relay has one or two at a time. */
const maxKeys = 16;

/**
 * Makes what asks a chain whether a receipt key of the relay signed a checkpoint: KeyRegistry knows it, as of the time that the
 * signature names. The key may change; who holds one speaks for the relay. What a final block says of a key is remembered for as long as
 * nothing can change it, so that a log which is looked at every minute costs a few questions an hour. Chains without final blocks, or
 * whose final blocks do not have the key yet, are asked each time.
 *
 * @returns answers what checks the key's signatures; it throws AutoPayError `invalid_signature` if no receipt key signed,
 * `invalid_encoding`, `chain_unavailable`
 */
export function createReceiptKeyFinder(deployment: KeyFinderDeployment): (note: string) => Promise<NoteVerifier> {
  const { chainId, contracts, reader } = deployment;
  const { autoPayLLM, keyRegistry } = contracts;
  const scope = { chainId, verifyingContract: autoPayLLM };
  const name = originOf({ chainId, autoPayLLM });
  const known = new Map<Hex, FinalPeriod>();

  async function isKey(signer: Hex, at: number): Promise<boolean> {
    let period = known.get(signer);
    if (period === undefined || at >= period.knownUntil) {
      period = await readFinalPeriod(reader, keyRegistry, signer);
      const [oldest] = known.size >= maxKeys ? known.keys() : [];
      if (oldest !== undefined) known.delete(oldest);
      if (period !== undefined) known.set(signer, period);
    }
    if (period !== undefined && at < period.knownUntil) {
      return at >= period.from && (period.until === 0 || at < period.until);
    }
    return readIsKey(reader, keyRegistry, { signer, at });
  }

  return async (note) => {
    const { origin, signer, signedAtMs } = recoverSignedCheckpoint(note, scope);
    const isValid = await isKey(signer, Math.floor(signedAtMs / 1_000));
    if (origin === name && isValid) return createRelayVerifier({ name, scope, signer });
    const message = `The checkpoint of ${origin} is signed by ${signer}, which KeyRegistry ${keyRegistry} does not have for ${name}.`;
    throw new AutoPayError('invalid_signature', message);
  };
}

/** Where the key is asked for. */
type KeyFinderDeployment = Pick<OpenDeployment, 'chainId' | 'reader'> & {
  contracts: Pick<OpenDeployment['contracts'], 'autoPayLLM' | 'keyRegistry'>;
};

/** Undefined if no final block has the key, or the endpoint cannot tell: then the newest block is asked, which says what is wrong. */
async function readFinalPeriod(
  reader: OpenDeployment['reader'],
  keyRegistry: Hex,
  signer: Hex,
): Promise<FinalPeriod | undefined> {
  try {
    const block = await reader.getBlock({ blockTag: 'finalized' });
    const at = { address: keyRegistry, abi: keyRegistryAbi, blockNumber: block.number } as const;
    const [{ from, until }, overlap] = await Promise.all([
      reader.readContract({ ...at, functionName: 'periodOf', args: [signer] }),
      reader.readContract({ ...at, functionName: 'RETIREMENT_OVERLAP' }),
    ]);
    if (from === 0n) return undefined;
    const knownUntil = until === 0n ? Number(block.timestamp + overlap) : Number.POSITIVE_INFINITY;
    return { from: Number(from), until: Number(until), knownUntil };
  } catch {
    return undefined;
  }
}

async function readIsKey(
  reader: OpenDeployment['reader'],
  keyRegistry: Hex,
  { signer, at }: { signer: Hex; at: number },
): Promise<boolean> {
  try {
    const registry = { address: keyRegistry, abi: keyRegistryAbi } as const;
    return await reader.readContract({ ...registry, functionName: 'isValidAt', args: [signer, BigInt(at)] });
  } catch (error) {
    throw asChainError(error, 'Reading the KeyRegistry');
  }
}
