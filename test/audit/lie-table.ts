/** Who notices a lie. */
export type Catcher =
  | 'the wallet, at the call'
  | '`autopay dispute find`'
  | '`autopay audit verify`'
  | 'a witness'
  | '`autopay fsck`'
  | 'the contract';

/** How one of them notices it. */
export interface Catch {
  by: Catcher;
  /** A part of the message, as it is. */
  words: string;
  /** The test that shows it, by its path and its name as it is written there. */
  test: string;
}

/** One lie. */
export interface LieRow {
  /** For the tests. */
  id: string;
  /** What the relay does, as the end of "the relay …". */
  lie: string;
  caught: readonly Catch[];
  /** What the payer gets. */
  payer: string;
}

/** Where lies are told to a wallet, on a chain. */
export const liesFile = 'test/audit/lies.test.ts';
/** Where checkpoints lie. */
export const checkpointsFile = 'test/audit/lying-checkpoints.test.ts';

const called = (words: string): Catch => ({ by: 'the wallet, at the call', words, test: `${liesFile}: %s` });
const foundAgain = (words: string): Catch => ({
  ...{ by: '`autopay dispute find`', words },
  test: `${liesFile}: are found again by looking through the record`,
});
const inLog = (by: Catcher, test: string, words: string): Catch => ({ by, words, test: `${liesFile}: ${test}` });
const ofCheckpoints = (by: Catcher, test: string, words: string): Catch => ({
  by,
  words,
  test: `${checkpointsFile}: ${test}`,
});

const atOnce = (what: string): string => `${what}, at once, from the relay's bond; a penalty is burned`;
const afterADay = (what: string): string =>
  `${what}, from the relay's bond, once it has not answered for a day; a penalty is burned, and the bond of the challenge comes back`;
const byVote = 'the amount is held in the relay’s bond until the governance rules (`metering`)';
const warned = 'a warning, and the receipt as the relay signed it; the wallet’s books leave it out';
const proof = 'two signed statements that contradict each other, in a file for everybody';

/**
 * The table of docs/LIES.md, which is made of this (`npm run generate`). The tests assert these very words, and that each row of
 * theirs was told and caught.
 */
