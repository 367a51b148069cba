import type { Hex } from '../protocol/bytes/hex.ts';
import type { CallReceipt } from '../protocol/receipt/call-receipt.ts';
import { decodeReceipt } from '../protocol/receipt/decode-receipt.ts';
import { opens, type Disclosure } from '../protocol/receipt/disclosure.ts';
import { openAuditChain, type AuditDeployment } from './audit-chain.ts';
import { recoverReceiptSigner } from './recover-receipt-signer.ts';
import { ClaimList, type CheckedClaim, type ClaimName } from './verification.ts';
import { verifySigner } from './verify-signer.ts';

/** What came of a disclosure. */
export interface DisclosureVerdict {
  /** What is opened is what the receipt commits to, and the relay signed the receipt. */
  ok: boolean;
  claims: CheckedClaim[];
  /** Absent if it cannot be read. */
  receipt?: CallReceipt;
  /** Who signed the receipt; absent if nobody's signature fits. */
  signer?: Hex;
}

/**
 * Checks a disclosure: that what it opens is what the receipt commits to, and that the receipt is the relay's. It needs neither the relay
 * nor the log; whether the call was logged is for `verifyCall`.
 * @param options.deployment where the signer is looked up
 * @param options.signer without a chain: the address that is known to be the relay's
 */
export async function checkDisclosure(
  disclosure: Disclosure,
  options: { deployment?: AuditDeployment; signer?: Hex },
): Promise<DisclosureVerdict> {
  const claims = new ClaimList();
  const { signed, parts } = disclosure;
  const mandatory: ClaimName[] = ['codec', 'relay_signed'];
  let receipt: CallReceipt | undefined;
  await claims.run('codec', () => {
    receipt = decodeReceipt(signed.entry);
    claims.add('codec', true, 'the entry is the one canonical encoding of a CallReceipt');
  });
  for (const subject of receipt ? (['request', 'response'] as const) : []) {
    const name = `opens_${subject}` as const;
    if (parts[subject] === undefined) continue;
    mandatory.push(name);
    const what = `the ${parts[subject].bytes.length} bytes of the ${subject}, with their salt,`;
    const isOpen = opens(disclosure, subject);
    claims.add(name, isOpen, `${what} ${isOpen ? 'are' : 'are NOT'} what the receipt commits to`);
  }
  const signer = await findSigner(claims, disclosure, options);
  const isOpen = parts.request !== undefined || parts.response !== undefined;
  if (!isOpen) claims.add('opens_request', false, 'the disclosure opens nothing');
  return {
    ok: claims.isVerified(mandatory),
    claims: claims.all,
    ...(receipt && { receipt }),
    ...(signer && { signer }),
  };
}

/** Who signed; whether that is the relay becomes the claim. */
async function findSigner(
  claims: ClaimList,
  { signed, chainId, autoPayLLM }: Disclosure,
  { deployment, signer: expected }: { deployment?: AuditDeployment; signer?: Hex },
): Promise<Hex | undefined> {
  if (deployment) {
    const isSame = deployment.chainId === chainId && deployment.contracts.autoPayLLM === autoPayLLM;
    if (isSame) return verifySigner(claims, openAuditChain(deployment), signed);
    claims.leave(
      'relay_signed',
      `the receipt is signed for ${autoPayLLM} on chain ${chainId}; give an endpoint of that chain`,
    );
    return undefined;
  }
  let signer: Hex | undefined;
  await claims.run('relay_signed', () => {
    signer = recoverReceiptSigner(signed, { chainId, verifyingContract: autoPayLLM });
    if (expected === undefined) {
      return claims.leave(
        'relay_signed',
        `the receipt is signed by ${signer}; whether that is the relay's key, the chain knows (--rpc)`,
      );
    }
    const isExpected = signer === expected.toLowerCase();
    claims.add(
      'relay_signed',
      isExpected,
      `the receipt is signed by ${signer}${isExpected ? ', as was expected' : `, not by ${expected}`}`,
    );
  });
  return signer;
}
