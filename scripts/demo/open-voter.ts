import { readFile } from 'node:fs/promises';
import { agptUnit, openDeployment, openSender, type OpenDeployment } from '../../client/chain/open-deployment.ts';
import type { Sender } from '../../client/chain/send-transaction.ts';
import { readVotingPower, sendDelegation } from '../../client/governance/send-proposal.ts';
import { formatShort } from '../../client/token-amount.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { StackFile } from '../stack.ts';
import type { Demo } from './run-demo.ts';

/** Who proposes and votes, where: the demo wallet, which holds all AGPT of the local chain. */
export interface Voter {
  deployment: OpenDeployment;
  sender: Sender;
  walletKey: Hex;
  /** Of the local chain, whose time is moved between the steps. */
  rpcUrl: string;
}

/** Opens the demo wallet of a stack as a voter. */
export async function openVoter(stack: StackFile): Promise<Voter> {
  const { rpcUrl } = stack;
  const deployment = await openDeployment(rpcUrl, stack);
  const walletKey = (await readFile(stack.wallet.keyFile, 'utf8')).trim() as Hex;
  return { deployment, sender: openSender(deployment, walletKey), walletKey, rpcUrl };
}

/** Delegates the voter's AGPT to itself, as a step. */
export async function delegateVotes({ say, step }: Pick<Demo, 'say' | 'step'>, voter: Voter): Promise<void> {
  const { deployment, sender } = voter;
  await step('delegate: AGPT votes only then', async () => {
    const { transactionHash } = await sendDelegation(deployment, sender, sender.address);
    const { votes } = await readVotingPower(deployment, sender.address);
    say(`   ${sender.address} has ${formatShort(votes, agptUnit)} of votes  ${transactionHash}`);
  });
}
