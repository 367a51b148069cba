import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';
import { keccak256, toBytes, zeroAddress, zeroHash } from 'viem';
import type { Address, Hex } from 'viem';
import { agptModule, type AgptPlan } from './Agpt.ts';

/** What the system is deployed with. Amounts are atomic units, times are seconds. */
export interface AutoPayPlan {
  agpt: AgptPlan;
  usdc: Address;
  /** Gets RELAY_ROLE, ANCHOR_ROLE and KEYS_ROLE; also its first receipt-signing key. */
  relay: Address;
  /** Gets GUARDIAN_ROLE; the zero address: nobody. */
  guardian: Address;
  /** Where the relay's bond goes back to. */
  bondPayout: Address;
  providers: readonly { name: string; payout: Address }[];
  disputeWindow: bigint;
  /** Time that a receipt may take into the anchored log. */
  mergeDelay: bigint;
  governance: {
    votingDelay: bigint;
    votingPeriod: bigint;
    lateQuorumExtension: bigint;
    proposalThreshold: bigint;
    quorumPercent: bigint;
    timelockDelay: bigint;
  };
  /** AGPT wei per model and UTC day. */
  defaultDailyLimit: bigint;
  /** AGPT wei per atomic unit of USDC, times 10^18. */
  usdcRate: bigint;
  /** Root of the price table that holds from the deployment on; zero: none. */
  priceRoot: Hex;
  /** Chainlink's uptime feed; the zero address: none. */
  sequencerFeed: Address;
  usdcUsdFeed: { feed: Address; heartbeatSeconds: bigint } | undefined;
  disputeTerms: Record<'USDC' | 'AGPT', { claimantBond: bigint; minPenalty: bigint }>;
  /** Contracts of others by which wallets pay single calls: Uniswap's Permit2 and x402's two proxies. */
  permit2: Address;
  x402: { exactProxy: Address; uptoProxy: Address };
}

const DEFAULT_ADMIN_ROLE = zeroHash;

/** Identifier of a role, as OpenZeppelin's contracts and ours compute it. */
export function roleId(name: string): Hex {
  return name === 'DEFAULT_ADMIN_ROLE' ? DEFAULT_ADMIN_ROLE : keccak256(toBytes(name));
}

/**
 * The whole system, and its handover: when all of it has run, the timelock is the only admin, the governor its only
 * proposer and canceller, anyone may execute, and the deployer holds nothing.
 */
export function autoPayModule(plan: AutoPayPlan) {
  return buildModule('AutoPay', (m) => {
    const deployer = m.getAccount(0);
    const { agpt } = m.useModule(agptModule(plan.agpt));
    const timelock = m.contract('TimelockController', [plan.governance.timelockDelay, [], [zeroAddress], deployer]);
    const rules = deployRules(m, plan, { agpt, timelock });

    const paymentChannels = m.contract('PaymentChannels');
    const auditLog = m.contract('AuditLog', [timelock, plan.relay]);
    const autoPayLLM = m.contract('AutoPayLLM', [
      {
        ...{ paymentChannels, auditLog, modelBudgets: rules.modelBudgets, agpt, admin: deployer },
        ...{ relay: plan.relay, guardian: plan.guardian, bondPayout: plan.bondPayout },
        disputeWindow: plan.disputeWindow,
        providers: [...plan.providers],
      },
    ]);
    const paymentDesk = m.contract('PaymentDesk', [
      ...[autoPayLLM, plan.permit2, plan.x402.exactProxy, plan.x402.uptoProxy],
    ]);
    const billingDisputes = m.contract('BillingDisputes', [
      {
        autoPayLLM,
        ...{ priceBook: rules.priceBook, priceOracle: rules.priceOracle, keyRegistry: rules.keyRegistry },
        governance: timelock,
        mergeDelay: plan.mergeDelay,
        terms: [
          { token: plan.usdc, ...plan.disputeTerms.USDC },
          { token: agpt, ...plan.disputeTerms.AGPT },
        ],
      },
    ]);
    const { timelockDelay: _, ...vote } = plan.governance;
    const governor = m.contract('AutoPayGovernor', [{ autoPayLLM, timelock, ...vote }]);
    handOver(m, { autoPayLLM, paymentDesk, billingDisputes, modelBudgets: rules.modelBudgets, timelock, governor });
    return { paymentChannels, auditLog, autoPayLLM, paymentDesk, billingDisputes, ...rules, agpt, timelock, governor };
  });
}

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
type Deployed = Parameters<Builder['call']>[0];

/** What the vote sets: budgets, prices, feeds; and the relay's keys. */
function deployRules(m: Builder, plan: AutoPayPlan, { agpt, timelock }: Record<'agpt' | 'timelock', Deployed>) {
  const feeds = plan.usdcUsdFeed === undefined ? [] : [{ token: plan.usdc, ...plan.usdcUsdFeed }];
  return {
    modelBudgets: m.contract('ModelBudgets', [
      ...[timelock, agpt, plan.defaultDailyLimit],
      [{ token: plan.usdc, rate: plan.usdcRate }],
    ]),
    priceBook: m.contract('PriceBook', [timelock, plan.priceRoot]),
    priceOracle: m.contract('PriceOracle', [timelock, plan.sequencerFeed, feeds]),
    keyRegistry: m.contract('KeyRegistry', [timelock, plan.relay]),
  };
}

/** Gives every power away. What gives up the deployer's own comes last, so that an interruption can be completed. */
function handOver(
  m: Builder,
  parts: Record<'autoPayLLM' | 'paymentDesk' | 'billingDisputes' | 'modelBudgets' | 'timelock' | 'governor', Deployed>,
): void {
  const { autoPayLLM, paymentDesk, billingDisputes, modelBudgets, timelock, governor } = parts;
  const deployer = m.getAccount(0);
  const grant = (contract: Deployed, role: string, to: Deployed, id: string) =>
    m.call(contract, 'grantRole', [roleId(role), to], { id });
  const wired = [
    m.call(modelBudgets, 'setConsumer', [autoPayLLM]),
    grant(autoPayLLM, 'DESK_ROLE', paymentDesk, 'grantDesk'),
    grant(autoPayLLM, 'DISPUTES_ROLE', billingDisputes, 'grantDisputes'),
    grant(autoPayLLM, 'DEFAULT_ADMIN_ROLE', timelock, 'grantAdmin'),
    grant(timelock, 'PROPOSER_ROLE', governor, 'grantProposer'),
    grant(timelock, 'CANCELLER_ROLE', governor, 'grantCanceller'),
  ];
  m.call(autoPayLLM, 'renounceRole', [DEFAULT_ADMIN_ROLE, deployer], { id: 'renounceAutoPayAdmin', after: wired });
  m.call(timelock, 'renounceRole', [DEFAULT_ADMIN_ROLE, deployer], { id: 'renounceTimelockAdmin', after: wired });
}