export const lieTable: readonly LieRow[] = [
  {
    id: 'double-receipt',
    lie: 'gives two receipts for one sequence number',
    caught: [called('of the channel has two receipts'), foundAgain('of the channel has two receipts')],
    payer: atOnce('the larger of the two amounts'),
  },
  {
    id: 'running-total',
    lie: 'lets the running total jump',
    caught: [called('more than was charged'), foundAgain('more than was charged')],
    payer: atOnce('what was counted and never charged'),
  },
  {
    id: 'wrong-price',
    lie: 'charges more than price × tokens',
    caught: [called('is above price times usage'), foundAgain('of the published prices')],
    payer: atOnce('the excess'),
  },
  {
    id: 'unpublished-prices',
    lie: 'charges by prices that were never published',
    caught: [called('is not the published one'), foundAgain('which was not in force on the chain')],
    payer: atOnce('the whole amount'),
  },
  {
    id: 'wrong-round',
    lie: 'converts by a round of the oracle that was not the current one',
    caught: [
      {
        by: 'the wallet, at the call',
        words: "by the oracle's round 7, which was not the current one",
        test: 'client/disputes/find-wrong-price.test.ts: converted by a round that was not the current one is found',
      },
    ],
    payer: atOnce('the whole amount'),
  },
  {
    id: 'other-time',
    lie: 'dates the call to a time of other prices',
    caught: [called('and not when it was made')],
    payer: `${warned}; if its price table did not hold then, the whole amount, at once`,
  },
  {
    id: 'signed-early',
    lie: 'dates its signature back to a key that has been retired since',
    caught: [called('and not when it came')],
    payer: warned,
  },
  {
    id: 'above-quote',
    lie: 'charges more than the call could cost, and invents the tokens for it',
    caught: [called('is above the quote')],
    payer: `${warned}; what was signed bounds it`,
  },
  {
    id: 'other-model',
    lie: 'bills another model than was asked for',
    caught: [called('it is for model sim-large'), foundAgain('it is for model sim-large')],
    payer: byVote,
  },
  {
    id: 'other-request',
    lie: 'commits to another request',
    caught: [called('it commits to another request'), foundAgain('it commits to another request')],
    payer: byVote,
  },
  {
    id: 'other-answer',
    lie: 'commits to another answer than it gave',
    caught: [called('it commits to another answer'), foundAgain('it commits to another answer')],
    payer: byVote,
  },
  {
    id: 'withheld-salts',
    lie: 'withholds the salts, so that nothing can be shown of the call',
    caught: [called('it commits to another request')],
    payer: byVote,
  },
  {
    id: 'other-call',
    lie: 'hands out the receipt of another call',
    caught: [called('it is for call')],
    payer: warned,
  },
  {
    id: 'other-channel',
    lie: 'charges another channel',
    caught: [called('it charges channel')],
    payer: warned,
  },
  {
    id: 'stranger',
    lie: 'has the receipt signed by a key that the chain does not know',
    caught: [called('The receipt is signed by')],
    payer: 'a warning: such a receipt is no evidence, against anybody',
  },
  {
    id: 'no-receipt',
    lie: 'answers without a receipt',
    caught: [called('The relay answered without a receipt')],
    payer: 'a warning; what it collects without a receipt is a settlement beyond the receipts, see below',
  },
  {
    id: 'rolled-back-books',
    lie: 'forgets charges: it comes up again on an old copy of its books',
    caught: [
      inLog(
        'the wallet, at the call',
        'forgets what it charged, and gives a sequence number again',
        'of the channel has two receipts',
      ),
    ],
    payer: atOnce('the larger of the two amounts'),
  },
  {
    id: 'omitted',
    lie: 'leaves an entry out of the log',
    caught: [
      inLog('`autopay audit verify`', 'that lacks an entry', 'no entry of the anchored log is call'),
      inLog('`autopay dispute find`', 'that lacks an entry', 'entries that the relay has anchored'),
    ],
    payer: afterADay('the amount of the call'),
  },
  {
    id: 'rewritten',
    lie: 'changes an entry that was anchored',
    caught: [
      inLog('`autopay audit verify`', 'in which an entry was changed', 'differs from the logged entry'),
      inLog('`autopay dispute find`', 'in which an entry was changed', ', changed, under that of'),
    ],
    payer: atOnce('the amount of the call'),
  },
  {
    id: 'reordered',
    lie: 'changes the order of entries that were anchored',
    caught: [
      inLog('`autopay dispute find`', 'whose entries changed places', 'of the log was call'),
      inLog(
        '`autopay audit verify`',
        'whose entries changed places',
        'fork: the first 3 entries of the log have the root',
      ),
    ],
    payer: atOnce('the amount of the call that was moved'),
  },
  {
    id: 'other-root',
    lie: 'anchors another root than its blocks lead to',
    caught: [
      inLog('`autopay audit verify`', 'whose blocks lead elsewhere', 'not to the anchored one'),
      inLog('`autopay dispute find`', 'whose blocks lead elsewhere', 'not to the anchored one'),
    ],
    payer: 'the challenge `not-in-log` makes the relay show an entry by the anchored root, or refund it',
  },
  {
    id: 'other-content',
    lie: 'gives out other bytes than a CID names',
    caught: [inLog('`autopay audit verify`', 'whose blocks have other bytes', 'The block has the CID')],
    payer: 'nothing is needed: any other source of the block will do',
  },
  {
    id: 'withheld-blocks',
    lie: 'keeps the blocks of its log to itself',
    caught: [
      inLog('`autopay audit verify`', 'whose blocks nobody has', 'is not at the source'),
      inLog('`autopay dispute find`', 'whose blocks nobody has', 'is not at the source'),
    ],
    payer: 'the challenge `not-in-log` makes the relay show an entry, or refund it',
  },
  {
    id: 'anchored-twice',
    lie: 'anchors a second log of the same size, or a shorter one',
    caught: [
      inLog('the contract', 'that is not longer than the one before is not anchored', 'AuditLog_SizeNotIncreasing'),
    ],
    payer: 'nothing is needed: it is not anchored',
  },
  {
    id: 'fork',
    lie: 'shows two readers two logs',
    caught: [
      ofCheckpoints(
        'a witness',
        'are refused by a witness that has seen the other',
        'it signed two roots of its first 4 entries',
      ),
      ofCheckpoints(
        '`autopay audit verify`',
        'are seen by whoever has seen the other',
        'fork: the first 4 entries of the log have the root',
      ),
    ],
    payer: proof,
  },
  {
    id: 'rollback',
    lie: 'shows a shorter log after a restart',
    caught: [
      ofCheckpoints('a witness', 'is refused by a witness that has seen more', 'and later, at'),
      ofCheckpoints(
        '`autopay audit verify`',
        'is seen by whoever has seen more',
        'rollback: the newest checkpoint is of 3 entries',
      ),
    ],
    payer: proof,
  },
  {
    id: 'settled-beyond',
    lie: 'takes more from the channel than it charged',
    caught: [
      inLog('`autopay dispute find`', 'is taken from a channel beyond its receipts', 'and the newest receipt counts'),
      inLog('`autopay audit verify`', 'is taken from a channel beyond its receipts', 'was collected beyond them'),
    ],
    payer: afterADay('what was taken beyond the receipts'),
  },
  {
    id: 'invented-call',
    lie: 'charges a call that nobody made',
    caught: [
      inLog(
        '`autopay dispute find`',
        'that the wallet does not know shows as a hole',
        'never came: calls that charged',
      ),
    ],
    payer:
      'its place and its price; the chain cannot tell it from a receipt that was lost, so what was signed bounds it (TRUST_MODEL)',
  },
  {
    id: 'books-amount',
    lie: 'changes an amount in its books',
    caught: [{ by: '`autopay fsck`', words: 'receipts_decode', test: 'fsck/check-books.test.ts: finds %s' }],
    payer: 'nothing is needed: its receipts are out',
  },
  {
    id: 'books-order',
    lie: 'changes the order of the log in its books',
    caught: [{ by: '`autopay fsck`', words: 'anchors_match', test: 'fsck/check-books.test.ts: finds %s by the chain' }],
    payer: 'nothing is needed: the log is anchored',
  },
];
