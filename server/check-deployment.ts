import { billingDisputesAbi } from '../protocol/abi/billing-disputes.ts';
import { fiatTokenAbi } from '../protocol/abi/fiat-token.ts';
import type { Hex } from '../protocol/bytes/hex.ts';
import type { ContractAddresses } from '../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';
import { callChain } from './chain/call-chain.ts';
import type { ChainClient } from './chain/create-chain-client.ts';
import { holdsRole, isReceiptKeyNow } from './chain/read-authority.ts';
import type { RelayConfig, TokenConfig } from './config/relay-config.ts';

/** What is compared with the chain. */
export interface CheckDeploymentOptions {
  client: ChainClient;
  config: Pick<RelayConfig, 'contracts'> & {
    audit: Pick<RelayConfig['audit'], 'maxMergeDelaySeconds'>;
    chain: Pick<RelayConfig['chain'], 'id'>;
    tokens: readonly Pick<TokenConfig, 'symbol' | 'address' | 'decimals'>[];
  };
  /** The relay's account. */
  relay: Hex;
}

type Setting = keyof ContractAddresses;

/** What a contract says of another: its name, its getter, and the setting that this must be. */
const links: readonly [Setting, string, Setting][] = [
  ['autoPayLLM', 'paymentChannels', 'paymentChannels'],
  ['autoPayLLM', 'auditLog', 'auditLog'],
  ['autoPayLLM', 'modelBudgets', 'modelBudgets'],
  ['autoPayLLM', 'agpt', 'agpt'],
  ['modelBudgets', 'consumer', 'autoPayLLM'],
  ['modelBudgets', 'agpt', 'agpt'],
  ['modelBudgets', 'governance', 'timelock'],
  ['priceBook', 'governance', 'timelock'],
  ['priceOracle', 'governance', 'timelock'],
  ['billingDisputes', 'governance', 'timelock'],
  ['billingDisputes', 'autoPayLLM', 'autoPayLLM'],
  ['billingDisputes', 'priceBook', 'priceBook'],
  ['billingDisputes', 'priceOracle', 'priceOracle'],
  ['billingDisputes', 'keyRegistry', 'keyRegistry'],
  ['paymentDesk', 'autoPayLLM', 'autoPayLLM'],
  ['governor', 'autoPayLLM', 'autoPayLLM'],
  ['governor', 'timelock', 'timelock'],
  ['governor', 'token', 'agpt'],
];

/** Who must hold which role where; `relay` is the account of keys/relay.key. */
const roles: readonly [Setting, string, Setting | 'relay'][] = [
  ['autoPayLLM', 'RELAY_ROLE', 'relay'],
  ['auditLog', 'ANCHOR_ROLE', 'relay'],
  ['autoPayLLM', 'DESK_ROLE', 'paymentDesk'],
  ['autoPayLLM', 'DISPUTES_ROLE', 'billingDisputes'],
  ['timelock', 'PROPOSER_ROLE', 'governor'],
];

/**
 * Checks at the start that the configuration fits the chain: its id, code at each address, contracts that belong
 * together, the tokens' decimals, the roles of the relay's account, that its receipts count as evidence, and that they are in the log
 * in time. A relay that took payments and could not collect them, or signed receipts that nobody accepts, would only be noticed much
 * later.
 *
 * @throws AutoPayError `invalid_configuration`, naming the setting; `chain_unavailable`
 */
