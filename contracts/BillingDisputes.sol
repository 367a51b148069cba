// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DisputeRecords} from "./disputes/DisputeRecords.sol";
import {Evidence} from "./disputes/Evidence.sol";
import {Anchor} from "./interfaces/IAuditLog.sol";
import {
    AnchoredEntry,
    BillingDisputesConfig,
    Dispute,
    DisputeKind,
    DisputeState,
    IBillingDisputes,
    ProvenRow,
    SignedReceipt
} from "./interfaces/IBillingDisputes.sol";
import {Channel} from "./interfaces/IPaymentChannels.sol";
import {CallReceipt} from "./types/CallReceipt.sol";
import {ChannelId} from "./types/ChannelId.sol";
import {PriceRow} from "./types/PriceRow.sol";

/// @title BillingDisputes
/// @notice See `IBillingDisputes`. Here is what each kind of dispute asks, and how it ends; what counts as evidence
/// is in `Evidence`, and the money in `DisputeRecords`.
contract BillingDisputes is DisputeRecords {
    /// @inheritdoc IBillingDisputes
    uint64 public constant ANSWER_WINDOW = 24 hours;

    /// @inheritdoc IBillingDisputes
    uint64 public constant RULING_WINDOW = 14 days;

    /// @inheritdoc IBillingDisputes
    uint64 public constant MAX_SEQUENCE = type(uint64).max >> 1;

    /// @dev The settled total that the last challenge of the channel asked about: answered, or refunded.
    mapping(bytes32 channelId => uint256 settled) private _challengedUpTo;

    /// @param config The contracts and terms of this deployment
    constructor(BillingDisputesConfig memory config) Evidence(config) DisputeRecords(config) {}

    /// @inheritdoc IBillingDisputes
    function disputeDuplicateSequence(
        SignedReceipt calldata one,
        SignedReceipt calldata other
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: two receipts with one place in the channel.
        (CallReceipt memory receipt, bytes32 leaf) = _requireRecent(one);
        (CallReceipt memory second, bytes32 secondLeaf) = _requireRecent(other);
        require(
            receipt.channelId == second.channelId && receipt.sequence == second.sequence,
            BillingDisputes_NotComparable()
        );
        require(leaf != secondLeaf, BillingDisputes_NoContradiction());

        // The order of the two must not matter: else one pair would count twice.
        bool isSecondRefunded = second.amount == receipt.amount ? secondLeaf > leaf : second.amount > receipt.amount;
        if (isSecondRefunded) (receipt, leaf) = (second, secondLeaf);
        return _convict(DisputeKind.DuplicateSequence, receipt, leaf, 0, receipt.amount);
    }

    /// @inheritdoc IBillingDisputes
    function disputeRunningTotal(
        SignedReceipt calldata earlier,
        SignedReceipt calldata later
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: neighbours, the later of which counts more than it charges.
        (CallReceipt memory receipt, bytes32 leaf) = _requireRecent(later);
        bytes32 earlierLeaf = 0;
        uint256 runningTotal = receipt.amount;
        if (earlier.entry.length == 0) {
            require(receipt.sequence == 1, BillingDisputes_NotComparable());
        } else {
            CallReceipt memory before;
            (before, earlierLeaf) = _requireRecent(earlier);
            require(
                before.channelId == receipt.channelId && uint256(before.sequence) + 1 == receipt.sequence,
                BillingDisputes_NotComparable()
            );
            runningTotal += before.runningTotal;
        }
        require(receipt.runningTotal > runningTotal, BillingDisputes_NoContradiction());

        uint256 excess = receipt.runningTotal - runningTotal;
        return _convict(DisputeKind.WrongRunningTotal, receipt, leaf, earlierLeaf, excess);
    }

    /// @inheritdoc IBillingDisputes
    function disputeRewrittenIndex(
        AnchoredEntry calldata earlier,
        AnchoredEntry calldata later
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: one position, two anchors, two leaves.
        bytes32 leaf = _requireAnchored(earlier.entry, earlier.index, earlier.anchor, earlier.path);
        bytes32 laterLeaf = _requireAnchored(later.entry, later.index, later.anchor, later.path);
        require(
            earlier.index == later.index && earlier.anchor.size < later.anchor.size,
            BillingDisputes_NotComparable()
        );
        require(leaf != laterLeaf, BillingDisputes_NoContradiction());
        _requireAge(later.anchor.anchoredAt);

        CallReceipt memory receipt = _decode(earlier.entry);
        bytes32 index = bytes32(uint256(earlier.index));
        return _convict(DisputeKind.RewrittenIndex, receipt, leaf, index, receipt.amount);
    }

    /// @inheritdoc IBillingDisputes
    function disputeOvercharge(
        SignedReceipt calldata receipt,
        ProvenRow calldata proven
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: the price of the model, in the table that the receipt names, is below the charge.
        (CallReceipt memory charged, bytes32 leaf) = _requireRecent(receipt);
        PriceRow memory row = _requireRow(proven, charged.priceRoot);
        require(
            row.token == charged.token && keccak256(bytes(row.model)) == keccak256(bytes(charged.modelAsked)),
            BillingDisputes_NotComparable()
        );
        _requireTerms(charged.token);
        uint256 excess = _excessOf(charged, row);
        require(excess != 0, BillingDisputes_NoContradiction());

        return _convict(DisputeKind.Overcharge, charged, leaf, 0, excess);
    }

    /// @inheritdoc IBillingDisputes
    function disputeUnpublishedPrices(
        SignedReceipt calldata receipt
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: the table did not hold when the call was admitted.
        (CallReceipt memory charged, bytes32 leaf) = _requireRecent(receipt);
        require(
            !priceBook.isInForce(charged.priceRoot, _toSeconds(charged.admittedAtMs)),
            BillingDisputes_NoContradiction()
        );

        return _convict(DisputeKind.UnpublishedPrices, charged, leaf, 0, charged.amount);
    }

    /// @inheritdoc IBillingDisputes
    function challengeSettlement(
        bytes32 channelId,
        SignedReceipt calldata last
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: the payer, and more settled than it knows of or asked about before.
        Channel memory channel = paymentChannels.getChannel(ChannelId.wrap(channelId));
        require(channel.payee == address(autoPayLLM), BillingDisputes_NotAChannelCall(channelId));
        require(msg.sender == channel.payer, BillingDisputes_NotPayer(msg.sender, channel.payer));
        Dispute memory dispute = _draft(DisputeKind.SettledBeyondReceipt, channelId, channel);
        uint256 accounted = _challengedUpTo[channelId];
        if (last.entry.length != 0) {
            CallReceipt memory receipt;
            (receipt, dispute.leaf) = _requireRecent(last);
            require(receipt.channelId == channelId, BillingDisputes_NotComparable());
            // Above a sequence number near the end of its range no answer would be left.
            require(receipt.sequence <= MAX_SEQUENCE, BillingDisputes_SequenceTooLarge(receipt.sequence, MAX_SEQUENCE));
            dispute.sequence = receipt.sequence;
            dispute.lastTotal = receipt.runningTotal;
            accounted = Math.max(accounted, receipt.runningTotal);
        }
        bytes32 subject = _useSubject(dispute.kind, channelId, bytes32(uint256(channel.settled)));
        require(channel.settled > accounted, BillingDisputes_NoContradiction());

        // Effect: this total is asked about once.
        _challengedUpTo[channelId] = channel.settled;
        dispute.settled = channel.settled;
        uint256 unpaidBack = channel.settled - refundedOf[channelId];
        dispute.amount = uint128(Math.min(channel.settled - accounted, unpaidBack));
        dispute.penalty = _penaltyOf(channel.token, dispute.amount);
        return _open(dispute, subject);
    }

    /// @inheritdoc IBillingDisputes
    function challengeInclusion(SignedReceipt calldata receipt) external nonReentrant returns (uint256 disputeId) {
        // Check: the payer, after the delay that a receipt may have.
        (CallReceipt memory charged, bytes32 leaf) = _requireRecent(receipt);
        Channel memory channel = _requireChannel(charged);
        require(msg.sender == channel.payer, BillingDisputes_NotPayer(msg.sender, channel.payer));
        uint64 since = _toSeconds(uint64(Math.min(charged.chargedAtMs, receipt.batch.signedAtMs)));
        uint256 readyAt = uint256(since) + maxMergeDelay;
        require(block.timestamp >= readyAt, BillingDisputes_TooEarly(readyAt));
        Dispute memory dispute = _draft(DisputeKind.NotInLog, charged.channelId, channel);
        bytes32 subject = _useSubject(dispute.kind, leaf, 0);

        // Effect: the receipt's amount is claimed.
        dispute.sequence = charged.sequence;
        dispute.leaf = leaf;
        dispute.amount = _claim(charged, charged.amount);
        dispute.penalty = _penaltyOf(channel.token, dispute.amount);
        return _open(dispute, subject);
    }

    /// @inheritdoc IBillingDisputes
    function disputeMetering(
        SignedReceipt calldata receipt,
        uint128 amount
    ) external nonReentrant returns (uint256 disputeId) {
        // Check: the payer, and no more than it paid and has not claimed.
        (CallReceipt memory charged, bytes32 leaf) = _requireRecent(receipt);
        Channel memory channel = _requireChannel(charged);
        require(msg.sender == channel.payer, BillingDisputes_NotPayer(msg.sender, channel.payer));
        Dispute memory dispute = _draft(DisputeKind.Metering, charged.channelId, channel);
        bytes32 subject = _useSubject(dispute.kind, leaf, 0);
        uint256 maximum = Math.min(_unclaimedOf(charged), channel.settled - refundedOf[charged.channelId]);
        require(amount != 0 && amount <= maximum, BillingDisputes_AmountOutOfRange(amount, maximum));

        // Effect: the amount is claimed. No penalty: nobody has proven intent.
        dispute.sequence = charged.sequence;
        dispute.leaf = leaf;
        dispute.amount = _claim(charged, amount);
        return _open(dispute, subject);
    }

    /// @inheritdoc IBillingDisputes
    function answerChallenge(uint256 disputeId, AnchoredEntry calldata entry) external nonReentrant {
        // Check: in time, and the very entry was in the log when it was asked for.
        Dispute storage dispute = _requireAnswerable(disputeId, DisputeKind.NotInLog);
        bytes32 leaf = _requireAnchored(entry.entry, entry.index, entry.anchor, entry.path);
        require(leaf == dispute.leaf && entry.anchor.anchoredAt < dispute.openedAt, BillingDisputes_NotAnAnswer());

        // Effect, interaction: the receipt's amount can be claimed again, on other grounds.
        claimedOf[dispute.channelId][dispute.sequence] -= dispute.amount;
        _answer(disputeId, dispute, leaf);
    }

    /// @inheritdoc IBillingDisputes
    function answerSettlement(
        uint256 disputeId,
        SignedReceipt calldata receipt,
        uint64 logIndex,
        Anchor calldata anchor,
        bytes32[] calldata logPath
    ) external nonReentrant {
        // Check: in time, and a receipt that binds the relay and is in its log accounts for what was settled. An entry
        // that nobody signed would be evidence of nothing, and could say anything.
        Dispute storage dispute = _requireAnswerable(disputeId, DisputeKind.SettledBeyondReceipt);
        (CallReceipt memory later, bytes32 leaf) = _requireSigned(receipt);
        _requireChannel(later);
        _requireAnchored(receipt.entry, logIndex, anchor, logPath);
        require(
            later.channelId == dispute.channelId &&
                later.sequence > dispute.sequence &&
                later.runningTotal >= dispute.settled &&
                later.runningTotal >= uint256(later.amount) + dispute.lastTotal,
            BillingDisputes_NotAnAnswer()
        );

        // Effect, interaction.
        _answer(disputeId, dispute, leaf);
    }

    /// @inheritdoc IBillingDisputes
    function upholdChallenge(uint256 disputeId) external nonReentrant {
        // Check: the relay had its time.
        Dispute storage dispute = _requireOpen(disputeId, false);
        uint256 endsAt = uint256(dispute.openedAt) + ANSWER_WINDOW;
        require(block.timestamp >= endsAt, BillingDisputes_TooEarly(endsAt));

        // Effect, interaction: what is held is let go, and taken.
        _end(dispute, DisputeState.Upheld);
        uint256 refund = dispute.amount;
        // What was settled and has been refunded since is no longer due, whatever is settled later.
        if (dispute.kind == DisputeKind.SettledBeyondReceipt) refund = _payable(dispute.channelId, refund);
        _refund(disputeId, dispute, refund, dispute.penalty);
        _returnBond(disputeId, dispute, dispute.claimant);
    }

    /// @inheritdoc IBillingDisputes
    function rule(uint256 disputeId, uint128 refund) external nonReentrant onlyGovernance {
        // Check: in time, and not more than was claimed.
        Dispute storage dispute = _requireOpen(disputeId, true);
        uint256 endsAt = uint256(dispute.openedAt) + RULING_WINDOW;
        require(block.timestamp < endsAt, BillingDisputes_TooLate(endsAt));
        require(refund <= dispute.amount, BillingDisputes_AmountOutOfRange(refund, dispute.amount));

        // Effect, interaction: what was claimed too much can be claimed again, on other grounds.
        claimedOf[dispute.channelId][dispute.sequence] -= dispute.amount - refund;
        if (refund == 0) {
            _end(dispute, DisputeState.Rejected);
            emit DisputeRejected(disputeId);
            _returnBond(disputeId, dispute, address(autoPayLLM));
        } else {
            _end(dispute, DisputeState.Upheld);
            _refund(disputeId, dispute, refund, 0);
            _returnBond(disputeId, dispute, dispute.claimant);
        }
    }

    /// @inheritdoc IBillingDisputes
    function expire(uint256 disputeId) external nonReentrant {
        // Check: the Governor had its time.
        Dispute storage dispute = _requireOpen(disputeId, true);
        uint256 endsAt = uint256(dispute.openedAt) + RULING_WINDOW;
        require(block.timestamp >= endsAt, BillingDisputes_TooEarly(endsAt));

        // Effect, interaction: each side gets its own back.
        claimedOf[dispute.channelId][dispute.sequence] -= dispute.amount;
        _end(dispute, DisputeState.Expired);
        emit DisputeExpired(disputeId);
        _returnBond(disputeId, dispute, dispute.claimant);
    }

    /// @dev Ends a challenge that was answered: the claimant pays for the trouble.
    function _answer(uint256 disputeId, Dispute storage dispute, bytes32 leaf) private {
        _end(dispute, DisputeState.Answered);
        emit DisputeAnswered(disputeId, leaf);
        _returnBond(disputeId, dispute, address(autoPayLLM));
    }

    /// @dev An open challenge of a kind, in time.
    function _requireAnswerable(uint256 disputeId, DisputeKind kind) private view returns (Dispute storage dispute) {
        dispute = _requireOpen(disputeId, false);
        require(dispute.kind == kind, BillingDisputes_WrongState(disputeId, dispute.kind, dispute.state));
        uint256 endsAt = uint256(dispute.openedAt) + ANSWER_WINDOW;
        require(block.timestamp < endsAt, BillingDisputes_TooLate(endsAt));
    }
}
