import type { Hex } from '../protocol/bytes/hex.ts';
import type { SignedReceipt } from '../protocol/receipt/signed-receipt.ts';
import type { AuditChain } from './audit-chain.ts';
import { recoverReceiptSigner } from './recover-receipt-signer.ts';
import type { ClaimList } from './verification.ts';

/** Verifies that a receipt's batch was signed by a key that KeyRegistry knew then, as BillingDisputes judges. */
export async function verifySigner(
  claims: ClaimList,
  chain: AuditChain,
  signed: SignedReceipt,
): Promise<Hex | undefined> {
  const { chainId, contracts } = chain.deployment;
  let signer: Hex | undefined;
  await claims.run('relay_signed', async () => {
    const { signedAtMs } = signed;
    const recovered = recoverReceiptSigner(signed, { chainId, verifyingContract: contracts.autoPayLLM });
    const what = `a receipt key of KeyRegistry ${contracts.keyRegistry} at the time of the signature, ${signedAtMs} ms`;
    claims.demand('relay_signed', await chain.isReceiptKey(recovered, signedAtMs), {
      detail: `the receipt is signed by ${recovered}, ${what}`,
      otherwise: `the receipt is signed by ${recovered}, which was not ${what}`,
    });
    signer = recovered;
  });
  return signer;
}
