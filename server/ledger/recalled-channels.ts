import type { Hex } from '../../protocol/bytes/hex.ts';
import type { ChannelState } from './ledger.ts';

/** The most channels that are remembered; the one used longest ago goes first. */
const maxChannels = 10_000;

/**
 * The channels as the ledger last told of them, on the main thread: a call on a known channel then needs no message to
 * the writer before its reservation. It decides nothing; what is behind here, the reservation sets right.
 */
export class RecalledChannels {
  readonly #channels = new Map<Hex, ChannelState>();

  get(channelId: Hex): ChannelState | undefined {
    return this.#channels.get(channelId);
  }

  remember(channel: ChannelState | null | undefined): void {
    if (!channel) return;
    // Inserted anew, so that the map's order is that of use.
    this.#channels.delete(channel.channelId);
    this.#channels.set(channel.channelId, channel);
    if (this.#channels.size <= maxChannels) return;
    const [oldest] = this.#channels.keys();
    if (oldest !== undefined) this.#channels.delete(oldest);
  }

  forget(channelId: Hex | undefined): void {
    if (channelId !== undefined) this.#channels.delete(channelId);
  }

  clear(): void {
    this.#channels.clear();
  }
}
