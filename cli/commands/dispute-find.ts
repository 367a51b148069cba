import { join } from 'node:path';
import { unitOfToken, type OpenDeployment } from '../../client/chain/open-deployment.ts';
import { asChainError } from '../../client/chain/send-transaction.ts';
import { createPriceFacts } from '../../client/chain/read-price-facts.ts';
import { expectOutcome, type ExpectedOutcome } from '../../client/disputes/expect-outcome.ts';
import { describeHole } from '../../client/disputes/find-contradictions.ts';
import { findFraud, type FraudReport } from '../../client/disputes/find-fraud.ts';
import type { LogView } from '../../client/disputes/find-log-fraud.ts';
import { leavesOf, type Finding } from '../../client/disputes/held-receipt.ts';
import { writeEvidence } from '../../client/disputes/write-evidence.ts';
import { openReceiptStore } from '../../client/receipt-store.ts';
import { formatShort } from '../../client/token-amount.ts';
import { openWalletState } from '../../client/wallet-state.ts';
import { connect } from '../../fsck/chain-reader.ts';
import { readAnchoredLog } from '../../fsck/read-anchored-log.ts';
import type { Hex } from '../../protocol/bytes/hex.ts';
import type { PriceRow } from '../../protocol/pricing/price-row.ts';
import { rootOfPrices } from '../../protocol/pricing/price-tree.ts';
import { collectPriceTables, openBlocks, type AuditPlace, type AuditSourceOptions } from '../audit-place.ts';
import type { CommandContext } from '../command-context.ts';
import { openCommandDeployment, type ChainOptions } from '../open-command-deployment.ts';
import { formatDisputeCommand } from '../format-dispute-command.ts';
import { formatTable } from '../output.ts';
import { showProgress } from '../show-progress.ts';

/** Lines of what is left open, in the text. */
const maxOpenShown = 20;

/** What `autopay dispute find` was given: the chain, and where blocks and prices are. */
export type DisputeFindOptions = ChainOptions & Pick<AuditSourceOptions, 'blocks' | 'car' | 'ipfs' | 'prices'>;

/** A finding as it is shown: with its file, and what a dispute would move. */
interface ShownFinding {
  finding: Finding;
  file: string;
  expected: ExpectedOutcome;
  command: string;
}

/**
 * Looks through the wallet's receipts for what the relay can be held to, and writes an evidence file for each finding. Signs
 * nothing. False if something was found.
 */
export async function runDisputeFind(context: CommandContext, options: DisputeFindOptions): Promise<boolean> {
  const deployment = await openCommandDeployment(context, options);
  const place = await findPlace(context, { options, deployment });
  const { stateDir } = place;
  const { receipts } = await openReceiptStore(stateDir).readFrom(0);
  const channels = (await openWalletState(stateDir).read()).channels.filter(
    ({ chainId, payee }) => chainId === deployment.chainId && payee === deployment.contracts.autoPayLLM,
  );
  const channelIds = new Set([...receipts, ...channels].map(({ channelId }) => channelId));
  const { log, faults } = await showProgress(
    'Reading chain and blocks',
    readLog(place, { options, deployment, channelIds, leaves: leavesOf(receipts) }),
  );
  const relayUrls = new Set(receipts.map(({ relayUrl }) => relayUrl));
  const prices = createPriceFacts(deployment, await readTables(place, { options, relayUrls }));
  const report = await findFraud({ deployment, receipts, channels, prices, log });
  const open = [...faults, ...report.open];
  const shown: ShownFinding[] = [];
  for (const finding of report.findings) {
    const { file } = await writeEvidence(stateDir, finding);
    const expected = await expectOutcome(deployment, finding.evidence);
    shown.push({ finding, file, expected, command: formatDisputeCommand(file, options.rpcUrl) });
  }
  context.print({
    json: {
      findings: shown.map(({ finding, file, expected, command }) => {
        const { evidence, reason, channelId, callId } = finding;
        return { kind: evidence.kind, reason, channelId, callId, ...expected, file, command };
      }),
      holes: report.holes,
      open,
      judged: { ...report.judged, logSize: log?.size ?? null },
    },
    text: describeReport(deployment, { report: { ...report, open }, shown, log }),
  });
  return shown.length === 0;
}

