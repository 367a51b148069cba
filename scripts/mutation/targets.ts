import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { root } from '../tooling/run-command.ts';

/** A source file whose mutants some of the tests must notice. */
export interface MutationTarget {
  /** Relative to the project. */
  source: string;
  /** Test files, relative to the project; tried in this order until one fails. */
  tests: readonly string[];
}

/** Parts that have no test file of their own name are tested through those of the contracts that they are part of. */
const TESTED_THROUGH: Readonly<Record<string, readonly string[]>> = {
  AllowanceBilling: ['AutoPayLLMAllowance', 'AutoPayLLM'],
  BoundedTransfer: ['BoundedTransfer', 'PaymentChannelsCloseBatch', 'AutoPayLLM'],
  CallReceipt: ['BillingDisputes'],
  ChannelId: ['PaymentChannels', 'Vectors'],
  ChannelState: ['PaymentChannels'],
  Claim: ['PaymentChannelsBatch', 'PaymentChannels'],
  ClaimBuffer: ['PaymentChannelsBatch', 'PaymentChannels'],
  DirectPayments: ['AutoPayLLM'],
  DisputeRecords: ['BillingDisputes'],
  Evidence: ['BillingDisputes'],
  GuardianStops: ['AutoPayLLMGuardian', 'AutoPayLLM'],
  HeldFunds: ['AutoPayLLM'],
  PackedEntries: ['PaymentChannelsBatch', 'PaymentChannelsCloseBatch'],
  PaymentHashes: ['PaymentDesk'],
  ProviderCredits: ['AutoPayLLM'],
  ReceiptBatch: ['Vectors', 'AutoPayLLM'],
  RelayBond: ['AutoPayLLMBond', 'AutoPayLLM'],
  VoucherSignatures: ['PaymentChannels'],
};

/** The contracts of our own and what they are made of; interfaces have no code, and stand-ins of others' contracts are none. */
export function listTargets(): MutationTarget[] {
  const sources = globSync('contracts/**/*.sol', { cwd: root }).filter((file) => !/\/(interfaces|mocks)\//.test(file));
  return sources.toSorted().map((source) => ({ source, tests: testsOf(basename(source, '.sol')) }));
}

function testsOf(name: string): string[] {
  const names = TESTED_THROUGH[name] ?? [name];
  const unit = names.flatMap((part) => globSync(`test/contracts/{,*/}${part}*.t.sol`, { cwd: root }).toSorted());
  // Invariants take longest, so they come last.
  const isInvariant = (file: string): boolean => file.includes('/invariants/');
  const tests = [...unit.filter((file) => !isInvariant(file)), ...unit.filter(isInvariant)];
  return [...new Set(tests)];
}
