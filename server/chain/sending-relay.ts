import { privateKeyToAccount } from 'viem/accounts';
import { fromHex, type Hex } from '../../protocol/bytes/hex.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import { createChainClient } from './create-chain-client.ts';
import { createTransactionQueue, type TransactionRequest } from './send-queued-transactions.ts';

/*
 * A process for the tests of the transaction queue: sends many transactions at once and writes a line for each success; the
 * test kills it with SIGKILL in between. The plan comes in the environment variable AUTOPAY_TEST_SENDING.
 */

/** What the test asks of the process. */
export interface SendingPlan {
  dataDir: string;
  rpcUrl: string;
  chainId: number;
  relayKey: Hex;
  autoPayLLM: Hex;
  requests: readonly TransactionRequest[];
}

async function run({ dataDir, rpcUrl, chainId, relayKey, autoPayLLM, requests }: SendingPlan): Promise<void> {
  const silent = () => undefined;
  const ledger = await openLedger({
    ...{ dataDir, chainId, receiptKey: Buffer.from(fromHex(relayKey)) },
    receiptScope: { chainId, verifyingContract: autoPayLLM },
  });
  const queue = createTransactionQueue({
    ...{ ledger, chainId, account: privateKeyToAccount(relayKey), client: createChainClient({ rpcUrl, chainId }) },
    log: { info: silent, warn: silent, error: silent },
    pollingIntervalMs: 20,
  });
  await Promise.all(requests.map((request) => queue.send(request).then(() => process.stdout.write('sent\n'))));
  await ledger.close();
}

const plan = process.env['AUTOPAY_TEST_SENDING'];
if (import.meta.main && plan !== undefined) await run(JSON.parse(plan) as SendingPlan);
