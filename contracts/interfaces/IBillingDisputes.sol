// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ReceiptBatch} from "../types/ReceiptBatch.sol";
import {PriceRow} from "../types/PriceRow.sol";
import {Anchor, IAuditLog} from "./IAuditLog.sol";
import {IAutoPayLLM} from "./IAutoPayLLM.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IPriceBook} from "./IPriceBook.sol";
import {IPriceOracle} from "./IPriceOracle.sol";

/// @notice A receipt with what proves that the relay gave it.
struct SignedReceipt {
    /// @dev `abi.encode(CallReceipt)`
    bytes entry;
    /// @dev What the relay signed for the commit that the receipt was made durable in
    ReceiptBatch batch;
    /// @dev Position of the receipt in the batch
    uint64 index;
    /// @dev RFC 6962 inclusion proof in the batch, from the leaf up; empty for a batch of one
    bytes32[] path;
    /// @dev 65 bytes r ‖ s ‖ v over the batch's EIP-712 digest
    bytes signature;
}

/// @notice An entry of the log with its place under an anchor.
struct AnchoredEntry {
    /// @dev `abi.encode(CallReceipt)`
    bytes entry;
    /// @dev Position in the log
    uint64 index;
    /// @dev An anchor that covers it, as in its event
    Anchor anchor;
    /// @dev RFC 6962 inclusion proof under the anchor, from the leaf up
    bytes32[] path;
}

/// @notice A row of a published price table with its place in the table.
struct ProvenRow {
    PriceRow row;
    /// @dev Position in the table
    uint64 index;
    /// @dev Number of rows of the table
    uint64 size;
    /// @dev RFC 6962 inclusion proof, from the leaf up
    bytes32[] path;
}

/// @notice What a dispute is about.
enum DisputeKind {
    None,
    DuplicateSequence,
    WrongRunningTotal,
    RewrittenIndex,
    Overcharge,
    UnpublishedPrices,
    SettledBeyondReceipt,
    NotInLog,
    Metering
}

/// @notice Where a dispute stands. One-shot disputes are `Upheld` at once.
enum DisputeState {
    None,
    Open,
    Answered,
    Upheld,
    Rejected,
    Expired
}

/// @notice The record of a dispute.
/// @dev `frozen`, `outstanding` and `penaltyOutstanding` are what they are now; the rest stays as it was when the dispute was opened.
struct Dispute {
    DisputeKind kind;
    DisputeState state;
    /// @dev Unix seconds of its opening
    uint40 openedAt;
    /// @dev Who put up `bond`
    address claimant;
    /// @dev ERC-20 token of all amounts
    address token;
    /// @dev Who is refunded
    address payer;
    bytes32 channelId;
    /// @dev Sequence number of the receipt in question; of the payer's last for `SettledBeyondReceipt`, 0 if it has
    /// none
    uint64 sequence;
    /// @dev Leaf hash of that receipt; zero if there is none
    bytes32 leaf;
    /// @dev What is claimed, atomic units
    uint128 amount;
    /// @dev What is burned if the claim holds, atomic units
    uint128 penalty;
    /// @dev What the claimant put up, atomic units
    uint128 bond;
    /// @dev What of the relay's bond is held, atomic units
    uint128 frozen;
    /// @dev `SettledBeyondReceipt`: the channel's settled total that has to be accounted for, atomic units
    uint128 settled;
    /// @dev `SettledBeyondReceipt`: running total of the payer's last receipt, atomic units; 0 if it has none
    uint128 lastTotal;
    /// @dev What is still due of an upheld refund, atomic units: the bond lacked it, or the channel has not paid that
    /// much yet; see `payOutstanding`
    uint128 outstanding;
    /// @dev What is still to be burned of the penalty of an upheld claim, atomic units
    uint128 penaltyOutstanding;
}

/// @notice What disputes in one token cost.
struct TokenTerms {
    /// @dev What a claimant puts up with a challenge or a metering dispute, atomic units; 0 means no disputes in this
    /// token
    uint128 claimantBond;
    /// @dev The least penalty, atomic units
    uint128 minPenalty;
}

/// @notice Terms of a token that hold from the deployment on.
struct InitialTerms {
    /// @dev ERC-20 token
    address token;
    /// @dev As in `TokenTerms`, above zero
    uint128 claimantBond;
    /// @dev As in `TokenTerms`
    uint128 minPenalty;
}

