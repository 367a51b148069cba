import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { connectWalletChain } from '../../../client/open-channel.ts';
import { openWallet } from '../../../client/open-wallet.ts';
import { openRelaySession } from '../../../client/relay-session.ts';
import { toHex, zeroAddress, type Hex } from '../../../protocol/bytes/hex.ts';
import { computeChannelId } from '../../../protocol/typed-data/channel-id.ts';
import type { StackFile } from '../../stack.ts';
import type { LoadJob } from '../load.ts';

/** What calls of the benchmark are paid with; no chain is needed any more. */
export interface Payments {
  apiKey: string;
  /** Vouchers for the next `requests` calls, above all that was given before. */
  vouchers: (requests: number) => NonNullable<LoadJob['vouchers']>;
}

const channelCount = 8;
/** USDC, atomic units: room for 100,000 calls on each channel, and as many by key. */
const depositAtomic = 20_000_000n;
/** Above the quote of the calls (their bytes as prompt, 16 tokens of output). */
const stepAtomic = 200n;

/** Opens the channels, and makes an API key, with the wallet of the stack; `stateDir` keeps that wallet's books. */
export async function preparePayments(stack: StackFile, stateDir: string): Promise<Payments> {
  const privateKey = readFileSync(stack.wallet.keyFile, 'utf8').trim() as Hex;
  const { chainId, contracts, relayUrl, rpcUrl } = stack;
  const wallet = openWallet({ relayUrl, rpcUrl, privateKey, contracts, stateDir });
  const { channels, terms } = await wallet.connect();
  const { escrow, payee, token } = terms;
  const chain = connectWalletChain({ rpcUrl, privateKey, terms });
  const channelIds: Hex[] = [];
  for (let index = 0; index < channelCount; index += 1) {
    const salt = toHex(randomBytes(32));
    const identity = { payer: channels.payer, payee, token: token.address, salt, authorizedSigner: zeroAddress };
    const channelId = computeChannelId({ ...identity, escrow, chainId });
    await chain.openChannel({ token, deposit: depositAtomic, salt, channelId });
    channelIds.push(channelId);
  }

  const session = openRelaySession(wallet);
  const { channelId, cumulativeAmount, signature } = await channels.fundKeys(depositAtomic);
  const headroom = { channelId, cumulativeAmount: String(cumulativeAmount), signature };
  await session.ask({ method: 'POST', path: '/v1/keys/headroom', body: headroom, schema: z.unknown() });
  const schema = z.object({ key: z.string() });
  const { key } = await session.ask({ method: 'POST', path: '/v1/keys', body: { token: token.address }, schema });

  let given = 0n;
  return {
    apiKey: key,
    vouchers: (requests) => {
      const firstCumulative = given.toString();
      given += stepAtomic * BigInt(Math.ceil(requests / channelCount));
      return {
        ...{ privateKey, chainId, escrow, step: stepAtomic.toString() },
        channels: channelIds.map((id) => ({ channelId: id, firstCumulative })),
      };
    },
  };
}
