// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {
    BillingDisputesConfig,
    Dispute,
    DisputeKind,
    DisputeState,
    IBillingDisputes,
    InitialTerms,
    TokenTerms
} from "../interfaces/IBillingDisputes.sol";
import {Channel} from "../interfaces/IPaymentChannels.sol";
import {CallReceipt} from "../types/CallReceipt.sol";
import {ChannelId} from "../types/ChannelId.sol";
import {Evidence} from "./Evidence.sol";

/// @title DisputeRecords
/// @notice The records of disputes and the money that they move: what is held and taken of the relay's bond, and the
/// claimants' bonds. Every bound on a refund is here.
abstract contract DisputeRecords is Evidence, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc IBillingDisputes
    uint8 public constant MAX_TOKEN_DECIMALS = 36;

    /// @inheritdoc IBillingDisputes
    uint256 public constant BOND_GAS_LIMIT = 300_000;

    /// @inheritdoc IBillingDisputes
    address public immutable governance;

    /// @inheritdoc IBillingDisputes
    uint256 public disputeCount;

    /// @inheritdoc IBillingDisputes
    mapping(bytes32 subject => bool disputed) public isDisputed;

    /// @inheritdoc IBillingDisputes
    mapping(bytes32 channelId => uint256 amount) public refundedOf;

    /// @inheritdoc IBillingDisputes
    mapping(bytes32 channelId => mapping(uint64 sequence => uint256 amount)) public claimedOf;

    /// @inheritdoc IBillingDisputes
    mapping(address token => mapping(address to => uint256 amount)) public claimableBonds;

    mapping(uint256 disputeId => Dispute dispute) private _disputes;
    /// @dev What the upheld disputes of a channel still owe its payer, and for what of it the relay's bond is kept.
    mapping(bytes32 channelId => uint256 amount) private _outstandingOf;
    mapping(bytes32 channelId => uint256 amount) private _owedOf;
    mapping(address token => TokenTerms terms) private _terms;

    modifier onlyGovernance() {
        require(msg.sender == governance, BillingDisputes_NotGovernance(msg.sender));
        _;
    }

    constructor(BillingDisputesConfig memory config) {
        require(config.governance != address(0), BillingDisputes_ZeroAddress());
        governance = config.governance;
        for (uint256 i = 0; i < config.terms.length; ++i) {
            InitialTerms memory initial = config.terms[i];
            _setTerms(initial.token, initial.claimantBond, initial.minPenalty);
        }
    }

    /// @inheritdoc IBillingDisputes
    function payOutstanding(uint256 disputeId) external nonReentrant returns (uint256 paid) {
        // Check: something is due.
        Dispute storage dispute = _disputes[disputeId];
        require(
            dispute.state == DisputeState.Upheld,
            BillingDisputes_WrongState(disputeId, dispute.kind, dispute.state)
        );

        // Effect, interaction: the penalty follows the refund, so that disputing before collecting avoids none of it.
        uint256 due = dispute.outstanding;
        uint256 penalty = dispute.penaltyOutstanding;
        uint256 refund = _payable(dispute.channelId, due);
        uint256 burned;
        (paid, burned) = _slash(dispute, refund, refund == due ? penalty : Math.mulDiv(penalty, refund, due));
        dispute.outstanding = uint128(due - paid);
        dispute.penaltyOutstanding = uint128(penalty - burned);
        _outstandingOf[dispute.channelId] -= paid;
        bool isLetGo = _updateOwed(dispute);
        require(paid + burned != 0 || isLetGo, BillingDisputes_NothingToPay());
        emit OutstandingPaid(disputeId, paid, burned, due - paid);
    }

    /// @inheritdoc IBillingDisputes
    function claimBond(address token, address to) external returns (uint256 amount) {
        // No guard, because guarded functions call it too: the amount is gone before the token is called, and a payment
        // that costs more than itself reverts.
        // Check: something is due.
        amount = claimableBonds[token][to];
        require(amount != 0, BillingDisputes_NothingToPay());

        // Effect: paid once.
        claimableBonds[token][to] = 0;
        emit BondPaid(token, to, amount);

        // Interaction: the relay's part goes to its bond.
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        if (to == address(autoPayLLM)) {
            IERC20(token).forceApprove(to, amount);
            autoPayLLM.depositBond(token, amount);
        } else {
            IERC20(token).safeTransfer(to, amount);
        }
        uint256 balanceAfter = IERC20(token).balanceOf(address(this));
        require(
            balanceAfter + amount >= balanceBefore,
            BillingDisputes_PayoutExceeded(token, balanceBefore - balanceAfter, amount)
        );
    }

    /// @inheritdoc IBillingDisputes
    function setTokenTerms(address token, uint128 claimantBond, uint128 minPenalty) external onlyGovernance {
        _setTerms(token, claimantBond, minPenalty);
    }

    /// @inheritdoc IBillingDisputes
    function getDispute(uint256 disputeId) external view returns (Dispute memory) {
        return _disputes[disputeId];
    }

    /// @inheritdoc IBillingDisputes
    function termsOf(address token) external view returns (TokenTerms memory) {
        return _terms[token];
    }

    /// @dev Opens a one-shot dispute and upholds it. What is claimed of a receipt's amount is bounded by it; a
    /// running total counts beyond its receipt.
    function _convict(
        DisputeKind kind,
        CallReceipt memory receipt,
        bytes32 leaf,
        bytes32 detail,
        uint256 amount
    ) internal returns (uint256 disputeId) {
        // Check: a channel paid, in a token with terms, and nobody showed this before.
        Channel memory channel = _requireChannel(receipt);
        Dispute memory dispute = _draft(kind, receipt.channelId, channel);
        bytes32 subject = _useSubject(kind, leaf, detail);

        // Effect: the record.
        dispute.state = DisputeState.Upheld;
        dispute.sequence = receipt.sequence;
        dispute.leaf = leaf;
        dispute.amount = kind == DisputeKind.WrongRunningTotal ? uint128(amount) : _claim(receipt, amount);
        dispute.penalty = _penaltyOf(dispute.token, dispute.amount);
        disputeId = _record(dispute, subject);

        // Interaction: the refund as far as the channel has paid, and its part of the penalty.
        uint256 penalty = _penaltyOf(dispute.token, _payable(dispute.channelId, dispute.amount));
        _refund(disputeId, _disputes[disputeId], dispute.amount, penalty);
    }

    /// @dev Opens a dispute that is not decided yet: holds what it is about, and takes the claimant's bond.
    function _open(Dispute memory dispute, bytes32 subject) internal returns (uint256 disputeId) {
        // Effect: the record; AutoPayLLM calls no token to hold a part of the bond.
        dispute.state = DisputeState.Open;
        dispute.bond = _terms[dispute.token].claimantBond;
        uint256 exposed = uint256(dispute.amount) + dispute.penalty;
        dispute.frozen = uint128(autoPayLLM.freezeBond(dispute.token, exposed));
        disputeId = _record(dispute, subject);

        // Interaction: exactly the bond.
        IERC20 token = IERC20(dispute.token);
        uint256 balanceBefore = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), dispute.bond);
        uint256 received = token.balanceOf(address(this)) - balanceBefore;
        require(received == dispute.bond, BillingDisputes_BondNotReceived(received, dispute.bond));
    }

    /// @dev Stores a new dispute.
    function _record(Dispute memory dispute, bytes32 subject) private returns (uint256 disputeId) {
        disputeId = ++disputeCount;
        _disputes[disputeId] = dispute;
        emit DisputeOpened(disputeId, dispute.kind, dispute.channelId, subject, dispute);
    }

    /// @dev Claims a part of a receipt's amount: what is asked, as far as it was not claimed before.
    function _claim(CallReceipt memory receipt, uint256 amount) internal returns (uint128 claimed) {
        claimed = uint128(Math.min(amount, _unclaimedOf(receipt)));
        claimedOf[receipt.channelId][receipt.sequence] += claimed;
    }

    /// @dev Makes sure that a contradiction counts once.
    function _useSubject(DisputeKind kind, bytes32 a, bytes32 b) internal returns (bytes32 subject) {
        subject = keccak256(abi.encode(kind, a, b));
        require(!isDisputed[subject], BillingDisputes_AlreadyDisputed(subject));
        isDisputed[subject] = true;
    }

    /// @dev Ends an open dispute: the relay's bond is held no longer.
    function _end(Dispute storage dispute, DisputeState state) internal {
        dispute.state = state;
        uint256 frozen = dispute.frozen;
        dispute.frozen = 0;
        if (frozen != 0) autoPayLLM.thawBond(dispute.token, frozen);
    }

    /// @dev Pays an upheld claim as far as the channel has paid and the bond has it, and burns of the penalty what is
    /// due with it; the rest of both is recorded.
    function _refund(uint256 disputeId, Dispute storage dispute, uint256 refund, uint256 penalty) internal {
        (uint256 paid, uint256 burned) = _slash(dispute, _payable(dispute.channelId, refund), penalty);
        uint256 outstanding = refund - paid;
        dispute.outstanding = uint128(outstanding);
        dispute.penaltyOutstanding = uint128(dispute.penalty - burned);
        _outstandingOf[dispute.channelId] += outstanding;
        emit DisputeUpheld(disputeId, paid, burned, outstanding);
        _updateOwed(dispute);
    }

    /// @dev Keeps of the relay's bond what a channel's payer is still owed, as far as the channel can ever pay it: a
    /// claim beyond that must not hold the bond for good.
    function _updateOwed(Dispute storage dispute) private returns (bool isChanged) {
        bytes32 channelId = dispute.channelId;
        Channel memory channel = paymentChannels.getChannel(ChannelId.wrap(channelId));
        uint256 most = (channel.finalized ? channel.settled : channel.deposit) - refundedOf[channelId];
        uint256 owed = Math.min(_outstandingOf[channelId], most);
        uint256 before = _owedOf[channelId];
        if (owed == before) return false;
        _owedOf[channelId] = owed;
        if (owed > before) autoPayLLM.oweBond(dispute.token, owed - before);
        else autoPayLLM.settleOwed(dispute.token, before - owed);
        return true;
    }

    /// @dev Takes from the relay's bond. The refund counts in full while the token is called.
    function _slash(
        Dispute storage dispute,
        uint256 refund,
        uint256 penalty
    ) private returns (uint256 paid, uint256 burned) {
        if (refund == 0 && penalty == 0) return (0, 0);
        bytes32 channelId = dispute.channelId;
        refundedOf[channelId] += refund;
        (paid, burned) = autoPayLLM.slashBond(dispute.token, dispute.payer, refund, penalty);
        refundedOf[channelId] -= refund - paid;
    }

    /// @dev Owes a side the claimant's bond, and tries to pay it; what fails stays claimable and stops nothing.
    function _returnBond(uint256 disputeId, Dispute storage dispute, address to) internal {
        address token = dispute.token;
        uint256 amount = dispute.bond;
        claimableBonds[token][to] += amount;
        bool paid;
        try this.claimBond{gas: BOND_GAS_LIMIT}(token, to) returns (uint256) {
            paid = true;
        } catch {
            paid = false;
        }
        emit BondReturned(disputeId, to, token, amount, paid);
    }

    /// @dev Sets the terms of a token that prices can be converted to.
    function _setTerms(address token, uint128 claimantBond, uint128 minPenalty) private {
        if (claimantBond != 0) {
            uint256 decimals = IERC20Metadata(token).decimals();
            require(decimals <= MAX_TOKEN_DECIMALS, BillingDisputes_TokenDecimals(token, decimals, MAX_TOKEN_DECIMALS));
        }
        _terms[token] = TokenTerms(claimantBond, minPenalty);
        emit TokenTermsSet(token, claimantBond, minPenalty);
    }

    /// @dev A dispute's first fields; its token must have terms.
    function _draft(
        DisputeKind kind,
        bytes32 channelId,
        Channel memory channel
    ) internal view returns (Dispute memory dispute) {
        _requireTerms(channel.token);
        dispute.kind = kind;
        dispute.openedAt = uint40(block.timestamp);
        dispute.claimant = msg.sender;
        dispute.token = channel.token;
        dispute.payer = channel.payer;
        dispute.channelId = channelId;
    }

    /// @dev A token that governance allows disputes in.
    function _requireTerms(address token) internal view {
        require(_terms[token].claimantBond != 0, BillingDisputes_TokenUnknown(token));
    }

    /// @dev An open metering dispute, or an open challenge.
    function _requireOpen(uint256 disputeId, bool isMetering) internal view returns (Dispute storage dispute) {
        dispute = _disputes[disputeId];
        require(
            dispute.state == DisputeState.Open && (dispute.kind == DisputeKind.Metering) == isMetering,
            BillingDisputes_WrongState(disputeId, dispute.kind, dispute.state)
        );
    }

    /// @dev What of a refund the channel has paid and not got back.
    function _payable(bytes32 channelId, uint256 refund) internal view returns (uint256) {
        uint256 settled = paymentChannels.getChannel(ChannelId.wrap(channelId)).settled;
        return Math.min(refund, settled - refundedOf[channelId]);
    }

    /// @dev What of a receipt's amount no dispute claims. Two receipts with one sequence number share what is claimed.
    function _unclaimedOf(CallReceipt memory receipt) internal view returns (uint256) {
        return Math.saturatingSub(receipt.amount, claimedOf[receipt.channelId][receipt.sequence]);
    }

    /// @dev Half of what is refunded, and not less than the token's least.
    function _penaltyOf(address token, uint256 refund) internal view returns (uint128) {
        return uint128(Math.max(refund / 2, _terms[token].minPenalty));
    }
}