/// @notice What a `BillingDisputes` is deployed with.
struct BillingDisputesConfig {
    /// @dev The relay's business; its escrow and its log are the ones that disputes are judged by
    IAutoPayLLM autoPayLLM;
    /// @dev The published price tables
    IPriceBook priceBook;
    /// @dev The feeds that conversions are judged by
    IPriceOracle priceOracle;
    /// @dev The relay's receipt-signing keys
    IKeyRegistry keyRegistry;
    /// @dev Who rules and sets terms (the timelock)
    address governance;
    /// @dev Time that a receipt may take into the anchored log, seconds: 1 minute up to 10 minutes less than
    /// AutoPayLLM's dispute window, so that a missing entry can be challenged before its money is released
    uint64 mergeDelay;
    /// @dev The tokens in which disputes are possible at first
    InitialTerms[] terms;
}

/// @title IBillingDisputes
/// @notice Judges the relay's own statements against each other and against the chain.
/// @dev Evidence is a receipt that the relay signed, with a key that `KeyRegistry` knew at the time, or an anchored
/// entry. Three styles:
/// 1. One-shot: the evidence contradicts itself; refund and penalty at once. Anyone may show it, and no bond is
///    needed: what proves nothing reverts.
/// 2. Challenge: the relay has `ANSWER_WINDOW` to show the anchored receipt, else refund and penalty.
/// 3. Metering: the amount is held in the relay's bond until the Governor rules; after `RULING_WINDOW` each side gets
///    its own back. No penalty: a ruling does not prove intent.
/// Refunds. Each goes to the channel's payer and comes from the relay's bond alone: never from escrow, credits or
/// another payer. Over one receipt they never exceed its amount (`claimedOf`), over one channel never what it paid
/// (`refundedOf`). Nothing is lost by a dispute that comes before the money: what the bond lacks, or the channel has
/// not paid yet, stays `outstanding`. So a relay cannot use up a payer's claim by raising it first, before it
/// collects.
/// Penalties: half of what is claimed, at least `minPenalty`, burned. The part of a refund that comes later brings its
/// part of the penalty. So a relay that plays both sides pays itself its own bond and burns a part of it, whether it
/// disputes before it collects or after. No penalty runs ahead of the money: else a leaked key could burn the whole
/// bond over a channel that never paid.
/// Repetition. Each contradiction counts once. Two different signed leaves with one (channel, sequence) are two
/// receipts even if they decode alike: the relay signs bytes, and has to sign one encoding only.
/// @dev Warning: it judges calls that channels paid for. What evidence cannot show (a call that never happened) is
/// bounded by what the payer signed. A wallet must judge a receipt when it gets it: one with a wrong time, payer,
/// token, channel or an unknown key, or without the log's version, is no evidence later.
/// @dev Warning: a relay can empty its bond by disputes against itself, at the cost of the penalties and of what its
/// own channels paid. What is frozen for open disputes is not in reach; later claims wait as `outstanding`.
/// @dev Warning: who holds a leaked receipt-signing key can claim back what its own channels paid, with the penalty
/// on top, until `MAX_RECEIPT_AGE` after the key's end (`KeyRegistry`).
/// @dev Warning: tokens are trusted as far as governance sets terms for them; one that takes a fee is refused when a
/// claimant's bond is paid in.
interface IBillingDisputes {
    /// @notice A dispute was opened, or, if one-shot, opened and upheld.
    /// @param disputeId The dispute, from 1
    /// @param kind What it is about
    /// @param channelId The channel that paid
    /// @param subject What can be disputed once: `keccak256(abi.encode(kind, a, b))`, see `isDisputed`
    /// @param dispute Its record
    event DisputeOpened(
        uint256 indexed disputeId,
        DisputeKind indexed kind,
        bytes32 indexed channelId,
        bytes32 subject,
        Dispute dispute
    );
    /// @notice A challenge was answered with the anchored receipt; the claimant's bond is the relay's.
    /// @param disputeId The dispute
    /// @param leaf Leaf hash of the entry that answers
    event DisputeAnswered(uint256 indexed disputeId, bytes32 leaf);
    /// @notice The claim holds; the claimant's bond is its own again.
    /// @param disputeId The dispute
    /// @param refund What the payer got, atomic units
    /// @param penalty What was burned, atomic units
    /// @param outstanding What is still due, atomic units
    event DisputeUpheld(uint256 indexed disputeId, uint256 refund, uint256 penalty, uint256 outstanding);
    /// @notice The Governor refused the claim; the claimant's bond is the relay's.
    /// @param disputeId The dispute
    event DisputeRejected(uint256 indexed disputeId);
    /// @notice Nobody ruled in time; the claimant's bond is its own again.
    /// @param disputeId The dispute
    event DisputeExpired(uint256 indexed disputeId);
    /// @notice A part of an outstanding refund or penalty was paid.
    /// @param disputeId The dispute
    /// @param amount What the payer got, atomic units
    /// @param penalty What was burned, atomic units
    /// @param outstanding What is still due to the payer, atomic units
    event OutstandingPaid(uint256 indexed disputeId, uint256 amount, uint256 penalty, uint256 outstanding);
    /// @notice The claimant's bond of a dispute that ended went to the side that it is owed to.
    /// @param disputeId The dispute
    /// @param to The claimant, or AutoPayLLM: then it is for the relay's bond
    /// @param token ERC-20 token
    /// @param amount Atomic units
    /// @param paid True if it was paid; false if that failed and it waits in `claimableBonds`
    event BondReturned(uint256 indexed disputeId, address indexed to, address token, uint256 amount, bool paid);
    /// @notice The bonds that a side was owed from disputes that ended were paid.
    /// @param token ERC-20 token
    /// @param to The claimant, or AutoPayLLM: then it is part of the relay's bond
    /// @param amount Atomic units
    event BondPaid(address indexed token, address indexed to, uint256 amount);
    /// @notice The terms of a token were set.
    /// @param token ERC-20 token
    /// @param claimantBond As in `TokenTerms`
    /// @param minPenalty As in `TokenTerms`
    event TokenTermsSet(address indexed token, uint256 claimantBond, uint256 minPenalty);

