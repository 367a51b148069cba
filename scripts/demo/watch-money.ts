import type { OpenDeployment } from '../../client/chain/open-deployment.ts';
import { formatAmount } from '../../client/token-amount.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../../protocol/abi/fiat-token.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import { USDC } from './demo-settings.ts';
import type { Demo } from './run-demo.ts';

/** Where the money of disputes is, as the chain has it; atomic units of USDC. */
export interface Money {
  /** The payer's own, outside escrow. */
  payer: bigint;
  /** The relay's bond. */
  relayBond: bigint;
  /** What disputes hold of the relay's bond: a part of it. */
  held: bigint;
  /** What disputes hold of claimants' bonds. */
  claimantBonds: bigint;
  /** What was burned. */
  burned: bigint;
}

const labels: Readonly<Record<keyof Money, string>> = {
  payer: 'payer',
  relayBond: "relay's bond",
  held: 'held of it',
  claimantBonds: "claimants' bonds",
  burned: 'burned',
};
const names = Object.keys(labels) as (keyof Money)[];

/** Reads the balances from the token, and the bond from AutoPayLLM. */
export async function readMoney({ reader, contracts, tokens }: OpenDeployment, payer: Hex): Promise<Money> {
  const token = tokens['USDC']?.address ?? '0x';
  const business = { address: contracts.autoPayLLM, abi: autoPayLlmAbi } as const;
  const balanceOf = (account: Hex): Promise<bigint> =>
    reader.readContract({ address: token, abi: fiatTokenAbi, functionName: 'balanceOf', args: [account] });
  const [bond, sink] = await Promise.all([
    reader.readContract({ ...business, functionName: 'bondOf', args: [token] }),
    reader.readContract({ ...business, functionName: 'BURN_ADDRESS' }),
  ]);
  return {
    payer: await balanceOf(payer),
    relayBond: bond.amount,
    held: bond.frozen,
    claimantBonds: await balanceOf(contracts.billingDisputes),
    burned: await balanceOf(sink),
  };
}

/**
 * Shows what changed between two readings, and requires that it is what was expected; what is not named must not change.
 * @throws Error naming each figure that is wrong, and if money came from nowhere or went there
 */
export function requireChange(
  say: Demo['say'],
  { before, after }: { before: Money; after: Money },
  expected: Partial<Money>,
): void {
  const wrong: string[] = [];
  for (const name of names) {
    const change = after[name] - before[name];
    const wanted = expected[name] ?? 0n;
    if (change !== wanted) wrong.push(`${labels[name]} changed by ${show(change)}, not ${show(wanted)}`);
    const sign = change > 0n ? '+' : '';
    if (change !== 0n) {
      say(`   ${labels[name].padEnd(18)}${show(before[name])} → ${show(after[name])}  (${sign}${show(change)})`);
    }
  }
  if (names.every((name) => after[name] === before[name])) say('   no balance has changed');
  if (totalOf(before) !== totalOf(after)) wrong.push('money came from nowhere, or went there');
  if (wrong.length > 0) throw new Error(wrong.join('; '));
}

const show = (amount: bigint): string => formatAmount(amount, USDC);

/** `held` is a part of the bond. */
const totalOf = ({ payer, relayBond, claimantBonds, burned }: Money): bigint =>
  payer + relayBond + claimantBonds + burned;
