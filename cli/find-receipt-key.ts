import { keyRegistryAbi } from '../protocol/abi/key-registry.ts';
import type { OpenDeployment } from '../client/chain/open-deployment.ts';
import { asChainError } from '../client/chain/send-transaction.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { originOf } from '../protocol/log/checkpoint.ts';
import { createRelayVerifier, recoverSignedCheckpoint } from '../protocol/log/relay-signature.ts';
import type { NoteVerifier } from '../protocol/log/signed-note.ts';

/**
 * Makes what asks a chain whether a receipt key of the relay signed a checkpoint: KeyRegistry knows it, as of the time that the
 * signature names. The key may change; who holds one speaks for the relay.
 *
 * @returns answers what checks the key's signatures; it throws AutoPayError `invalid_signature` if no receipt key signed,
 * `invalid_encoding`, `chain_unavailable`
 */
export function createReceiptKeyFinder(
  deployment: Pick<OpenDeployment, 'chainId' | 'reader'> & {
    contracts: Pick<OpenDeployment['contracts'], 'autoPayLLM' | 'keyRegistry'>;
  },
): (note: string) => Promise<NoteVerifier> {
  const { chainId, contracts, reader } = deployment;
  const { autoPayLLM, keyRegistry } = contracts;
  const scope = { chainId, verifyingContract: autoPayLLM };
  const name = originOf({ chainId, autoPayLLM });
  return async (note) => {
    const { origin, signer, signedAtMs } = recoverSignedCheckpoint(note, scope);
    const isKey = await reader
      .readContract({
        address: keyRegistry,
        abi: keyRegistryAbi,
        functionName: 'isValidAt',
        args: [signer, BigInt(Math.floor(signedAtMs / 1_000))],
      })
      .catch((error: unknown) => {
        throw asChainError(error, 'Reading the KeyRegistry');
      });
    if (origin === name && isKey) return createRelayVerifier({ name, scope, signer });
    const message = `The checkpoint of ${origin} is signed by ${signer}, which KeyRegistry ${keyRegistry} does not have for ${name}.`;
    throw new AutoPayError('invalid_signature', message);
  };
}