    /// @notice The signature is not of a receipt-signing key of that time.
    error BillingDisputes_NotSignedByRelay(address signer, uint64 at);
    /// @notice The path does not lead from the receipt to the signed root.
    error BillingDisputes_NotInBatch(bytes32 leaf);
    /// @notice The path does not lead from the entry to the anchored root.
    error BillingDisputes_NotInAnchor(bytes32 leaf, uint64 index);
    /// @notice The path does not lead from the row to the price root of the receipt.
    error BillingDisputes_NotInPriceTable(bytes32 leaf, bytes32 root);
    /// @notice No channel of AutoPayLLM paid for the call.
    error BillingDisputes_NotAChannelCall(bytes32 channelId);
    /// @notice The evidence is older than `MAX_RECEIPT_AGE`: signed (or anchored, for a rewritten index) before
    /// `earliest`.
    error BillingDisputes_TooOld(uint256 at, uint256 earliest);
    /// @notice The receipt has another layout than version 1.
    error BillingDisputes_VersionUnknown(uint16 version);
    /// @notice The evidence does not contradict itself.
    error BillingDisputes_NoContradiction();
    /// @notice The pieces of evidence are not about the same thing.
    error BillingDisputes_NotComparable();
    /// @notice This was disputed before.
    error BillingDisputes_AlreadyDisputed(bytes32 subject);
    /// @notice Only the channel's payer may do this.
    error BillingDisputes_NotPayer(address caller, address payer);
    /// @notice The governance has not set the terms of this token.
    error BillingDisputes_TokenUnknown(address token);
    /// @notice This can be done from then on (unix seconds).
    error BillingDisputes_TooEarly(uint256 readyAt);
    /// @notice The amount is zero, or above what can be claimed.
    error BillingDisputes_AmountOutOfRange(uint256 amount, uint256 maximum);
    /// @notice The dispute is not of a kind and state in which this can be done.
    error BillingDisputes_WrongState(uint256 disputeId, DisputeKind kind, DisputeState state);
    /// @notice The entry or receipt does not answer the challenge.
    error BillingDisputes_NotAnAnswer();
    /// @notice Time for this is over since then (unix seconds).
    error BillingDisputes_TooLate(uint256 endedAt);
    /// @notice No receipt of an honest relay has such a sequence number.
    error BillingDisputes_SequenceTooLarge(uint64 sequence, uint64 maximum);
    /// @notice The merge delay is too short to keep, or too long to challenge before the money is released.
    error BillingDisputes_MergeDelayOutOfRange(uint64 delay, uint64 minimum, uint256 maximum);
    /// @notice Only the governance may do this.
    error BillingDisputes_NotGovernance(address caller);
    /// @notice The zero address cannot hold this place.
    error BillingDisputes_ZeroAddress();
    /// @notice The token has more decimals than prices can be converted to.
    error BillingDisputes_TokenDecimals(address token, uint256 decimals, uint256 maximum);
    /// @notice The token delivered another amount than the one asked for; such tokens are not supported.
    error BillingDisputes_BondNotReceived(uint256 received, uint256 expected);
    /// @notice The token took more than the payment; such tokens are not supported.
    error BillingDisputes_PayoutExceeded(address token, uint256 spent, uint256 expected);
    /// @notice Nothing is due, or nothing can be paid now.
    error BillingDisputes_NothingToPay();

