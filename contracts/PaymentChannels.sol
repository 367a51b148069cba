// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Channel, IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {IReceiveWithAuthorization} from "./interfaces/IReceiveWithAuthorization.sol";
import {BoundedTransfer} from "./libraries/BoundedTransfer.sol";
import {PackedEntries} from "./libraries/PackedEntries.sol";
import {VoucherSignatures} from "./libraries/VoucherSignatures.sol";
import {ChannelId, ChannelIds} from "./types/ChannelId.sol";
import {ChannelState, ChannelStates} from "./types/ChannelState.sol";
import {Claim, ClaimFault, Claims} from "./types/Claim.sol";
import {ClaimBuffer, ClaimBuffers} from "./types/ClaimBuffer.sol";

/// @title PaymentChannels
/// @notice See `IPaymentChannels`.
contract PaymentChannels is IPaymentChannels, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using ChannelIds for ChannelId;
    using PackedEntries for bytes;

    /// @dev A batch touches the state only; the other slots stay cold.
    struct Record {
        ChannelState state;
        address payer;
        uint96 pairId;
        address authorizedSigner;
    }

    /// @dev Payee and token are stored once for all channels that share them.
    struct Pair {
        address payee;
        address token;
    }

    /// @inheritdoc IPaymentChannels
    uint64 public constant CLOSE_GRACE_PERIOD = 1 hours;

    /// @inheritdoc IPaymentChannels
    uint256 public constant MAX_CLAIMS = 256;

    /// @inheritdoc IPaymentChannels
    uint256 public constant REFUND_GAS_LIMIT = 120_000;

    /// @inheritdoc IPaymentChannels
    uint256 public constant ERC1271_GAS_LIMIT = 200_000;

    /// @dev Size of the id that each entry of `BatchSettled` and `BatchClosed` begins with, and of an amount.
    uint256 private constant ID_BYTES = 32;
    uint256 private constant AMOUNT_BYTES = 12;

    mapping(ChannelId channelId => Record record) private _records;
    mapping(uint96 pairId => Pair pair) private _pairs;
    mapping(address payee => mapping(address token => uint96 pairId)) private _pairIds;
    uint96 private _pairCount;

    constructor() EIP712("EVM Payment Channel", "1") {}

    /// @inheritdoc IPaymentChannels
    function open(
        address payee,
        address token,
        uint128 deposit,
        bytes32 salt,
        address authorizedSigner
    ) external nonReentrant returns (ChannelId channelId) {
        // Check and effect: a fresh record.
        channelId = _record(msg.sender, payee, token, deposit, salt, authorizedSigner);

        // Interaction: the deposit.
        _pull(token, msg.sender, deposit);
    }

    /// @inheritdoc IPaymentChannels
    function openWithAuthorization(
        address payee,
        address token,
        uint128 deposit,
        bytes32 salt,
        address authorizedSigner,
        address from,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external nonReentrant returns (ChannelId channelId) {
        // Check: the authorization is for this very channel. Its amount is what the token checks.
        bytes32 expected = keccak256(abi.encode(from, payee, token, salt, authorizedSigner));
        require(nonce == expected, NonceMismatch(nonce, expected));

        // Check and effect: a fresh record.
        channelId = _record(from, payee, token, deposit, salt, authorizedSigner);

        // Interaction: the deposit.
        _pullAuthorized(token, from, deposit, validAfter, validBefore, nonce, signature);
    }

    /// @inheritdoc IPaymentChannels
    function settle(ChannelId channelId, uint128 cumulativeAmount, bytes calldata signature) external nonReentrant {
        // Check: the payee holds a voucher for more than it has.
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        Pair memory pair = _requirePayee(record);
        require(cumulativeAmount > state.settled(), AmountNotIncreasing(cumulativeAmount, state.settled()));
        _requireVoucher(record, state, channelId, cumulativeAmount, signature);

        // Effect: the new total.
        uint256 delta = cumulativeAmount - state.settled();
        record.state = state.withSettled(uint96(cumulativeAmount));
        emit ChannelSettled(channelId, delta, cumulativeAmount);

        // Interaction: pay the difference.
        _pay(pair.token, pair.payee, delta);
    }

    /// @inheritdoc IPaymentChannels
    function settleBatch(address token, bytes calldata claims) external nonReentrant returns (uint256 total) {
        // Check: the shape; each claim is judged on its own.
        uint256 count = _countClaims(claims);

        // Effect: the new totals.
        ClaimBuffer buffer = ClaimBuffers.create(msg.sender, token, _domainSeparatorV4());
        bytes memory settlements = PackedEntries.reserve(count * (ID_BYTES + AMOUNT_BYTES));
        for (uint256 i = 0; i < count; ++i) {
            Claim claim = Claims.at(claims, i);
            ChannelId channelId = buffer.channelIdOf(claim);
            Record storage record = _records[channelId];
            ChannelState state = record.state;
            ClaimFault fault = _judge(buffer, claim, state);
            if (fault != ClaimFault.None) {
                emit ClaimSkipped(channelId, fault);
                continue;
            }
            uint96 claimed = claim.claimed();
            record.state = state.withSettled(claimed);
            settlements.append(ChannelId.unwrap(channelId), claimed, AMOUNT_BYTES);
            // Cannot overflow: the claim is above what is settled, and 256 times 2^96 is below 2^256.
            unchecked {
                total += claimed - state.settled();
            }
        }
        if (total == 0) return 0;
        emit BatchSettled(msg.sender, token, total, settlements);

        // Interaction: one transfer for all.
        _pay(token, msg.sender, total);
    }

    /// @inheritdoc IPaymentChannels
    function closeBatch(address token, bytes calldata claims) external nonReentrant returns (uint256 total) {
        // Check: the shape; each claim is judged on its own.
        uint256 count = _countClaims(claims);
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));

        // Effect and interaction: channel by channel, each final before its payer is paid.
        ClaimBuffer buffer = ClaimBuffers.create(msg.sender, token, _domainSeparatorV4());
        bytes memory closures = PackedEntries.reserve(count * (ID_BYTES + 2 * AMOUNT_BYTES));
        uint256 refunded = 0;
        for (uint256 i = 0; i < count; ++i) {
            (uint256 delta, uint256 refund) = _closeClaim(token, buffer, Claims.at(claims, i), closures);
            total += delta;
            refunded += refund;
        }
        if (total != 0 || closures.length != 0) emit BatchClosed(msg.sender, token, total, closures);

        // Interaction: one transfer for all to the payee.
        if (total != 0) IERC20(token).safeTransfer(msg.sender, total);
        _requireSpentAtMost(token, balanceBefore, total + refunded);
    }

    /// @inheritdoc IPaymentChannels
    function topUp(ChannelId channelId, uint128 additionalDeposit) external nonReentrant {
        // Check: the payer of an open channel.
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        require(msg.sender == record.payer, NotPayer(msg.sender, record.payer));

        // Effect: the new deposit; the payer's own money says that it stays.
        _addDeposit(record, state, channelId, additionalDeposit, true);

        // Interaction: the deposit.
        _pull(_pairs[record.pairId].token, msg.sender, additionalDeposit);
    }

    /// @inheritdoc IPaymentChannels
    function topUpWithAuthorization(
        ChannelId channelId,
        uint128 additionalDeposit,
        address from,
        bytes32 topUpSalt,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external nonReentrant {
        // Check: an open channel, and the authorization is for this very channel and amount.
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        bytes32 expected = keccak256(abi.encode(channelId, additionalDeposit, from, topUpSalt));
        require(nonce == expected, NonceMismatch(nonce, expected));

        // Effect: the new deposit; another's money only adds.
        _addDeposit(record, state, channelId, additionalDeposit, from == record.payer);

        // Interaction: the deposit.
        address token = _pairs[record.pairId].token;
        _pullAuthorized(token, from, additionalDeposit, validAfter, validBefore, nonce, signature);
    }

    /// @inheritdoc IPaymentChannels
    function close(ChannelId channelId, uint128 cumulativeAmount, bytes calldata signature) external nonReentrant {
        // Check: the payee, and a voucher where it takes more.
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        Pair memory pair = _requirePayee(record);
        uint256 delta = 0;
        if (cumulativeAmount > state.settled()) {
            _requireVoucher(record, state, channelId, cumulativeAmount, signature);
            delta = cumulativeAmount - state.settled();
        }

        // Effect: final for ever.
        uint256 settled = state.settled() + delta;
        uint256 refund = state.deposit() - settled;
        record.state = state.withSettled(uint96(settled)).asFinalized();
        emit ChannelClosed(channelId, delta, settled, refund);

        // Interaction: both sides get theirs.
        if (delta != 0) _pay(pair.token, pair.payee, delta);
        if (refund != 0) _pay(pair.token, record.payer, refund);
    }

    /// @inheritdoc IPaymentChannels
    function requestClose(ChannelId channelId) external {
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        require(msg.sender == record.payer, NotPayer(msg.sender, record.payer));
        if (state.closeRequestedAt() != 0) return;

        record.state = state.withCloseRequestedAt(block.timestamp);
        emit CloseRequested(channelId, block.timestamp);
    }

    /// @inheritdoc IPaymentChannels
    function withdraw(ChannelId channelId) external nonReentrant {
        // Check: the payer, after the grace period.
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        require(msg.sender == record.payer, NotPayer(msg.sender, record.payer));
        uint256 requestedAt = state.closeRequestedAt();
        uint256 readyAt = requestedAt + CLOSE_GRACE_PERIOD;
        // Without a request `readyAt` lies in 1970, so the request itself must be asked for.
        require(requestedAt != 0 && block.timestamp >= readyAt, CloseNotReady(requestedAt, readyAt));

        // Effect: final for ever.
        uint256 refund = state.deposit() - state.settled();
        record.state = state.asFinalized();
        emit ChannelWithdrawn(channelId, refund);

        // Interaction: the rest goes back.
        if (refund != 0) _pay(_pairs[record.pairId].token, record.payer, refund);
    }

    /// @inheritdoc IPaymentChannels
    function computeChannelId(
        address payer,
        address payee,
        address token,
        bytes32 salt,
        address authorizedSigner
    ) external view returns (ChannelId) {
        return ChannelIds.derive(payer, payee, token, salt, authorizedSigner);
    }

    /// @inheritdoc IPaymentChannels
    function getChannel(ChannelId channelId) external view returns (Channel memory) {
        Record storage record = _records[channelId];
        ChannelState state = record.state;
        Pair memory pair = _pairs[record.pairId];
        return
            Channel({
                payer: record.payer,
                payee: pair.payee,
                token: pair.token,
                authorizedSigner: record.authorizedSigner,
                deposit: state.deposit(),
                settled: state.settled(),
                closeRequestedAt: state.closeRequestedAt(),
                finalized: state.isFinalized()
            });
    }

    /// @inheritdoc IPaymentChannels
    function hashVoucher(ChannelId channelId, uint128 cumulativeAmount) public view returns (bytes32) {
        return _hashTypedDataV4(channelId.hashVoucher(cumulativeAmount));
    }

    /// @inheritdoc IPaymentChannels
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @dev The identifier of a (payee, token) pair, given out on first use. Derivable from the order of
    /// `ChannelOpened`.
    function _registerPair(address payee, address token) private returns (uint96 pairId) {
        pairId = _pairIds[payee][token];
        if (pairId != 0) return pairId;
        pairId = ++_pairCount;
        _pairIds[payee][token] = pairId;
        _pairs[pairId] = Pair(payee, token);
    }

    /// @dev Stores a fresh channel. Each way to open then pulls the deposit.
    function _record(
        address payer,
        address payee,
        address token,
        uint128 deposit,
        bytes32 salt,
        address authorizedSigner
    ) private returns (ChannelId channelId) {
        // Check: a fresh channel with a deposit that its record can hold.
        require(deposit != 0, ZeroDeposit());
        require(deposit <= type(uint96).max, DepositOverflow(deposit, type(uint96).max));
        channelId = ChannelIds.derive(payer, payee, token, salt, authorizedSigner);
        Record storage record = _records[channelId];
        require(!record.state.exists(), ChannelAlreadyExists(channelId));

        // Effect: the record.
        record.state = ChannelStates.opened(uint96(deposit));
        record.payer = payer;
        record.pairId = _registerPair(payee, token);
        if (authorizedSigner != address(0)) record.authorizedSigner = authorizedSigner;
        emit ChannelOpened(channelId, payer, payee, token, authorizedSigner, salt, deposit);
    }

    /// @dev Raises the deposit of an open channel. Each way to top up then pulls the money.
    function _addDeposit(
        Record storage record,
        ChannelState state,
        ChannelId channelId,
        uint128 additionalDeposit,
        bool isPayers
    ) private {
        // Check: an amount, and a sum that the record can hold.
        require(additionalDeposit != 0, ZeroDeposit());
        uint256 deposit = uint256(state.deposit()) + additionalDeposit;
        require(deposit <= type(uint96).max, DepositOverflow(deposit, type(uint96).max));

        // Effect: the new deposit, and the end of a pending close if the payer says so.
        bool cancelsClose = isPayers && state.closeRequestedAt() != 0;
        state = state.withDeposit(uint96(deposit));
        record.state = cancelsClose ? state.withCloseRequestedAt(0) : state;
        emit ChannelToppedUp(channelId, additionalDeposit, deposit);
        if (cancelsClose) emit CloseRequestCancelled(channelId);
    }

    /// @dev One claim of `closeBatch`: finalizes the channel and pays its payer, or leaves it open and says why.
    function _closeClaim(
        address token,
        ClaimBuffer buffer,
        Claim claim,
        bytes memory closures
    ) private returns (uint256 delta, uint256 refund) {
        // Check: the claim; one that takes nothing more needs no voucher.
        ChannelId channelId = buffer.channelIdOf(claim);
        Record storage record = _records[channelId];
        ChannelState state = record.state;
        ClaimFault fault = _judge(buffer, claim, state);
        if (fault != ClaimFault.None && fault != ClaimFault.AmountNotIncreasing) {
            emit ClaimSkipped(channelId, fault);
            return (0, 0);
        }

        // Effect: final for ever, before anybody is called.
        uint96 settled = fault == ClaimFault.None ? claim.claimed() : state.settled();
        delta = settled - state.settled();
        refund = state.deposit() - settled;
        state = state.withSettled(settled);
        record.state = state.asFinalized();

        // Interaction: the rest goes back.
        if (refund == 0 || BoundedTransfer.tryTransfer(token, claim.payer(), refund, REFUND_GAS_LIMIT)) {
            uint256 amounts = (uint256(settled) << (8 * AMOUNT_BYTES)) | refund;
            closures.append(ChannelId.unwrap(channelId), amounts, 2 * AMOUNT_BYTES);
            return (delta, refund);
        }

        // Effect: not closed after all. Nothing can have touched the channel since: as final it refused even
        // `requestClose`.
        record.state = state;
        if (delta != 0) emit ChannelSettled(channelId, delta, settled);
        emit ClaimSkipped(channelId, ClaimFault.RefundFailed);
        return (delta, 0);
    }

    /// @dev Takes a deposit by allowance, and nothing but the exact amount.
    function _pull(address token, address from, uint256 amount) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        _requireReceived(token, balanceBefore, amount);
    }

    /// @dev Takes a deposit by an EIP-3009 authorization, and nothing but the exact amount.
    function _pullAuthorized(
        address token,
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        IReceiveWithAuthorization(token).receiveWithAuthorization(
            from,
            address(this),
            amount,
            validAfter,
            validBefore,
            nonce,
            signature
        );
        _requireReceived(token, balanceBefore, amount);
    }

    /// @dev Pays out of escrow, and makes sure that it cost other channels nothing.
    function _pay(address token, address to, uint256 amount) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(to, amount);
        _requireSpentAtMost(token, balanceBefore, amount);
    }

    /// @dev Conservation: the balance rose by what was asked for, no less and no more.
    function _requireReceived(address token, uint256 balanceBefore, uint256 amount) private view {
        uint256 received = IERC20(token).balanceOf(address(this)) - balanceBefore;
        require(received == amount, DepositNotReceived(received, amount));
    }

    /// @dev Conservation: the balance fell by no more than what was paid.
    function _requireSpentAtMost(address token, uint256 balanceBefore, uint256 amount) private view {
        uint256 balanceAfter = IERC20(token).balanceOf(address(this));
        require(balanceAfter + amount >= balanceBefore, PayoutExceeded(balanceBefore - balanceAfter, amount));
    }

    /// @dev The number of claims in a batch.
    function _countClaims(bytes calldata claims) private pure returns (uint256 count) {
        require(claims.length % Claims.CLAIM_BYTES == 0, ClaimsMalformed(claims.length));
        count = claims.length / Claims.CLAIM_BYTES;
        require(count <= MAX_CLAIMS, TooManyClaims(count, MAX_CLAIMS));
    }

    /// @dev Whether a claim of a batch can be paid: `settled < claimed ≤ maximum ≤ deposit`, and the voucher is signed.
    function _judge(ClaimBuffer buffer, Claim claim, ChannelState state) private view returns (ClaimFault) {
        if (!state.exists()) return ClaimFault.ChannelNotFound;
        if (state.isFinalized()) return ClaimFault.ChannelFinalized;
        uint96 claimed = claim.claimed();
        if (claimed <= state.settled()) return ClaimFault.AmountNotIncreasing;
        uint96 maximum = claim.maximum();
        if (claimed > maximum) return ClaimFault.ClaimExceedsVoucher;
        if (maximum > state.deposit()) return ClaimFault.AmountExceedsDeposit;
        if (!buffer.isVoucherSigned(claim)) return ClaimFault.InvalidSignature;
        return ClaimFault.None;
    }

    /// @dev Loads a channel that exists and is not closed.
    function _requireOpen(ChannelId channelId) private view returns (Record storage record, ChannelState state) {
        record = _records[channelId];
        state = record.state;
        require(state.exists(), ChannelNotFound(channelId));
        require(!state.isFinalized(), ChannelFinalized(channelId));
    }

    /// @dev Loads payee and token, and requires that the caller is the payee.
    function _requirePayee(Record storage record) private view returns (Pair memory pair) {
        pair = _pairs[record.pairId];
        require(msg.sender == pair.payee, NotPayee(msg.sender, pair.payee));
    }

    /// @dev Requires a voucher within the deposit, signed by the channel's signer.
    function _requireVoucher(
        Record storage record,
        ChannelState state,
        ChannelId channelId,
        uint128 cumulativeAmount,
        bytes calldata signature
    ) private view {
        require(cumulativeAmount <= state.deposit(), AmountExceedsDeposit(cumulativeAmount, state.deposit()));
        address signer = record.authorizedSigner;
        if (signer == address(0)) signer = record.payer;
        bytes32 digest = hashVoucher(channelId, cumulativeAmount);
        require(
            VoucherSignatures.isValid(signer, digest, signature, ERC1271_GAS_LIMIT),
            InvalidSignature(channelId, signer)
        );
    }
}