/** Where the deployment is, as the sources of blocks and prices ask for it. */
async function findPlace(
  context: CommandContext,
  { options, deployment }: { options: DisputeFindOptions; deployment: OpenDeployment },
): Promise<AuditPlace> {
  const stack = options.rpcUrl === undefined ? await context.stack() : undefined;
  const { chainId, contracts, deployedAtBlock, tokens } = deployment;
  const rpcUrl = options.rpcUrl ?? stack?.rpcUrl ?? '';
  return {
    deployment: { rpcUrl, chainId, contracts, deployedAtBlock },
    ...{ tokens, stateDir: join(context.dataDir, 'client') },
    ...(stack && { stack }),
  };
}

/** The log by the chain's anchors; without it, why it could not be read. A relay that keeps blocks back must not stop the rest. */
async function readLog(
  place: AuditPlace,
  given: {
    options: DisputeFindOptions;
    deployment: OpenDeployment;
    channelIds: ReadonlySet<string>;
    leaves: ReadonlySet<Hex>;
  },
): Promise<{ log: LogView | undefined; faults: readonly string[] }> {
  const { options, deployment, channelIds: channels, leaves } = given;
  const { auditLog } = deployment.contracts;
  const { deployedAtBlock, rpcUrl } = place.deployment;
  try {
    const { source: blockSource, close } = await openBlocks(options, place);
    try {
      const readAt = await deployment.now();
      const client = connect(rpcUrl);
      const log = await readAnchoredLog({ client, auditLog, deployedAtBlock, blockSource, channels, leaves });
      return { log: { ...log, readAt }, faults: log.faults };
    } finally {
      await close();
    }
  } catch (error) {
    // A node's own words have its URL in them, which may hold a key.
    const told = asChainError(error, 'Reading the anchors');
    const reason = told instanceof Error ? told.message : String(told);
    const remedy = '"autopay dispute open not-in-log <callId>" makes the relay show an entry.';
    return { log: undefined, faults: [`the anchored log could not be read: ${reason} Name another source; ${remedy}`] };
  }
}

/** Price tables by their roots: those at hand, and what the relays of the receipts list now. None has to be believed. */
async function readTables(
  place: AuditPlace,
  { options, relayUrls }: { options: DisputeFindOptions; relayUrls: ReadonlySet<string> },
): Promise<ReadonlyMap<Hex, readonly PriceRow[]>> {
  const { prices } = options;
  const found = await Promise.all(
    [...relayUrls].map((relay) => collectPriceTables({ relay, ...(prices !== undefined && { prices }) }, place)),
  );
  return new Map(found.flat().map((rows) => [rootOfPrices(rows), rows]));
}

function describeReport(
  deployment: OpenDeployment,
  { report, shown, log }: { report: FraudReport; shown: readonly ShownFinding[]; log: LogView | undefined },
): string {
  const { receipts, channels } = report.judged;
  const compared = log === undefined ? 'without the log' : `against the ${log.size} anchored entries of the log`;
  const parts = [
    `${receipts} receipts of ${channels} channels were judged, ${compared}.`,
    ...shown.map((one) => describeFinding(deployment, one)),
    ...report.holes.map(describeHole),
    ...(report.open.length === 0 ? [] : [`Left open:\n${listOpen(report.open)}`]),
    shown.length === 0
      ? 'Nothing was found that the relay could be held to.'
      : `${shown.length} found. Evidence is good for 30 days after it was signed.`,
  ];
  return `${parts.join('\n\n')}\n`;
}

/** A record of years may leave thousands open. */
function listOpen(open: readonly string[]): string {
  const more = open.length - maxOpenShown;
  const lines = open.slice(0, maxOpenShown).map((line) => `  ${line}`);
  return [...lines, ...(more > 0 ? [`  … and ${more} more (--json lists all)`] : [])].join('\n');
}

function describeFinding(deployment: OpenDeployment, { finding, file, expected, command }: ShownFinding): string {
  const { evidence, reason, channelId, callId } = finding;
  const { token, refund, payableNow, penalty, bond } = expected;
  const money = (amount: bigint): string => formatShort(amount, unitOfToken(deployment, token));
  const rest = payableNow < refund ? `, ${money(payableNow)} of it now and the rest once it is collected` : '';
  return formatTable([
    ['FOUND', `${evidence.kind}: ${reason}`],
    ['channel', channelId],
    ...(callId === null ? [] : [['call', callId]]),
    ['refund', `at most ${money(refund)}${rest}`],
    ['penalty', evidence.kind === 'metering' ? 'none: the governance rules' : `${money(penalty)}, burned`],
    ['costs', bond === 0n ? 'gas only' : `${money(bond)} as the claimant's bond, and gas`],
    ['evidence', file],
    ['next', command],
  ]).trimEnd();
}
