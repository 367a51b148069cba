import type { Hex } from '../../../protocol/bytes/hex.ts';
import type { ChannelStore } from '../channel-store.ts';
import type { KeyChannelStore, KeyOwner } from '../key-channel-store.ts';
import type { KeyWithProject, StoredKey, StoredProject } from '../key-ledger.ts';
import type { KeyStore } from '../key-store.ts';
import type { ChannelState } from '../ledger.ts';
import { createAcceptHeadroom } from './accept-headroom.ts';

/** The operations of `KeyLedger`, by name; each takes one argument. */
export function createKeyOperations(stores: { channels: ChannelStore; keys: KeyStore; keyChannels: KeyChannelStore }) {
  const { channels, keys, keyChannels } = stores;
  return {
    putProject: (project: StoredProject): void => keys.putProject(project),
    getProject: (projectId: string) => keys.getProject(projectId),
    listProjects: (payer: Hex): StoredProject[] => keys.listProjects(payer),
    putKey: (key: StoredKey): void => keys.putKey(key),
    getKey: (keyId: string) => keys.getKey(keyId),
    findKey(secretHash: Hex): KeyWithProject | undefined {
      const key = keys.findKey(secretHash);
      if (key === undefined) return undefined;
      const project = key.projectId === null ? null : (keys.getProject(key.projectId) ?? null);
      return { key, project, channelId: keyChannels.find(key) ?? null };
    },
    listKeys: (payer: Hex): StoredKey[] => keys.listKeys(payer),
    acceptHeadroom: createAcceptHeadroom(stores),
    findKeyChannel(owner: KeyOwner): ChannelState | undefined {
      const channelId = keyChannels.find(owner);
      return channelId && channels.find(channelId);
    },
    listKeyChannels: (payer: Hex): ChannelState[] =>
      keyChannels.list(payer).map((channelId) => channels.get(channelId)),
    useNonce: ({ nonce, ...times }: { nonce: string; expiresAtMs: number; nowMs: number }): boolean =>
      keyChannels.useNonce(nonce, times),
  };
}