    /// @notice One-shot: one (channel, sequence number) with two receipts. Refunds the larger amount.
    /// @dev Errors: those of evidence (`NotInBatch`, `NotSignedByRelay`, `VersionUnknown`, `TooOld`, `NotAChannelCall`,
    /// `TokenUnknown`), `NotComparable`, `NoContradiction` (the same receipt twice), `AlreadyDisputed`.
    /// @param one A receipt
    /// @param other Another of the same channel and sequence number
    /// @return disputeId The dispute
    function disputeDuplicateSequence(
        SignedReceipt calldata one,
        SignedReceipt calldata other
    ) external returns (uint256 disputeId);

    /// @notice One-shot: consecutive receipts whose running totals do not add up. Refunds what the later one counts
    /// too much.
    /// @dev A running total that is too low harms nobody, and is none of it. Both receipts must be recent: else an old
    /// key that leaks could forge the earlier one, and convict over an honest later one. Errors: those of evidence,
    /// `NotComparable`, `NoContradiction`, `AlreadyDisputed`.
    /// @param earlier The receipt before; ignored (its entry empty) where `later` is the channel's first
    /// @param later The receipt whose running total is above `earlier.runningTotal + later.amount`
    /// @return disputeId The dispute
    function disputeRunningTotal(
        SignedReceipt calldata earlier,
        SignedReceipt calldata later
    ) external returns (uint256 disputeId);

    /// @notice One-shot: one position of the log with two entries under two anchors. Refunds the entry that the
    /// earlier had.
    /// @dev Errors: `NotInAnchor`, `AuditLog_AnchorUnknown`, `VersionUnknown`, `TooOld` (the later anchor),
    /// `NotAChannelCall`, `TokenUnknown`, `NotComparable`, `NoContradiction`, `AlreadyDisputed`.
    /// @param earlier The entry under the smaller anchor; a call that a channel paid
    /// @param later The entry at the same index under a larger anchor; any bytes
    /// @return disputeId The dispute
    function disputeRewrittenIndex(
        AnchoredEntry calldata earlier,
        AnchoredEntry calldata later
    ) external returns (uint256 disputeId);

    /// @notice One-shot: the amount is above the price row times the receipt's tokens, or, for rows in US dollars,
    /// above it at the named oracle round, or that round was not the current one. Refunds the excess; all of it for a
    /// wrong round, and for a usage whose parts exceed the whole.
    /// @dev Errors: those of evidence, `NotInPriceTable`, `NotComparable` (a row of another model or token),
    /// `NoContradiction`, `AlreadyDisputed`.
    /// @param receipt The receipt
    /// @param proven The row of the receipt's model and token, in the table that the receipt names
    /// @return disputeId The dispute
    function disputeOvercharge(
        SignedReceipt calldata receipt,
        ProvenRow calldata proven
    ) external returns (uint256 disputeId);

    /// @notice One-shot: the receipt names a price table that was not in force when the call was admitted. Refunds
    /// the amount.
    /// @dev Errors: those of evidence, `NoContradiction`, `AlreadyDisputed`.
    /// @param receipt The receipt
    /// @return disputeId The dispute
    function disputeUnpublishedPrices(SignedReceipt calldata receipt) external returns (uint256 disputeId);

    /// @notice Challenge: the channel was settled beyond its payer's last receipt. Payer only; puts up `claimantBond`.
    /// @dev Claims what is settled above the receipt's running total, and above what an earlier challenge asked
    /// about. A payer whose last receipt is too old gives none: it then claims all, and the relay's answer decides.
    /// Errors: those of evidence, `NotPayer`, `NotComparable` (a receipt of another channel), `SequenceTooLarge`,
    /// `NoContradiction`, `AlreadyDisputed` (nothing was settled since), `BondNotReceived`, those of the token.
    /// @param channelId The channel
    /// @param last The payer's last receipt; its entry empty if it has no recent one
    /// @return disputeId The dispute
    function challengeSettlement(bytes32 channelId, SignedReceipt calldata last) external returns (uint256 disputeId);

