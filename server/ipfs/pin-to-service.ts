import type { JobLog } from '../chain/job-log.ts';
import type { BackgroundLedger, StoredBlock } from '../ledger/background-ledger.ts';
import type { BlockPin, PinLedger } from '../ledger/pin-ledger.ts';
import type { PinningService, ServicePin } from './pinning-service.ts';

/** What pinning at a service works with. */
export interface PinToServiceDeps {
  /** The service, as the ledger calls it. */
  keeper: string;
  ledger: Pick<PinLedger, 'listPins' | 'recordPin' | 'removePin'> & Pick<BackgroundLedger, 'lastBlock'>;
  service: PinningService;
  /** The newest block is asked for this long after the last one was pinned. */
  intervalMs: number;
  nowMs: () => number;
  log: JobLog;
}

/** How often a pin under way is asked after. */
const pollMs = 15_000;
const firstPauseMs = 60_000;
const maxPauseMs = 3_600_000;

/**
 * Has the newest block pinned at a service. Pins there are recursive, so one reaches the whole history: the pin before it is given up once
 * the new one is `pinned`, and not before. One that failed, or that the service has lost, is asked for anew, for the block that is newest then.
 *
 * @throws AutoPayError `ipfs_unavailable`, `verification_failed`
 */
export async function pinToService(deps: PinToServiceDeps): Promise<void> {
  const { keeper, ledger, nowMs } = deps;
  const pins = await ledger.listPins(keeper);
  const pinned = pins.findLast(({ state }) => state === 'pinned');
  const open = pins.findLast(({ state }) => state !== 'pinned');
  const next = open ?? pinned;
  if (next !== undefined && nowMs() < next.nextAtMs) return;
  const newest = await ledger.lastBlock();
  if (newest === undefined) return;
  if (open?.requestId != null && open.state !== 'failed') return followPin(deps, open, pins);
  if (open) await giveUp(deps, open);
  if (pinned?.start === newest.start && pinned.requestId !== null) return lookAfter(deps, pinned, pins);
  await requestPin(deps, newest, pins);
}

async function requestPin(deps: PinToServiceDeps, block: StoredBlock, pins: readonly BlockPin[]): Promise<void> {
  const { start, size, cid } = block;
  const found = await deps.service.pin({ cid, name: `autopayllm-log-${size}` });
  await recordFound(deps, { start, size, cid, attempts: attemptsOf(pins) }, found, pins);
}

async function followPin(deps: PinToServiceDeps, open: BlockPin, pins: readonly BlockPin[]): Promise<void> {
  const found = await deps.service.find(open.requestId ?? '');
  if (found) return recordFound(deps, open, found, pins);
  await recordFailure(deps, open, 'the service does not know the pin any more');
}

/** Whether the service still has what it had pinned. */
async function lookAfter(deps: PinToServiceDeps, pinned: BlockPin, pins: readonly BlockPin[]): Promise<void> {
  const found = await deps.service.find(pinned.requestId ?? '');
  if (found?.state === 'pinned') return recordPinned(deps, pinned, found, pins);
  deps.log.warn({ service: deps.keeper, cid: pinned.cid }, 'a pinning service has lost the log; it is asked again');
  await recordFailure(deps, pinned, 'the service has lost the pin');
}

type AskedBlock = Pick<BlockPin, 'start' | 'size' | 'cid' | 'attempts'>;

async function recordFound(
  deps: PinToServiceDeps,
  block: AskedBlock,
  found: ServicePin,
  pins: readonly BlockPin[],
): Promise<void> {
  const { keeper, ledger, nowMs } = deps;
  if (found.state === 'failed') return recordFailure(deps, block, 'the service could not pin it', found.requestId);
  if (found.state !== 'pinned') {
    const nextAtMs = nowMs() + pollMs;
    const { start, attempts } = block;
    return ledger.recordPin({ keeper, start, ...found, attempts, nextAtMs, failure: null });
  }
  await recordPinned(deps, block, found, pins);
  deps.log.info({ service: keeper, cid: block.cid, size: block.size }, 'a pinning service has the log');
}

/** From now on the older pins are not needed. */
async function recordPinned(
  deps: PinToServiceDeps,
  { start }: AskedBlock,
  found: ServicePin,
  pins: readonly BlockPin[],
): Promise<void> {
  const { keeper, ledger, nowMs, intervalMs } = deps;
  await ledger.recordPin({ keeper, start, ...found, attempts: 0, nextAtMs: nowMs() + intervalMs, failure: null });
  for (const older of pins) if (older.start !== start) await giveUp(deps, older);
}

async function recordFailure(
  { keeper, ledger, nowMs, log }: PinToServiceDeps,
  { start, cid, attempts }: AskedBlock,
  failure: string,
  requestId: string | null = null,
): Promise<void> {
  const nextAtMs = nowMs() + Math.min(firstPauseMs * 2 ** Math.min(attempts, 10), maxPauseMs);
  log.warn({ service: keeper, cid, reason: failure }, 'a pinning service does not have the log yet');
  await ledger.recordPin({ keeper, start, state: 'failed', requestId, attempts: attempts + 1, nextAtMs, failure });
}

/** The service may forget a pin first: an unknown one is no error there. */
async function giveUp({ keeper, ledger, service }: PinToServiceDeps, { start, requestId }: BlockPin): Promise<void> {
  if (requestId !== null) await service.remove(requestId);
  await ledger.removePin({ keeper, start });
}

function attemptsOf(pins: readonly BlockPin[]): number {
  return Math.max(0, ...pins.map(({ attempts }) => attempts));
}
