import { Mppx, evm } from 'mppx/client';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { KeyOwner } from './key-owner.ts';
import type { RawPayer } from './raw-payer.ts';
import { sendAllowance } from './send-allowance.ts';
import type { TestStack } from './start-test-stack.ts';
import { X402Payer } from './x402-payer.ts';

/** The headers that pay for a request with this body, signed anew each time. */
export type SignPayment = (body: string) => Promise<Record<string, string>>;

/** Prepares the demo wallet for every way to pay in USDC or AGPT. */
export async function openWays(stack: TestStack) {
  const { payer, payFetchOptions } = stack;
  const { privateKey } = payFetchOptions;
  const x402 = await openX402(stack);
  const channelId = await payer.openChannel({ deposit: 1_000_000n });
  let cumulativeAmount = 0n;
  const owner = new KeyOwner(payer, privateKey);
  await owner.logIn();
  await owner.postHeadroom(await payer.openChannel({ deposit: 1_000_000n }), 1_000_000n);
  const { apiKey } = await owner.createKey();
  await sendAllowance({ functionName: 'approve', amount: 10n ** 18n, stack: stack.stack, privateKey });
  const { apiKey: allowanceKey } = await owner.createKey({ mode: 'allowance' });
  return {
    'a voucher': async (body) => {
      cumulativeAmount += 2_000n;
      const challenge = await payer.challenge(body);
      return { authorization: payer.authorization({ challenge, channelId, cumulativeAmount }) };
    },
    'an API key': async () => ({ authorization: `Bearer ${apiKey}` }),
    'x402 exact': (body) => x402.sign(body, 'exact'),
    'x402 upto': (body) => x402.sign(body, 'upto'),
    'evm/charge': (body) => signCharge(payer, { privateKey, body }),
    'an allowance': async () => ({ authorization: `Bearer ${allowanceKey}` }),
  } satisfies Record<string, SignPayment>;
}

/** The demo wallet with the clients of x402, once Permit2 may take its first token. */
export async function openX402({ payer, payFetchOptions }: TestStack): Promise<X402Payer> {
  const { relayUrl, rpcUrl, token } = payer.scope;
  const x402 = new X402Payer({ relayUrl, rpcUrl, token, privateKey: payFetchOptions.privateKey });
  await x402.approvePermit2();
  return x402;
}

/** What the unmodified client of `mppx` would send in USDC on the payer's chain, without sending it. */
export async function signCharge(
  payer: RawPayer,
  { privateKey, body }: { privateKey: Hex; body: string },
): Promise<Record<string, string>> {
  const { chainId, relayUrl, token } = payer.scope;
  let authorization = '';
  const catching: typeof fetch = (_, init) => {
    authorization = new Headers(init?.headers).get('authorization') ?? '';
    if (authorization !== '') return Promise.resolve(new Response('{}'));
    return payer.post(body, { 'accept-payment': 'evm/charge' });
  };
  const methods = [
    evm({
      account: privateKeyToAccount(privateKey),
      authorization: { name: 'USD Coin', version: '2' },
      ...{ currencies: [token], networks: [chainId], decimals: 6, maxAmount: '1' },
    }),
  ];
  const client = Mppx.create({ polyfill: false, methods, fetch: catching });
  await client.fetch(`${relayUrl}/v1/chat/completions`, { method: 'POST', body });
  return { authorization };
}