export async function checkDeployment({ client, config, relay }: CheckDeploymentOptions): Promise<void> {
  const { audit, contracts, tokens } = config;
  const chainId = await callChain('its id', () => client.getChainId());
  require(chainId === config.chain.id, `chain.id is ${config.chain.id}, but chain.rpcUrl is on chain ${chainId}.`);
  await Promise.all([
    ...Object.entries(contracts).map(([name, address]) => requireCode(client, `contracts.${name}`, address)),
    ...tokens.map(({ symbol, address }) => requireCode(client, `the token ${symbol}`, address)),
  ]);
  const checks = [
    ...links.map(([from, getter, to]) => requireLink(client, contracts, { from, getter, to })),
    ...roles.map(([at, role, holder]) => requireRole(client, { contracts, relay, at, role, holder })),
    ...tokens.map((token) => requireDecimals(client, token)),
    requireReceiptKey(client, { keyRegistry: contracts.keyRegistry, relay }),
    requireMergeDelay(client, { billingDisputes: contracts.billingDisputes, seconds: audit.maxMergeDelaySeconds }),
  ];
  // The first in this order, whatever came back first: one fault, one message.
  for (const result of await Promise.allSettled(checks)) if (result.status === 'rejected') throw result.reason;
}

async function requireCode(client: ChainClient, setting: string, address: Hex): Promise<void> {
  const code = await callChain(`the code of ${setting}`, () => client.getCode({ address }));
  require(code !== undefined &&
    code !== '0x', `There is no contract at ${setting}, ${address}. Deploy it, or correct the address.`);
}

async function requireLink(
  client: ChainClient,
  contracts: ContractAddresses,
  { from, getter, to }: { from: Setting; getter: string; to: Setting },
): Promise<void> {
  const found = await callChain(`${getter} of contracts.${from}`, () =>
    client.readContract({
      address: contracts[from],
      abi: [{ type: 'function', name: getter, inputs: [], outputs: [{ type: 'address' }], stateMutability: 'view' }],
      functionName: getter,
    }),
  );
  const isSame = String(found).toLowerCase() === contracts[to];
  require(isSame, `contracts.${from} works with the ${getter} ${String(found)}, not with contracts.${to}.`);
}

async function requireRole(
  client: ChainClient,
  check: { contracts: ContractAddresses; relay: Hex; at: Setting; role: string; holder: Setting | 'relay' },
): Promise<void> {
  const { at, role, holder } = check;
  const account = holder === 'relay' ? check.relay : check.contracts[holder];
  const holds = await holdsRole(client, { contract: check.contracts[at], role, account });
  const remedy =
    holder === 'relay'
      ? `${account} (keys/relay.key) lacks ${role} of contracts.${at}. Grant it, or use the key that has it.`
      : `contracts.${holder} lacks ${role} of contracts.${at}. Finish the deployment, or correct the address.`;
  require(holds, remedy);
}

async function requireDecimals(client: ChainClient, token: Pick<TokenConfig, 'symbol' | 'address' | 'decimals'>) {
  const { symbol, address } = token;
  const decimals = await callChain(`the decimals of ${symbol}`, () =>
    client.readContract({ address, abi: fiatTokenAbi, functionName: 'decimals' }),
  );
  require(decimals === token.decimals, `${symbol} has ${decimals} decimals, not ${token.decimals} as tokens says.`);
}

async function requireReceiptKey(client: ChainClient, keys: { keyRegistry: Hex; relay: Hex }): Promise<void> {
  const isValid = await isReceiptKeyNow(client, keys);
  require(isValid, `${keys.relay} (keys/relay.key) is no receipt key of contracts.keyRegistry now. Add it there, or use the key that is.`);
}

/** A receipt that is in the log later than the contract allows is one that the payer may claim back. */
async function requireMergeDelay(
  client: ChainClient,
  { billingDisputes, seconds }: { billingDisputes: Hex; seconds: number },
): Promise<void> {
  const allowed = await callChain('the merge delay that BillingDisputes allows', () =>
    client.readContract({ address: billingDisputes, abi: billingDisputesAbi, functionName: 'maxMergeDelay' }),
  );
  require(BigInt(seconds) <
    allowed, `audit.maxMergeDelaySeconds is ${seconds}, but contracts.billingDisputes allows ${allowed}: set less.`);
}

function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AutoPayError('invalid_configuration', message);
}
