import type { ChainWriter } from './group-worker.ts';
import type { KeyLedger } from './key-ledger.ts';
import type { RecalledChannels } from './recalled-channels.ts';

/** The main thread's side of the books of keys. */
export function createKeyLedger(worker: ChainWriter, recalled: RecalledChannels): KeyLedger {
  return {
    putProject: (project) => worker.call('putProject', project),
    getProject: (projectId) => worker.call('getProject', projectId),
    listProjects: (payer) => worker.call('listProjects', payer),
    putKey: (key) => worker.call('putKey', key),
    getKey: (keyId) => worker.call('getKey', keyId),
    findKey: (secretHash) => worker.call('findKey', secretHash),
    listKeys: (payer) => worker.call('listKeys', payer),
    async acceptHeadroom(request) {
      const channel = await worker.call('acceptHeadroom', request);
      recalled.remember(channel);
      return channel;
    },
    async findKeyChannel(owner) {
      const channel = await worker.call('findKeyChannel', owner);
      recalled.remember(channel);
      return channel;
    },
    listKeyChannels: (payer) => worker.call('listKeyChannels', payer),
    useNonce: (request) => worker.call('useNonce', request),
  };
}
