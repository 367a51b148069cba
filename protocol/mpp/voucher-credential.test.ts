import { expect, it } from 'vitest';
import type { Hex } from '../bytes/hex.ts';
import { parseCredential } from './credential.ts';
import { sessionPayloadSchema } from './session-schemas.ts';
import { formatVoucherCredential } from './voucher-credential.ts';

it('a voucher becomes a credential that answers its challenge', () => {
  const challenge = { id: 'x', realm: 'r', method: 'evm', intent: 'session', request: 'e30' };
  const channelId: Hex = `0x${'ab'.repeat(32)}`;
  const signature: Hex = `0x${'cd'.repeat(65)}`;
  const voucher = { channelId, cumulativeAmount: 2n ** 127n, signature };
  const credential = parseCredential(formatVoucherCredential(challenge, voucher));
  expect(credential?.challenge).toEqual(challenge);
  expect(sessionPayloadSchema.parse(credential?.payload)).toEqual({ action: 'voucher', ...voucher });
});