    /// @notice Challenge: a receipt is not in the log `maxMergeDelay` after its charge. Payer only; puts up
    /// `claimantBond`.
    /// @dev The charge counts from the receipt's time of charge or of signature, whichever is earlier: a charge that is
    /// dated far ahead delays nothing. Errors: those of evidence, `NotPayer`, `TooEarly`, `AlreadyDisputed`, `BondNotReceived`, those of the
    /// token.
    /// @param receipt The receipt
    /// @return disputeId The dispute
    function challengeInclusion(SignedReceipt calldata receipt) external returns (uint256 disputeId);

    /// @notice Answers a `NotInLog` challenge with the anchored entry; anyone may, within `ANSWER_WINDOW`.
    /// @dev The very entry, under an anchor older than the challenge: a log that is mended only for who complains is no
    /// answer. Errors: `WrongState`, `TooLate`, `NotInAnchor`, `AuditLog_AnchorUnknown`, `NotAnAnswer`.
    /// @param disputeId The challenge
    /// @param entry The entry
    function answerChallenge(uint256 disputeId, AnchoredEntry calldata entry) external;

    /// @notice Answers a `SettledBeyondReceipt` challenge with a receipt that is in the log; anyone may, within
    /// `ANSWER_WINDOW`.
    /// @dev The receipt is one that the relay signed, of the channel, its payer and its token, so that it is evidence
    /// against the relay in turn. Its sequence number is above that of the payer's last, its running total covers what
    /// was settled, and what it counts before its own amount covers `lastTotal`. It may be of any age and under any
    /// anchor. Errors: `WrongState`, `TooLate`, `NotInBatch`, `NotSignedByRelay`, `VersionUnknown`, `NotAChannelCall`,
    /// `NotInAnchor`, `AuditLog_AnchorUnknown`, `NotAnAnswer`.
    /// @dev Warning: receipts between the payer's last and this one are not shown. A relay that signs a running total
    /// with a gap below it answers too.
    /// @param disputeId The challenge
    /// @param receipt The receipt
    /// @param logIndex Position of its entry in the log
    /// @param anchor An anchor that covers it, as in its event
    /// @param logPath RFC 6962 inclusion proof under the anchor, from the leaf up
    function answerSettlement(
        uint256 disputeId,
        SignedReceipt calldata receipt,
        uint64 logIndex,
        Anchor calldata anchor,
        bytes32[] calldata logPath
    ) external;

    /// @notice Ends a challenge that was not answered within `ANSWER_WINDOW`: refund and penalty; anyone may.
    /// @dev Errors: `WrongState`, `TooEarly`.
    /// @param disputeId The challenge
    function upholdChallenge(uint256 disputeId) external;

    /// @notice Metering or delivery: holds `amount` of the relay's bond until the Governor rules. Payer only; puts up
    /// `claimantBond`. Once for each receipt.
    /// @dev Errors: those of evidence, `NotPayer`, `AmountOutOfRange`, `AlreadyDisputed`, `BondNotReceived`, those of
    /// the token.
    /// @param receipt The receipt
    /// @param amount What is claimed, atomic units; at most what was not claimed of the receipt, and what the channel
    /// paid less its refunds
    /// @return disputeId The dispute
    function disputeMetering(SignedReceipt calldata receipt, uint128 amount) external returns (uint256 disputeId);

    /// @notice Rules on a metering dispute. Governance only, within `RULING_WINDOW`.
    /// @dev The window has to hold a proposal's voting delay, its voting period (late extension included) and the
    /// timelock's delay. Errors: `NotGovernance`, `WrongState`, `TooLate`, `AmountOutOfRange`.
    /// @param disputeId The dispute
    /// @param refund What the payer gets, atomic units, at most what it claimed; 0 rejects the claim
    function rule(uint256 disputeId, uint128 refund) external;

    /// @notice Ends a metering dispute on which nobody ruled within `RULING_WINDOW`; anyone may.
    /// @dev Errors: `WrongState`, `TooEarly`.
    /// @param disputeId The dispute
    function expire(uint256 disputeId) external;

    /// @notice Pays what is still due of an upheld refund, and burns the part of the penalty that goes with it; anyone
    /// may, as soon as the bond has some and the channel paid it.
    /// @dev Until then the relay cannot withdraw its bond below what is due and the channel can still pay; once a channel
    /// is closed, this lets go of what it never will. Errors: `WrongState`, `NothingToPay`.
    /// @param disputeId The dispute
    /// @return paid What the payer got, atomic units
    function payOutstanding(uint256 disputeId) external returns (uint256 paid);

