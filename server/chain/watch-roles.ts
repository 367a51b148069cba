import { autoPayLlmAbi } from '../../protocol/abi/auto-pay-llm.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ContractAddresses } from '../../protocol/deployment/deployment-schema.ts';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { RelayAuthority } from '../call/types.ts';
import { callChain } from './call-chain.ts';
import type { ChainClient } from './create-chain-client.ts';
import type { JobLog } from './job-log.ts';
import { holdsRole, isReceiptKeyNow } from './read-authority.ts';

/** What watching works with. */
export interface RoleWatcherOptions {
  client: Pick<ChainClient, 'getBlock' | 'readContract'>;
  contracts: Pick<ContractAddresses, 'autoPayLLM' | 'auditLog' | 'keyRegistry'>;
  /** The relay's account. */
  relay: Hex;
  log: JobLog;
}

/** Knows whether governance still lets the relay do business. */
export interface RoleWatcher extends RelayAuthority {
  /**
   * Reads the relay's roles, its receipt key and its suspension.
   * @throws AutoPayError `chain_unavailable`; then what was read before stands.
   */
  poll(): Promise<void>;
}

/** Makes a watcher; before its first poll it takes the relay as the check at the start found it: authorized. */
export function createRoleWatcher({ client, contracts, relay, log }: RoleWatcherOptions): RoleWatcher {
  const { autoPayLLM, auditLog, keyRegistry } = contracts;
  let missing: readonly string[] = [];
  let suspendedUntil = 0n;

  async function readMissing(): Promise<string[]> {
    const [mayCollect, mayAnchor, isKey] = await Promise.all([
      holdsRole(client, { contract: autoPayLLM, role: 'RELAY_ROLE', account: relay }),
      holdsRole(client, { contract: auditLog, role: 'ANCHOR_ROLE', account: relay }),
      isReceiptKeyNow(client, { keyRegistry, relay }),
    ]);
    return [
      ...(mayCollect ? [] : ['RELAY_ROLE of AutoPayLLM']),
      ...(mayAnchor ? [] : ['ANCHOR_ROLE of AuditLog']),
      ...(isKey ? [] : ['its receipt key in KeyRegistry']),
    ];
  }

  async function readSuspension(): Promise<void> {
    const until = await callChain('the suspension of the relay', () =>
      client.readContract({ address: autoPayLLM, abi: autoPayLlmAbi, functionName: 'suspendedUntil', args: [relay] }),
    );
    const { timestamp } = await callChain('the newest block', () => client.getBlock());
    const ongoing = until > timestamp ? until : 0n;
    if (ongoing === suspendedUntil) return;
    suspendedUntil = ongoing;
    if (ongoing === 0n) return log.info({ relay }, 'the suspension of the relay is over');
    const facts = { relay, until: new Date(Number(ongoing) * 1_000).toISOString() };
    log.warn(facts, 'the guardian has suspended the relay: until then nothing can be collected or booked');
  }

  return {
    async poll() {
      const now = await readMissing();
      const isNews = now.join() !== missing.join();
      missing = now;
      if (isNews && now.length > 0) {
        log.error({ relay, missing: now }, 'governance took away what the relay needs; paid calls are refused');
      }
      if (isNews && now.length === 0) log.info({ relay }, 'the relay is authorized again');
      await readSuspension();
    },
    require() {
      if (missing.length === 0) return;
      throw new AutoPayError(
        'relay_not_authorized',
        `This relay sells nothing now: governance took away ${missing.join(' and ')}. Use another relay, or ask its operator.`,
        { facts: { relay, missing: missing.join(', ') } },
      );
    },
  };
}
