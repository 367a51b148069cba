import { addressOfPrivateKey, parsePrivateKey } from '../../protocol/bytes/secp256k1.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { PayerWallet } from './seller-terms.ts';

/**
 * The wallet that pays a provider: that of an environment variable, or the relay's own.
 * @throws AutoPayError `invalid_configuration`; the key is in no message
 */
export function readWallet(
  { provider, walletKeyEnv }: { provider: string; walletKeyEnv: string | undefined },
  { env, relayKey }: { env: Readonly<Record<string, string | undefined>>; relayKey: Uint8Array },
): PayerWallet {
  if (walletKeyEnv === undefined) return { address: addressOfPrivateKey(relayKey), privateKey: relayKey };
  const text = env[walletKeyEnv]?.trim();
  const remedy = 'Set it, or leave walletKeyEnv out to pay from the account of the relay.';
  const complain = (what: string) =>
    new AutoPayError(
      'invalid_configuration',
      `The provider "${provider}" is paid by ${walletKeyEnv}, which ${what}. ${remedy}`,
    );
  if (!text) throw complain('is not set');
  try {
    const privateKey = parsePrivateKey(text);
    return { address: addressOfPrivateKey(privateKey), privateKey };
  } catch {
    throw complain('is no private key (0x and 64 hexadecimal digits)');
  }
}
