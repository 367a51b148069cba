// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AllowanceBilling} from "./business/AllowanceBilling.sol";
import {DirectPayments} from "./business/DirectPayments.sol";
import {ProviderCredits} from "./business/ProviderCredits.sol";
import {RelayBond} from "./business/RelayBond.sol";
import {Anchor, IAuditLog} from "./interfaces/IAuditLog.sol";
import {AutoPayLLMConfig, Batch, BookedSpend, IAutoPayLLM, Refund, Spend} from "./interfaces/IAutoPayLLM.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {ChannelId} from "./types/ChannelId.sol";
import {ReceiptBatch, ReceiptBatches} from "./types/ReceiptBatch.sol";

/// @title AutoPayLLM
/// @notice See `IAutoPayLLM`. Here is the way of the money from escrow to credits: collect, book, release. The relay's
/// bond (with the guardian's stops), payments for single calls, the providers' credits and the allowance calls are parts
/// of their own in `business/`.
contract AutoPayLLM is RelayBond, DirectPayments, AllowanceBilling, EIP712 {
    /// @inheritdoc IAutoPayLLM
    uint64 public constant MIN_DISPUTE_WINDOW = 1 hours;

    /// @inheritdoc IAutoPayLLM
    uint64 public constant MAX_DISPUTE_WINDOW = 30 days;

    /// @inheritdoc IAutoPayLLM
    uint256 public constant MAX_SPENDS = 128;

    /// @inheritdoc IAutoPayLLM
    uint256 public constant MAX_REFUNDS = 64;

    /// @inheritdoc IAutoPayLLM
    IPaymentChannels public immutable paymentChannels;

    /// @inheritdoc IAutoPayLLM
    IAuditLog public immutable auditLog;

    /// @inheritdoc IAutoPayLLM
    uint64 public immutable disputeWindow;

    /// @inheritdoc IAutoPayLLM
    uint256 public batchCount;

    mapping(uint256 batchId => Batch batch) private _batches;

    /// @param config The contracts, roles, window and providers of this deployment
    constructor(
        AutoPayLLMConfig memory config
    )
        RelayBond(config.bondPayout)
        ProviderCredits(config.agpt)
        AllowanceBilling(config.modelBudgets)
        EIP712("AutoPayLLM", "1")
    {
        uint64 window = config.disputeWindow;
        require(
            window >= MIN_DISPUTE_WINDOW && window <= MAX_DISPUTE_WINDOW,
            AutoPayLLM_DisputeWindowOutOfRange(window, MIN_DISPUTE_WINDOW, MAX_DISPUTE_WINDOW)
        );
        require(
            address(config.paymentChannels) != address(0) &&
                address(config.auditLog) != address(0) &&
                config.admin != address(0) &&
                config.relay != address(0),
            AutoPayLLM_ZeroAddress()
        );
        paymentChannels = config.paymentChannels;
        auditLog = config.auditLog;
        disputeWindow = window;
        _grantRole(DEFAULT_ADMIN_ROLE, config.admin);
        _grantRole(RELAY_ROLE, config.relay);
        if (config.guardian != address(0)) _grantRole(GUARDIAN_ROLE, config.guardian);
        for (uint256 i = 0; i < config.providers.length; ++i) {
            _setProvider(_registerName(config.providers[i].name), config.providers[i].payout);
        }
    }

    /// @inheritdoc IAutoPayLLM
    function collect(
        address token,
        bytes calldata claims
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 received) {
        return _collect(token, claims);
    }

    /// @inheritdoc IAutoPayLLM
    function settleChannel(
        ChannelId channelId,
        uint128 cumulativeAmount,
        bytes calldata signature
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 received) {
        address token = paymentChannels.getChannel(channelId).token;
        uint256 balanceBefore = _balance(token);
        paymentChannels.settle(channelId, cumulativeAmount, signature);
        return _countCollected(token, balanceBefore);
    }

    /// @inheritdoc IAutoPayLLM
    function closeChannels(
        address token,
        bytes calldata claims
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 received) {
        _requireNotSuspended();
        uint256 balanceBefore = _balance(token);
        paymentChannels.closeBatch(token, claims);
        return _countCollected(token, balanceBefore);
    }

    /// @inheritdoc IAutoPayLLM
    function closeChannel(
        ChannelId channelId,
        uint128 cumulativeAmount,
        bytes calldata signature
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 received) {
        _requireNotSuspended();
        address token = paymentChannels.getChannel(channelId).token;
        uint256 balanceBefore = _balance(token);
        paymentChannels.close(channelId, cumulativeAmount, signature);
        return _countCollected(token, balanceBefore);
    }

    /// @inheritdoc IAutoPayLLM
    function book(
        address token,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external nonReentrant onlyActiveRelay returns (uint256 batchId) {
        return _book(token, spends, refunds, logSize);
    }

    /// @inheritdoc IAutoPayLLM
    function settle(
        address token,
        bytes calldata claims,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external nonReentrant onlyActiveRelay returns (uint256 batchId) {
        _collect(token, claims);
        return _book(token, spends, refunds, logSize);
    }

    /// @inheritdoc IAutoPayLLM
    function release(uint256 batchId, BookedSpend[] calldata spends, Anchor calldata anchor) external nonReentrant {
        // Check: not before, and not twice.
        Batch storage batch = _requireReleasable(batchId, spends, anchor);
        require(!batch.released, AutoPayLLM_AlreadyReleased(batchId));

        // Effect: the bond need not cover it any more.
        batch.released = true;
        address token = batch.token;
        uint256 total = _credit(batchId, token, spends, true);
        _pots[token].unreleased -= uint128(total);
    }

    /// @inheritdoc IAutoPayLLM
    function releaseOverBudget(
        uint256 batchId,
        BookedSpend[] calldata spends,
        Anchor calldata anchor
    ) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        Batch storage batch = _requireReleasable(batchId, spends, anchor);
        require(!batch.overBudgetReleased, AutoPayLLM_AlreadyReleased(batchId));
        batch.overBudgetReleased = true;
        _credit(batchId, batch.token, spends, false);
    }

    /// @inheritdoc IAutoPayLLM
    function hashReceiptBatch(ReceiptBatch calldata batch) external view returns (bytes32) {
        return _hashTypedDataV4(ReceiptBatches.hash(batch));
    }

    /// @inheritdoc IAutoPayLLM
    function getBatch(uint256 batchId) external view returns (Batch memory) {
        return _batches[batchId];
    }

    /// @dev Takes from escrow what many channels owe.
    function _collect(address token, bytes calldata claims) private returns (uint256 received) {
        uint256 balanceBefore = _balance(token);
        paymentChannels.settleBatch(token, claims);
        return _countCollected(token, balanceBefore);
    }

    /// @dev Counts what came from escrow: what the balance shows, whatever escrow says.
    function _countCollected(address token, uint256 balanceBefore) private returns (uint256 received) {
        received = _balance(token) - balanceBefore;
        if (received == 0) return 0;

        emit Collected(token, received, _addUnbooked(token, received));
    }

    /// @dev Attributes collected money to spends and refunds.
    function _book(
        address token,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) private returns (uint256 batchId) {
        // Check: bounds.
        require(spends.length + refunds.length != 0, AutoPayLLM_NothingToBook());
        require(spends.length <= MAX_SPENDS, AutoPayLLM_TooManySpends(spends.length, MAX_SPENDS));
        require(refunds.length <= MAX_REFUNDS, AutoPayLLM_TooManyRefunds(refunds.length, MAX_REFUNDS));
        _requireLogSize(logSize, spends.length != 0);

        // Check, effect: wallets get back no more than they paid here; and the money is there.
        uint256 refunded = _useRefundable(token, refunds);
        uint256 spent = 0;
        for (uint256 i = 0; i < spends.length; ++i) spent += spends[i].amount;
        uint256 available = _pots[token].unbooked;
        require(spent + refunded <= available, AutoPayLLM_ExceedsUnbooked(token, spent + refunded, available));

        // Interaction: the budgets are asked; a contract chosen at deployment, and nothing can be reentered meanwhile.
        (BookedSpend[] memory booked, uint256 withinBudget) = _consumeBudgets(token, spends);

        // Check: the bond covers all that waits for release, if this adds to it.
        uint256 waiting = _pots[token].unreleased + withinBudget;
        if (withinBudget != 0) _requireBond(token, waiting);

        // Effect: the money leaves the unbooked pot, and the batch is stored.
        _pots[token] = Pot(uint128(available - spent - refunded), uint128(waiting));
        batchId = ++batchCount;
        _batches[batchId] = Batch({
            spendsHash: keccak256(abi.encode(booked)),
            token: token,
            bookedAt: uint40(block.timestamp),
            logSize: uint48(logSize),
            released: false,
            overBudgetReleased: false
        });
        emit Booked(batchId, token, logSize, booked, spent, refunded);

        // Interaction: the refunds.
        if (refunds.length != 0) _pushRefunds(batchId, token, refunds);
    }

    /// @dev Asks the budgets about each spend, and notes the answer and the payout address of this moment.
    function _consumeBudgets(
        address token,
        Spend[] calldata spends
    ) private returns (BookedSpend[] memory booked, uint256 within) {
        uint256 today = block.timestamp / 1 days;
        booked = new BookedSpend[](spends.length);
        for (uint256 i = 0; i < spends.length; ++i) {
            Spend calldata spend = spends[i];
            address payout = _requirePayout(spend.provider);
            require(spend.day <= today, AutoPayLLM_DayInFuture(spend.day, today));
            // Older than yesterday counts as over budget: else a relay could spread a day's excess over the past.
            bool withinBudget =
                uint256(spend.day) + 1 >= today && modelBudgets.consume(spend.model, spend.day, token, spend.amount);
            if (withinBudget) within += spend.amount;
            booked[i] = BookedSpend(spend.day, spend.model, spend.provider, payout, spend.amount, withinBudget);
        }
    }

    /// @dev Pays refunds; one that fails waits to be claimed and stops no other.
    function _pushRefunds(uint256 batchId, address token, Refund[] calldata refunds) private {
        uint256 balanceBefore = _balance(token);
        uint256 paid = 0;
        for (uint256 i = 0; i < refunds.length; ++i) {
            Refund calldata refund = refunds[i];
            bool pushed = _pushOrKeep(token, refund.to, refund.amount);
            if (pushed) paid += refund.amount;
            emit Refunded(batchId, refund.to, refund.callId, token, refund.amount, pushed);
        }
        _requireSpentAtMost(token, balanceBefore, paid);
    }

    /// @dev Adds one part of a batch to the providers' credits.
    function _credit(
        uint256 batchId,
        address token,
        BookedSpend[] calldata spends,
        bool withinBudget
    ) private returns (uint256 total) {
        for (uint256 i = 0; i < spends.length; ++i) {
            BookedSpend calldata spend = spends[i];
            if (spend.withinBudget != withinBudget) continue;
            _addCredit(token, spend.provider, spend.payout, spend.amount);
            total += spend.amount;
        }
        emit Released(batchId, withinBudget, total);
    }

    /// @dev Requires that spends wait for an anchor, and for one that can come: at most one step from the latest.
    function _requireLogSize(uint64 logSize, bool hasSpends) private view {
        uint256 latestSize = auditLog.latestSize();
        uint256 maximum = Math.min(latestSize + auditLog.MAX_GROWTH(), type(uint48).max);
        require(logSize <= maximum, AutoPayLLM_LogSizeTooLarge(logSize, maximum));
        if (!hasSpends) return;
        uint256 minimum = Math.max(latestSize, 1);
        require(logSize >= minimum, AutoPayLLM_LogSizeTooSmall(logSize, minimum));
    }

    /// @dev Requires that these are the batch's spends and that its dispute window is over.
    function _requireReleasable(
        uint256 batchId,
        BookedSpend[] calldata spends,
        Anchor calldata anchor
    ) private view returns (Batch storage batch) {
        _requireNotFrozen();
        batch = _batches[batchId];
        bytes32 expected = batch.spendsHash;
        require(expected != bytes32(0), AutoPayLLM_BatchUnknown(batchId));
        bytes32 actual = keccak256(abi.encode(spends));
        require(actual == expected, AutoPayLLM_SpendsMismatch(actual, expected));

        uint256 countsFrom = batch.bookedAt;
        uint64 logSize = batch.logSize;
        if (logSize != 0) {
            require(
                anchor.previousSize < logSize && logSize <= anchor.size,
                AutoPayLLM_AnchorNotCovering(anchor.previousSize, anchor.size, logSize)
            );
            require(auditLog.isAnchored(anchor), AutoPayLLM_AnchorUnknown(anchor.size));
            if (anchor.anchoredAt > countsFrom) countsFrom = anchor.anchoredAt;
        }
        uint256 releasableAt = countsFrom + disputeWindow;
        require(block.timestamp >= releasableAt, AutoPayLLM_DisputeWindowOpen(block.timestamp, releasableAt));
    }
}
