import type { Hex } from '../../protocol/bytes/hex.ts';
import type { KeyLedger, StoredKey, StoredProject } from '../ledger/key-ledger.ts';
import type { ChannelState } from '../ledger/ledger.ts';
import { createKeyCache } from './key-cache.ts';
import type { KeyToken } from './key-currency.ts';

/*
 * Values and doubles for the tests of keys.
 */

/** The payer of the tests' keys. */
export const testPayer: Hex = `0x${'ab'.repeat(20)}`;
/** The tokens of the tests: prices are in the first. */
export const testTokens: readonly [KeyToken, KeyToken] = [
  { symbol: 'USDC', address: `0x${'c1'.repeat(20)}`, decimals: 6, oracle: false, currencyUnit: 1_000_000n },
  { symbol: 'AGPT', address: `0x${'c2'.repeat(20)}`, decimals: 18, oracle: false, currencyUnit: 100n * 10n ** 18n },
];

const terms = {
  ...{ payer: testPayer, token: testTokens[0].address, name: 'API key', metadata: '{}', models: null },
  ...{
    budget: null,
    budgetDuration: null,
    budgetFrom: 1_790_000_000,
    createdAtMs: 1_790_000_000_000,
    deletedAtMs: null,
  },
};

/** A key without limits. */
export function someKey(overrides: Partial<StoredKey> = {}): StoredKey {
  return {
    ...terms,
    ...{ keyId: 'key_1', secretHash: `0x${'01'.repeat(32)}`, hint: 'ap_sk_…abcd', mode: 'channel', projectId: null },
    ...{ expiresAtMs: null, rpmLimit: null, tpmLimit: null, manages: false, createdBy: 'payer' },
    ...overrides,
  };
}

/** A project without limits. */
export function someProject(overrides: Partial<StoredProject> = {}): StoredProject {
  return { ...terms, projectId: 'prj_1', ...overrides };
}

/** A channel of the tests' payer with 1,000,000 atomic units in it, of which 600,000 are signed. */
export function someKeyChannel(overrides: Partial<ChannelState> = {}): ChannelState {
  return {
    ...{
      channelId: `0x${'77'.repeat(32)}`,
      payer: testPayer,
      payee: `0x${'aa'.repeat(20)}`,
      token: testTokens[0].address,
    },
    ...{ salt: `0x${'00'.repeat(32)}`, authorizedSigner: `0x${'00'.repeat(20)}`, deposit: 1_000_000n, settled: 0n },
    ...{ closeRequestedAt: 0, finalized: false, readAtBlock: 1, acceptedCumulative: 600_000n, acceptedSignature: null },
    ...{ charged: 0n, reserved: 0n, sequence: 0 },
    ...overrides,
  };
}

/** The books of keys in memory (a double: it keeps what it is given and decides nothing). */
export function createKeyBook(channels: readonly ChannelState[] = [someKeyChannel()]) {
  const keys = new Map<string, StoredKey>();
  const projects = new Map<string, StoredProject>();
  const isLiving = ({ deletedAtMs }: StoredKey | StoredProject) => deletedAtMs === null;
  const channelOf = ({ payer, token }: { payer: Hex; token: Hex }) =>
    channels.find((channel) => channel.payer === payer && channel.token === token);
  const ledger = {
    putKey: async (key) => void keys.set(key.keyId, key),
    getKey: async (keyId) => keys.get(keyId),
    async findKey(secretHash) {
      const key = [...keys.values()].filter(isLiving).find((candidate) => candidate.secretHash === secretHash);
      if (!key) return undefined;
      const channel = channelOf(key);
      const project = key.projectId === null ? null : (projects.get(key.projectId) ?? null);
      return { key, project, channelId: channel?.channelId ?? null };
    },
    listKeys: async (payer) => [...keys.values()].filter((key) => isLiving(key) && key.payer === payer),
    putProject: async (project) => void projects.set(project.projectId, project),
    getProject: async (projectId) => projects.get(projectId),
    listProjects: async (payer) => [...projects.values()].filter((one) => isLiving(one) && one.payer === payer),
    findKeyChannel: async (owner) => channelOf(owner),
    listKeyChannels: async (payer) => channels.filter((channel) => channel.payer === payer),
  } satisfies Partial<KeyLedger>;
  return { ledger, keys, projects };
}

/** What managing keys works with, on books in memory; the time is a constant. */
export function createManageDeps(channels?: readonly ChannelState[]) {
  const book = createKeyBook(channels);
  const nowMs = () => 1_790_000_000_000;
  const cache = createKeyCache({ ledger: book.ledger, nowMs });
  return { ...book, cache, tokens: testTokens, allowanceToken: testTokens[1], nowMs };
}
