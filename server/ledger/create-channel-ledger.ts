import type { ChannelLedger } from './channel-ledger.ts';
import type { ChainWriter } from './group-worker.ts';
import type { RecalledChannels } from './recalled-channels.ts';

/** The main thread's side of what payers do with their channels. */
export function createChannelLedger(worker: ChainWriter, recalled: RecalledChannels): ChannelLedger {
  return {
    async acceptVoucher(voucher) {
      const channel = await worker.call('acceptVoucher', voucher);
      recalled.remember(channel);
      return channel;
    },
    async openClosing(request) {
      const collection = await worker.call('openClosing', request);
      // It counts as closing now, which the next call has to learn.
      recalled.forget(request.channelId);
      return collection;
    },
    extendCall: (request) => worker.call('extendCall', request),
    findClosing: (channelId) => worker.call('findClosing', channelId),
  };
}