    /// @notice Pays a side the bonds that it is owed and that could not be paid when the disputes ended. Anyone may
    /// call.
    /// @dev Errors: `NothingToPay`, `PayoutExceeded`, those of the token.
    /// @param token ERC-20 token
    /// @param to A claimant; or AutoPayLLM, for what goes to the relay's bond
    /// @return amount What was paid, atomic units
    function claimBond(address token, address to) external returns (uint256 amount);

    /// @notice Sets what disputes in a token cost; disputes that are open keep theirs. Governance only.
    /// @dev Errors: `NotGovernance`, `TokenDecimals`.
    /// @dev Warning: a bond that payers cannot afford, or a penalty beyond the relay's bond, makes disputes useless.
    /// @param token ERC-20 token
    /// @param claimantBond Atomic units; 0 means no disputes in this token
    /// @param minPenalty Atomic units
    function setTokenTerms(address token, uint128 claimantBond, uint128 minPenalty) external;

    /// @notice A dispute's record; all zero if there is none.
    /// @param disputeId The dispute
    function getDispute(uint256 disputeId) external view returns (Dispute memory);

    /// @notice Number of disputes so far; also the identifier of the newest.
    function disputeCount() external view returns (uint256);

    /// @notice Whether this was disputed before.
    /// @dev `subject = keccak256(abi.encode(kind, a, b))`, each a bytes32. `DuplicateSequence`: a is the leaf of the
    /// receipt that is refunded (the larger amount, then the larger leaf). `WrongRunningTotal`: a is the later leaf,
    /// b the earlier. `RewrittenIndex`: a is the earlier leaf, b the index. `SettledBeyondReceipt`: a is the channel,
    /// b the settled total. All others: a is the leaf. Where b is not named it is zero.
    /// @param subject The subject
    function isDisputed(bytes32 subject) external view returns (bool);

    /// @notice What a channel's payer got back so far, atomic units; never above what the channel paid.
    /// @param channelId The channel
    function refundedOf(bytes32 channelId) external view returns (uint256);

    /// @notice What open and upheld disputes claim of the amount of a receipt, atomic units; never above that amount.
    /// @param channelId The channel
    /// @param sequence Sequence number of the receipt
    function claimedOf(bytes32 channelId, uint64 sequence) external view returns (uint256);

    /// @notice Bonds of disputes that ended and that could not be paid, atomic units; see `claimBond`.
    /// @param token ERC-20 token
    /// @param to A claimant, or AutoPayLLM
    function claimableBonds(address token, address to) external view returns (uint256);

    /// @notice What disputes in a token cost.
    /// @param token ERC-20 token
    function termsOf(address token) external view returns (TokenTerms memory);

    /// @notice Who rules and sets terms: the timelock.
    function governance() external view returns (address);

    /// @notice The relay's business, whose bond answers for it.
    function autoPayLLM() external view returns (IAutoPayLLM);

    /// @notice The escrow.
    function paymentChannels() external view returns (IPaymentChannels);

    /// @notice The log.
    function auditLog() external view returns (IAuditLog);

    /// @notice The published price tables.
    function priceBook() external view returns (IPriceBook);

    /// @notice The feeds that conversions are judged by.
    function priceOracle() external view returns (IPriceOracle);

    /// @notice The relay's receipt-signing keys.
    function keyRegistry() external view returns (IKeyRegistry);

    /// @notice Time to answer a challenge, seconds.
    function ANSWER_WINDOW() external view returns (uint64);

    /// @notice Time to rule on a metering dispute, seconds.
    function RULING_WINDOW() external view returns (uint64);

    /// @notice Largest sequence number of a receipt that a challenge may rest on.
    function MAX_SEQUENCE() external view returns (uint64);

    /// @notice Time that a receipt may take into the anchored log, seconds.
    function maxMergeDelay() external view returns (uint64);

    /// @notice Age up to which evidence counts, from its signature (from its anchor, for a rewritten index), seconds.
    function MAX_RECEIPT_AGE() external view returns (uint64);

    /// @notice Most decimals of a token in which disputes are possible.
    function MAX_TOKEN_DECIMALS() external view returns (uint8);

    /// @notice Gas that the payment of a bond may use when a dispute ends.
    function BOND_GAS_LIMIT() external view returns (uint256);
}
