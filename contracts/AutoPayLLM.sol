// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Anchor, IAuditLog} from "./interfaces/IAuditLog.sol";
import {Batch, BookedSpend, Credit, IAutoPayLLM, Refund, Spend} from "./interfaces/IAutoPayLLM.sol";
import {IModelBudgets} from "./interfaces/IModelBudgets.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {BoundedTransfer} from "./libraries/BoundedTransfer.sol";
import {ReceiptBatch, ReceiptBatches} from "./types/ReceiptBatch.sol";

/// @title AutoPayLLM
/// @notice See `IAutoPayLLM`.
contract AutoPayLLM is IAutoPayLLM, AccessControl, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using ReceiptBatches for ReceiptBatch;

    /// @inheritdoc IAutoPayLLM
    bytes32 public constant RELAY_ROLE = keccak256("RELAY_ROLE");

    /// @inheritdoc IAutoPayLLM
    uint64 public constant MIN_DISPUTE_WINDOW = 1 hours;

    /// @inheritdoc IAutoPayLLM
    uint64 public constant MAX_DISPUTE_WINDOW = 30 days;

    /// @inheritdoc IAutoPayLLM
    uint256 public constant MAX_SPENDS = 128;

    /// @inheritdoc IAutoPayLLM
    uint256 public constant MAX_REFUNDS = 64;

    /// @inheritdoc IAutoPayLLM
    uint256 public constant MAX_NAME_BYTES = 128;

    /// @inheritdoc IAutoPayLLM
    uint256 public constant REFUND_GAS_LIMIT = 120_000;

    /// @inheritdoc IAutoPayLLM
    IPaymentChannels public immutable paymentChannels;

    /// @inheritdoc IAutoPayLLM
    IAuditLog public immutable auditLog;

    /// @inheritdoc IAutoPayLLM
    IModelBudgets public immutable modelBudgets;

    /// @inheritdoc IAutoPayLLM
    uint64 public immutable disputeWindow;

    /// @inheritdoc IAutoPayLLM
    mapping(address token => uint256 amount) public unbooked;

    /// @inheritdoc IAutoPayLLM
    mapping(address token => mapping(address to => uint256 amount)) public claimableRefunds;

    /// @inheritdoc IAutoPayLLM
    mapping(bytes32 provider => address payout) public payoutOf;

    /// @inheritdoc IAutoPayLLM
    mapping(bytes32 id => bool registered) public isNameRegistered;

    /// @inheritdoc IAutoPayLLM
    uint256 public batchCount;

    mapping(uint256 batchId => Batch batch) private _batches;
    mapping(bytes32 id => Credit credit) private _credits;

    /// @param channels The escrow that this contract collects from
    /// @param log The audit log whose anchors gate releases
    /// @param budgets The budgets that bookings are counted against
    /// @param admin Who registers providers and grants roles
    /// @param window Dispute window, seconds
    constructor(
        IPaymentChannels channels,
        IAuditLog log,
        IModelBudgets budgets,
        address admin,
        uint64 window
    ) EIP712("AutoPayLLM", "1") {
        require(
            window >= MIN_DISPUTE_WINDOW && window <= MAX_DISPUTE_WINDOW,
            AutoPayLLM_DisputeWindowOutOfRange(window, MIN_DISPUTE_WINDOW, MAX_DISPUTE_WINDOW)
        );
        paymentChannels = channels;
        auditLog = log;
        modelBudgets = budgets;
        disputeWindow = window;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc IAutoPayLLM
    function collect(
        address token,
        bytes calldata claims
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 received) {
        return _collect(token, claims);
    }

    /// @inheritdoc IAutoPayLLM
    function book(
        address token,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 batchId) {
        return _book(token, spends, refunds, logSize);
    }

    /// @inheritdoc IAutoPayLLM
    function settle(
        address token,
        bytes calldata claims,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external nonReentrant onlyRole(RELAY_ROLE) returns (uint256 batchId) {
        _collect(token, claims);
        return _book(token, spends, refunds, logSize);
    }

    /// @inheritdoc IAutoPayLLM
    function release(uint256 batchId, BookedSpend[] calldata spends, Anchor calldata anchor) external {
        Batch storage batch = _requireReleasable(batchId, spends, anchor);
        require(!batch.released, AutoPayLLM_AlreadyReleased(batchId));
        batch.released = true;
        _credit(batchId, batch.token, spends, true);
    }

    /// @inheritdoc IAutoPayLLM
    function releaseOverBudget(
        uint256 batchId,
        BookedSpend[] calldata spends,
        Anchor calldata anchor
    ) external onlyRole(DEFAULT_ADMIN_ROLE) {
        Batch storage batch = _requireReleasable(batchId, spends, anchor);
        require(!batch.overBudgetReleased, AutoPayLLM_AlreadyReleased(batchId));
        batch.overBudgetReleased = true;
        _credit(batchId, batch.token, spends, false);
    }

    /// @inheritdoc IAutoPayLLM
    function withdrawCredits(bytes32 id) external nonReentrant returns (uint256 amount) {
        Credit storage credit = _credits[id];
        amount = credit.amount;
        require(amount != 0, AutoPayLLM_NothingToWithdraw());

        credit.amount = 0;
        emit CreditsWithdrawn(id, credit.token, credit.payout, amount);

        _pay(credit.token, credit.payout, amount);
    }

    /// @inheritdoc IAutoPayLLM
    function claimRefund(address token, address to) external nonReentrant returns (uint256 amount) {
        amount = claimableRefunds[token][to];
        require(amount != 0, AutoPayLLM_NothingToWithdraw());

        claimableRefunds[token][to] = 0;
        emit RefundClaimed(token, to, amount);

        _pay(token, to, amount);
    }

    /// @inheritdoc IAutoPayLLM
    function registerName(string calldata name) external returns (bytes32 id) {
        uint256 lengthBytes = bytes(name).length;
        require(lengthBytes != 0 && lengthBytes <= MAX_NAME_BYTES, AutoPayLLM_NameLength(lengthBytes, MAX_NAME_BYTES));
        id = keccak256(bytes(name));
        if (isNameRegistered[id]) return id;

        isNameRegistered[id] = true;
        emit NameRegistered(id, name);
    }

    /// @inheritdoc IAutoPayLLM
    function setProvider(bytes32 provider, address payout) external onlyRole(DEFAULT_ADMIN_ROLE) {
        payoutOf[provider] = payout;
        emit ProviderSet(provider, payout);
    }

    /// @inheritdoc IAutoPayLLM
    function hashReceiptBatch(ReceiptBatch calldata batch) external view returns (bytes32) {
        return _hashTypedDataV4(ReceiptBatches.hash(batch));
    }

    /// @inheritdoc IAutoPayLLM
    function getBatch(uint256 batchId) external view returns (Batch memory) {
        return _batches[batchId];
    }

    /// @inheritdoc IAutoPayLLM
    function getCredit(bytes32 id) external view returns (Credit memory) {
        return _credits[id];
    }

    /// @inheritdoc IAutoPayLLM
    function creditId(address token, bytes32 provider, address payout) public pure returns (bytes32) {
        return keccak256(abi.encode(token, provider, payout));
    }

    /// @dev Takes from escrow; only what the balance shows is counted, whatever escrow says.
    function _collect(address token, bytes calldata claims) private returns (uint256 received) {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        paymentChannels.settleBatch(token, claims);
        received = IERC20(token).balanceOf(address(this)) - balanceBefore;
        if (received == 0) return 0;

        uint256 total = unbooked[token] + received;
        unbooked[token] = total;
        emit Collected(token, received, total);
    }

    /// @dev Attributes collected money to spends and refunds.
    function _book(
        address token,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) private returns (uint256 batchId) {
        // Check: bounds, and that the money is there.
        require(spends.length + refunds.length != 0, AutoPayLLM_NothingToBook());
        require(spends.length <= MAX_SPENDS, AutoPayLLM_TooManySpends(spends.length, MAX_SPENDS));
        require(refunds.length <= MAX_REFUNDS, AutoPayLLM_TooManyRefunds(refunds.length, MAX_REFUNDS));
        require(logSize <= type(uint48).max, AutoPayLLM_LogSizeTooLarge(logSize));
        uint256 spent = 0;
        for (uint256 i = 0; i < spends.length; ++i) spent += spends[i].amount;
        uint256 refunded = 0;
        for (uint256 i = 0; i < refunds.length; ++i) refunded += refunds[i].amount;
        uint256 available = unbooked[token];
        require(spent + refunded <= available, AutoPayLLM_ExceedsUnbooked(token, spent + refunded, available));

        // Effect: the money leaves the unbooked pot before anything else is called.
        unbooked[token] = available - spent - refunded;
        batchId = ++batchCount;

        // Interaction: the budgets are asked (a contract chosen at deployment), then the batch is stored.
        BookedSpend[] memory booked = _consumeBudgets(token, spends);
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
    function _consumeBudgets(address token, Spend[] calldata spends) private returns (BookedSpend[] memory booked) {
        uint256 today = block.timestamp / 1 days;
        booked = new BookedSpend[](spends.length);
        for (uint256 i = 0; i < spends.length; ++i) {
            Spend calldata spend = spends[i];
            address payout = payoutOf[spend.provider];
            require(payout != address(0), AutoPayLLM_ProviderUnknown(spend.provider));
            require(spend.day <= today, AutoPayLLM_DayInFuture(spend.day, today));
            // Older than yesterday counts as over budget: else a relay could spread a day's excess over the past.
            bool withinBudget =
                uint256(spend.day) + 1 >= today && modelBudgets.consume(spend.model, spend.day, token, spend.amount);
            booked[i] = BookedSpend(spend.day, spend.model, spend.provider, payout, spend.amount, withinBudget);
        }
    }

    /// @dev Pays refunds; one that fails waits to be claimed and stops no other.
    function _pushRefunds(uint256 batchId, address token, Refund[] calldata refunds) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        uint256 paid = 0;
        for (uint256 i = 0; i < refunds.length; ++i) {
            Refund calldata refund = refunds[i];
            bool pushed = BoundedTransfer.tryTransfer(token, refund.to, refund.amount, REFUND_GAS_LIMIT);
            if (pushed) paid += refund.amount;
            else claimableRefunds[token][refund.to] += refund.amount;
            emit Refunded(batchId, refund.to, refund.callId, token, refund.amount, pushed);
        }
        _requireSpentAtMost(token, balanceBefore, paid);
    }

    /// @dev Adds one part of a batch to the providers' credits.
    function _credit(uint256 batchId, address token, BookedSpend[] calldata spends, bool withinBudget) private {
        uint256 total = 0;
        for (uint256 i = 0; i < spends.length; ++i) {
            BookedSpend calldata spend = spends[i];
            if (spend.withinBudget != withinBudget) continue;
            bytes32 id = creditId(token, spend.provider, spend.payout);
            Credit storage credit = _credits[id];
            if (credit.payout == address(0)) {
                credit.token = token;
                credit.payout = spend.payout;
            }
            credit.amount += spend.amount;
            total += spend.amount;
            emit CreditAdded(id, token, spend.provider, spend.payout, spend.amount);
        }
        emit Released(batchId, withinBudget, total);
    }

    /// @dev Pays out, and makes sure that it cost nobody else anything.
    function _pay(address token, address to, uint256 amount) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(to, amount);
        _requireSpentAtMost(token, balanceBefore, amount);
    }

    /// @dev Conservation: the balance fell by no more than what was paid.
    function _requireSpentAtMost(address token, uint256 balanceBefore, uint256 amount) private view {
        uint256 balanceAfter = IERC20(token).balanceOf(address(this));
        require(
            balanceAfter + amount >= balanceBefore,
            AutoPayLLM_PayoutExceeded(token, balanceBefore - balanceAfter, amount)
        );
    }

    /// @dev Requires that these are the batch's spends and that its dispute window is over.
    function _requireReleasable(
        uint256 batchId,
        BookedSpend[] calldata spends,
        Anchor calldata anchor
    ) private view returns (Batch storage batch) {
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
