import { auditLogAbi } from '../protocol/abi/audit-log.ts';
import { autoPayLlmAbi } from '../protocol/abi/auto-pay-llm.ts';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { callChain } from './chain/call-chain.ts';
import type { ChainClient } from './chain/create-chain-client.ts';
import type { RelayConfig } from './config/relay-config.ts';

/** What is compared with the chain. */
export interface CheckDeploymentOptions {
  client: ChainClient;
  config: Pick<RelayConfig, 'chain' | 'contracts' | 'token'>;
  /** The relay's account. */
  relay: Hex;
}

/**
 * Checks at the start that the configuration fits the chain: its id, code at each address, contracts that belong
 * together, the token's decimals, and the roles of the relay's account. A relay that took payments and could not collect
 * them, or signed receipts that nobody accepts, would only be noticed much later.
 *
 * @throws AutoPayError `invalid_configuration`, naming the setting; `chain_unavailable`
 */
export async function checkDeployment({ client, config, relay }: CheckDeploymentOptions): Promise<void> {
  const chainId = await callChain('its id', () => client.getChainId());
  require(chainId === config.chain.id, `chain.id is ${config.chain.id}, but chain.rpcUrl is on chain ${chainId}.`);
  const { paymentChannels, autoPayLLM, auditLog } = config.contracts;
  await Promise.all([
    requireCode(client, 'contracts.paymentChannels', paymentChannels),
    requireCode(client, 'contracts.autoPayLLM', autoPayLLM),
    requireCode(client, 'contracts.auditLog', auditLog),
    requireCode(client, 'token.address', config.token.address),
  ]);

  const payee = { address: autoPayLLM, abi: autoPayLlmAbi } as const;
  const log = { address: auditLog, abi: auditLogAbi } as const;
  const token = { address: config.token.address, abi: fiatTokenAbi } as const;
  const [escrow, itsLog, decimals, relayRole, anchorRole] = await callChain('the contracts’ settings', () =>
    Promise.all([
      client.readContract({ ...payee, functionName: 'paymentChannels' }),
      client.readContract({ ...payee, functionName: 'auditLog' }),
      client.readContract({ ...token, functionName: 'decimals' }),
      client.readContract({ ...payee, functionName: 'RELAY_ROLE' }),
      client.readContract({ ...log, functionName: 'ANCHOR_ROLE' }),
    ]),
  );
  require(isSame(escrow, paymentChannels), `AutoPayLLM collects from ${escrow}, not from contracts.paymentChannels.`);
  require(isSame(itsLog, auditLog), `AutoPayLLM looks at the log ${itsLog}, not at contracts.auditLog.`);
  require(decimals === config.token.decimals, `The token has ${decimals} decimals, not token.decimals.`);
  const [mayCollect, mayAnchor] = await callChain('the relay’s roles', () =>
    Promise.all([
      client.readContract({ ...payee, functionName: 'hasRole', args: [relayRole, relay] }),
      client.readContract({ ...log, functionName: 'hasRole', args: [anchorRole, relay] }),
    ]),
  );
  require(mayCollect, `${relay} (keys/relay.key) lacks RELAY_ROLE of AutoPayLLM. Grant it, or use the key that has it.`);
  require(mayAnchor, `${relay} (keys/relay.key) lacks ANCHOR_ROLE of AuditLog. Grant it, or use the key that has it.`);
}

async function requireCode(client: ChainClient, setting: string, address: Hex): Promise<void> {
  const code = await callChain(`the code of ${setting}`, () => client.getCode({ address }));
  require(code !== undefined &&
    code !== '0x', `There is no contract at ${setting}, ${address}. Deploy it, or correct the address.`);
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AutoPayError('invalid_configuration', message);
}
