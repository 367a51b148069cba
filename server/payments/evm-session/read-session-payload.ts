import { isHex, zeroAddress, type Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { sessionPayloadSchema, type SessionPayload } from '../../../protocol/mpp/session-schemas.ts';
import type { Authorization } from '../../../protocol/typed-data/authorization.ts';
import type { VerifiedVoucher } from '../../ledger/ledger.ts';

/** A deposit by the payer's EIP-3009 authorization, whose transaction the relay is asked to send. */
export interface RelayedDeposit {
  action: 'open' | 'topUp';
  channelId: Hex;
  /** Random, chosen by the payer: of the channel, or of this top-up. */
  salt: Hex;
  authorization: Authorization;
  /** Of the authorization, 65 bytes. */
  signature: Hex;
  /** Who signs the vouchers of the channel that is opened; the zero address means the payer. */
  authorizedSigner: Hex;
}

/** What an `evm/session` credential asks for. */
export interface SessionRequest {
  action: SessionPayload['action'];
  channelId: Hex;
  /** Not verified yet; null with `topUp`. */
  voucher: VerifiedVoucher | null;
  /** The deposit that the payer has sent itself: its transaction, and of a top-up what it added. */
  sent: { hash: Hex; additionalDeposit: bigint } | null;
  /** The deposit that the relay is to send. */
  deposit: RelayedDeposit | null;
}

/**
 * Reads the payload of an `evm/session` credential.
 *
 * @throws AutoPayError `unsupported_payment_action`, `invalid_signature` (not an ECDSA signature by its length),
 * `malformed_credential`
 */
export function readSessionPayload(payload: Readonly<Record<string, unknown>>): SessionRequest {
  const parsed = sessionPayloadSchema.safeParse(payload);
  if (parsed.success) return describe(parsed.data);
  const { deposit, signature, type } = payload;
  const depositType =
    typeof deposit === 'object' && deposit !== null ? (deposit as { type?: unknown }).type : undefined;
  if (type === 'permit2' || depositType === 'permit2') {
    throw new AutoPayError(
      'unsupported_payment_action',
      'This relay takes deposits of the types that its challenge lists, Permit2 is none of them. Sign an EIP-3009 authorization, or send the transaction yourself (type "hash").',
    );
  }
  if (isHex(signature) && !isHex(signature, 65)) throw contractSignatureError();
  const fields = parsed.error.issues.map((issue) => issue.path.join('.') || 'payload').slice(0, 8);
  throw malformed(`(${fields.join(', ')}). A voucher has action, channelId, cumulativeAmount and signature`);
}

function describe(payload: SessionPayload): SessionRequest {
  const { action, channelId } = payload;
  const none = { action, channelId, voucher: null, sent: null, deposit: null };
  switch (action) {
    case 'open': {
      const voucher = voucherOf(payload, 'voucherSignature' in payload ? payload.voucherSignature : payload.signature);
      if (payload.type === 'hash') return { ...none, voucher, sent: { hash: payload.hash, additionalDeposit: 0n } };
      return { ...none, voucher, deposit: depositOf(channelId, payload) };
    }
    case 'topUp': {
      const { additionalDeposit } = payload;
      if (payload.type === 'hash') return { ...none, sent: { hash: payload.hash, additionalDeposit } };
      if (payload.authorization.value !== additionalDeposit) {
        throw malformed('(additionalDeposit). It has to be the value of the authorization');
      }
      return { ...none, deposit: depositOf(channelId, payload) };
    }
    case 'voucher': {
      const { deposit } = payload;
      const voucher = voucherOf(payload, payload.signature);
      return { ...none, voucher, deposit: deposit ? depositOf(channelId, deposit) : null };
    }
    case 'close':
      return { ...none, voucher: voucherOf(payload, payload.signature) };
  }
}

function voucherOf(payload: { channelId: Hex; cumulativeAmount: bigint }, signature: Hex): VerifiedVoucher {
  const { channelId, cumulativeAmount } = payload;
  return { channelId, cumulativeAmount, signature };
}

function depositOf(
  channelId: Hex,
  fields: Omit<RelayedDeposit, 'channelId' | 'authorizedSigner'> & { authorizedSigner?: Hex | undefined },
): RelayedDeposit {
  const { action, salt, authorization, signature, authorizedSigner = zeroAddress } = fields;
  return { action, channelId, salt, authorization, signature, authorizedSigner };
}

function malformed(what: string): AutoPayError {
  return new AutoPayError('malformed_credential', `The credential's payload is malformed ${what}.`);
}

function contractSignatureError(): AutoPayError {
  return new AutoPayError(
    'invalid_signature',
    'A voucher must be signed by ECDSA: 65 bytes r ‖ s ‖ v. Signatures of contracts (ERC-1271) are not taken, because ' +
      'they can be revoked; open the channel with an authorizedSigner that is a key.',
  );
}
