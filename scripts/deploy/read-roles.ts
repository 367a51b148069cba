import { createPublicClient, getAddress, http, parseAbi, zeroAddress } from 'viem';
import type { Address } from 'viem';
import { roleId, type AutoPayPlan } from '../../ignition/modules/AutoPay.ts';
import type { Deployment } from '../../protocol/deployment/deployment-schema.ts';

const roleEvents = parseAbi([
  'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
  'event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)',
]);

/** The roles of each contract that has any. */
const rolesOf = {
  autoPayLLM: ['DEFAULT_ADMIN_ROLE', 'RELAY_ROLE', 'GUARDIAN_ROLE', 'DESK_ROLE', 'DISPUTES_ROLE'],
  auditLog: ['DEFAULT_ADMIN_ROLE', 'ANCHOR_ROLE'],
  keyRegistry: ['DEFAULT_ADMIN_ROLE', 'KEYS_ROLE'],
  timelock: ['DEFAULT_ADMIN_ROLE', 'PROPOSER_ROLE', 'EXECUTOR_ROLE', 'CANCELLER_ROLE'],
} as const;

/** Who holds which role: `<contract>.<role>` → addresses with checksum, in the order of their grants. */
export type RoleHolders = Record<string, Address[]>;

/** Public endpoints refuse longer ranges. */
const maxBlocksPerQuery = 10_000n;

/**
 * Replays every grant and revocation since the deployment began. A role that this code does not know is listed by its
 * identifier, so that none can hide.
 */
export async function readRoles(options: { rpcUrl: string; deployment: Deployment }): Promise<RoleHolders> {
  const { deployment } = options;
  const reader = createPublicClient({ transport: http(options.rpcUrl) });
  const newest = await reader.getBlockNumber({ cacheTime: 0 });
  const holders: Record<string, Set<Address>> = {};
  for (const [contract, roles] of Object.entries(rolesOf) as [keyof typeof rolesOf, readonly string[]][]) {
    const names = new Map(roles.map((role) => [roleId(role) as string, role]));
    for (const role of roles) holders[`${contract}.${role}`] = new Set();
    for (let from = BigInt(deployment.deployedAtBlock); from <= newest; from += maxBlocksPerQuery) {
      const last = from + maxBlocksPerQuery - 1n;
      const events = await reader.getContractEvents({
        address: deployment.contracts[contract],
        abi: roleEvents,
        strict: true,
        fromBlock: from,
        toBlock: last < newest ? last : newest,
      });
      for (const { eventName, args } of events) {
        const key = `${contract}.${names.get(args.role) ?? args.role}`;
        const accounts = (holders[key] ??= new Set());
        if (eventName === 'RoleGranted') accounts.add(getAddress(args.account));
        else accounts.delete(getAddress(args.account));
      }
    }
  }
  return Object.fromEntries(Object.entries(holders).map(([key, accounts]) => [key, [...accounts]]));
}

/** Who should hold which role right after a deployment. The zero address as executor means that anyone may execute. */
export function expectedRoles(deployment: Deployment, plan: Pick<AutoPayPlan, 'relay' | 'guardian'>): RoleHolders {
  const at = (name: keyof Deployment['contracts']): Address => getAddress(deployment.contracts[name]);
  const [timelock, governor] = [at('timelock'), at('governor')];
  return {
    'autoPayLLM.DEFAULT_ADMIN_ROLE': [timelock],
    'autoPayLLM.RELAY_ROLE': [plan.relay],
    'autoPayLLM.GUARDIAN_ROLE': plan.guardian === zeroAddress ? [] : [plan.guardian],
    'autoPayLLM.DESK_ROLE': [at('paymentDesk')],
    'autoPayLLM.DISPUTES_ROLE': [at('billingDisputes')],
    'auditLog.DEFAULT_ADMIN_ROLE': [timelock],
    'auditLog.ANCHOR_ROLE': [plan.relay],
    'keyRegistry.DEFAULT_ADMIN_ROLE': [timelock],
    'keyRegistry.KEYS_ROLE': [plan.relay],
    'timelock.DEFAULT_ADMIN_ROLE': [timelock],
    'timelock.PROPOSER_ROLE': [governor],
    'timelock.EXECUTOR_ROLE': [zeroAddress],
    'timelock.CANCELLER_ROLE': [governor],
  };
}
