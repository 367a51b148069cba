import { nameId } from '../../protocol/bytes/name-id.ts';
import { zeroBytes32 } from '../../protocol/bytes/hex.ts';

/** Roles of OpenZeppelin's AccessControl; each identifier is `nameId` of the name. */
const roleNames = [
  ...['RELAY_ROLE', 'GUARDIAN_ROLE', 'DISPUTES_ROLE', 'ANCHOR_ROLE', 'KEYS_ROLE'],
  ...['PROPOSER_ROLE', 'EXECUTOR_ROLE', 'CANCELLER_ROLE'],
];

const rolesById = new Map<string, string>([
  [zeroBytes32, 'DEFAULT_ADMIN_ROLE'],
  ...roleNames.map((name) => [nameId(name), name] as const),
]);

/** A role's name; its identifier if no contract of ours has it. */
export function nameOfRole(id: string): string {
  return rolesById.get(id.toLowerCase()) ?? id;
}
