import { toHex, type Hex } from '../../../protocol/bytes/hex.ts';
import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';
import { voucherDomainSeparator } from '../../../protocol/typed-data/voucher.ts';
import type { TypedDataScope } from '../../../protocol/typed-data/domain-separator.ts';
import type { VerifiedVoucher } from '../../ledger/ledger.ts';
import { closing, packedSignerBytes, packVouchers } from './voucher-packing.ts';
import { startThread } from '../../ledger/start-thread.ts';

/** Recovers who signed a voucher. */
export interface VoucherRecoverer {
  /**
   * @returns the signer's address in lower case
   * @throws AutoPayError `invalid_signature`, or `overloaded` if too many wait
   */
  recover(voucher: VerifiedVoucher): Promise<Hex>;
  /** Stops the thread, after the group that it is at; what waits is rejected. */
  close(): Promise<void>;
}

interface Waiting {
  voucher: VerifiedVoucher;
  resolve(signer: Hex): void;
  reject(error: AutoPayError): void;
}

const maxGroup = 128;

/**
 * Starts a thread that recovers voucher signatures natively. Vouchers that arrive while a group is under way make the
 * next group: one message for each group, because a message costs more of the main thread than the rest of admission.
 *
 * @param options.scope the escrow whose vouchers are checked
 * @param options.maxWaiting vouchers beyond this are refused with `overloaded`
 * @param options.onFatal called once if the thread dies by itself; nothing can be admitted afterwards
 */
export function startVoucherRecoverer(options: {
  scope: TypedDataScope;
  maxWaiting?: number;
  onFatal: (error: unknown) => void;
}): VoucherRecoverer {
  const { maxWaiting = 4096 } = options;
  const separator = Uint8Array.from(voucherDomainSeparator(options.scope));
  const script = new URL('./recover-worker.ts', import.meta.url);
  const worker = startThread(script, { name: 'signatures', workerData: { separator } });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let waiting: Waiting[] = [];
  let underWay: Waiting[] = [];
  let stopped: AutoPayError | undefined;

  let scheduled = false;

  // Calls that arrive in one turn of the event loop share a group.
  const schedule = () => {
    if (scheduled || underWay.length > 0 || waiting.length === 0) return;
    scheduled = true;
    setImmediate(send);
  };
  const send = () => {
    scheduled = false;
    if (waiting.length === 0) return;
    underWay = waiting.slice(0, maxGroup);
    waiting = waiting.slice(maxGroup);
    const packed = packVouchers(underWay.map((entry) => entry.voucher));
    worker.postMessage(packed, [packed.buffer]);
  };
  const stop = (error: AutoPayError) => {
    stopped = error;
    for (const entry of [...underWay, ...waiting]) entry.reject(error);
    underWay = [];
    waiting = [];
  };
  worker.on('message', (signers: Uint8Array) => {
    const done = underWay;
    underWay = [];
    schedule();
    done.forEach((entry, index) => settle(entry, signers.subarray(index * packedSignerBytes)));
  });
  worker.on('error', (cause) => {
    if (stopped) return;
    stop(new AutoPayError('internal_error', 'The relay cannot check signatures at the moment. Try again.', { cause }));
    options.onFatal(cause);
  });

  return {
    recover: (voucher) =>
      new Promise((resolve, reject) => {
        if (stopped) return reject(stopped);
        if (waiting.length >= maxWaiting) {
          return reject(new AutoPayError('overloaded', 'Too many payments wait to be checked. Try again in a second.'));
        }
        waiting.push({ voucher, resolve, reject });
        schedule();
      }),
    close: async () => {
      stop(new AutoPayError('overloaded', 'The relay is stopping. Try again in a moment.'));
      // Ended from outside within a native call, the thread would abort the whole process.
      worker.postMessage(closing);
      await exited;
    },
  };
}

function settle(entry: Waiting, packed: Uint8Array): void {
  if (packed[0] === 1) return entry.resolve(toHex(packed.subarray(1, packedSignerBytes)));
  const message = 'The voucher’s signature is not valid. Sign it with 65 bytes r ‖ s ‖ v, low s, v 27 or 28.';
  entry.reject(new AutoPayError('invalid_signature', message));
}
