import type { Abi } from 'viem';
import { agptAbi } from '../../protocol/abi/agpt.ts';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import { autoPayGovernorAbi } from '../../protocol/abi/auto-pay-governor.ts';
import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import { billingDisputesAbi } from '../../protocol/abi/billing-disputes.ts';
import { keyRegistryAbi } from '../../protocol/abi/key-registry.ts';
import { modelBudgetsAbi } from '../../protocol/abi/model-budgets.ts';
import { paymentChannelsAbi } from '../../protocol/abi/payment-channels.ts';
import { paymentDeskAbi } from '../../protocol/abi/payment-desk.ts';
import { priceBookAbi } from '../../protocol/abi/price-book.ts';
import { priceOracleAbi } from '../../protocol/abi/price-oracle.ts';
import { timelockControllerAbi } from '../../protocol/abi/timelock-controller.ts';
import type { ContractAddresses } from '../../protocol/deployment/deployment-schema.ts';

/** A contract of a deployment, as people and programs know it. */
export interface KnownContract {
  /** Its name in Solidity. */
  title: string;
  abi: Abi;
}

/** Every contract of a deployment, by its name in `stack.json`. */
export const knownContracts: Readonly<Record<keyof ContractAddresses, KnownContract>> = {
  paymentChannels: { title: 'PaymentChannels', abi: paymentChannelsAbi },
  autoPayLLM: { title: 'AutoPayLLM', abi: autoPayLlmAbi },
  paymentDesk: { title: 'PaymentDesk', abi: paymentDeskAbi },
  auditLog: { title: 'AuditLog', abi: auditLogAbi },
  modelBudgets: { title: 'ModelBudgets', abi: modelBudgetsAbi },
  priceBook: { title: 'PriceBook', abi: priceBookAbi },
  priceOracle: { title: 'PriceOracle', abi: priceOracleAbi },
  keyRegistry: { title: 'KeyRegistry', abi: keyRegistryAbi },
  billingDisputes: { title: 'BillingDisputes', abi: billingDisputesAbi },
  agpt: { title: 'AGPT', abi: agptAbi },
  governor: { title: 'AutoPayGovernor', abi: autoPayGovernorAbi },
  timelock: { title: 'TimelockController', abi: timelockControllerAbi },
};

/** The contract at an address, if it is one of the deployment. */
export function contractAt(addresses: ContractAddresses, address: string): KnownContract | undefined {
  const name = Object.entries(addresses).find(([, known]) => known === address.toLowerCase())?.[0];
  return name === undefined ? undefined : knownContracts[name as keyof ContractAddresses];
}
