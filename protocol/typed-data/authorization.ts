import { AbiWriter } from '../bytes/abi-writer.ts';
import { fromHex, toHex, type Hex } from '../bytes/hex.ts';
import { keccak256 } from '../bytes/keccak256.ts';
import { domainSeparator, typedDataDigest } from './domain-separator.ts';

/** What an EIP-3009 authorization signs. Amount and times (Unix seconds) are uint256. */
export interface Authorization {
  from: Hex;
  to: Hex;
  value: bigint;
  validAfter: bigint;
  validBefore: bigint;
  nonce: Hex;
}

/** The EIP-712 types of an authorization that only its receiver can use, as escrows take it. */
export const receiveAuthorizationTypes = {
  ReceiveWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

const { ReceiveWithAuthorization: fields } = receiveAuthorizationTypes;
const typeHashOf = (name: string) =>
  keccak256(Buffer.from(`${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`));
const receiveTypeHash = typeHashOf('ReceiveWithAuthorization');
const transferTypeHash = typeHashOf('TransferWithAuthorization');

/** The EIP-712 domain of a token: its name and version, its chain and address. */
export interface AuthorizationDomain {
  name: string;
  version: string;
  chainId: number;
  verifyingContract: Hex;
}

/** The digest of `ReceiveWithAuthorization` (EIP-3009): only `to` can bring it to the chain. */
export function receiveAuthorizationDigest(domain: AuthorizationDomain, authorization: Authorization): Buffer {
  return authorizationDigest(receiveTypeHash, domain, authorization);
}

/** The digest of `TransferWithAuthorization` (EIP-3009): anybody can bring it to the chain. */
export function transferAuthorizationDigest(domain: AuthorizationDomain, authorization: Authorization): Buffer {
  return authorizationDigest(transferTypeHash, domain, authorization);
}

function authorizationDigest(
  typeHash: Uint8Array,
  domain: AuthorizationDomain,
  { from, to, value, validAfter, validBefore, nonce }: Authorization,
): Buffer {
  const encoded = new AbiWriter(7)
    .fixedBytes(typeHash, 32)
    .address(from)
    .address(to)
    .uint256(value)
    .uint256(validAfter)
    .uint256(validBefore)
    .fixedBytes(fromHex(nonce, 32), 32)
    .finish();
  return typedDataDigest(domainSeparator(domain), keccak256(encoded));
}

/** The nonce that binds an authorization to the channel that it opens (MPP EVM session draft, "Front-Running Protection"). */
export function openingNonce(channel: {
  payer: Hex;
  payee: Hex;
  token: Hex;
  salt: Hex;
  /** The zero address means the payer. */
  authorizedSigner: Hex;
}): Hex {
  const encoded = new AbiWriter(5)
    .address(channel.payer)
    .address(channel.payee)
    .address(channel.token)
    .fixedBytes(fromHex(channel.salt, 32), 32)
    .address(channel.authorizedSigner)
    .finish();
  return toHex(keccak256(encoded));
}

/** The nonce that binds an authorization to the channel whose deposit it raises (same section). */
export function topUpNonce(topUp: { channelId: Hex; additionalDeposit: bigint; from: Hex; salt: Hex }): Hex {
  const encoded = new AbiWriter(4)
    .fixedBytes(fromHex(topUp.channelId, 32), 32)
    .uint128(topUp.additionalDeposit)
    .address(topUp.from)
    .fixedBytes(fromHex(topUp.salt, 32), 32)
    .finish();
  return toHex(keccak256(encoded));
}

/** The nonce that binds an authorization to the challenge that it answers (MPP EVM charge draft, "Challenge Binding"). */
export function challengeNonce({ id, realm }: { id: string; realm: string }): Hex {
  return toHex(keccak256(Buffer.from(id + realm)));
}
