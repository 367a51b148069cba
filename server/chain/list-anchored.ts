import { isAddressEqual, parseEventLogs, type Log } from 'viem';
import { auditLogAbi } from '../../protocol/abi/audit-log.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';

/** What an AuditLog anchored in a transaction, of whose logs this is told: those of other contracts say nothing. */
export function listAnchored(logs: Log[], auditLog: Hex) {
  const ours = logs.filter(({ address }) => isAddressEqual(address, auditLog));
  return parseEventLogs({ abi: auditLogAbi, eventName: 'Anchored', logs: ours }).map(({ args }) => args);
}
