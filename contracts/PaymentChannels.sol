// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Channel, IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {VoucherSignatures} from "./libraries/VoucherSignatures.sol";
import {ChannelId, ChannelIds} from "./types/ChannelId.sol";
import {ChannelState, ChannelStates} from "./types/ChannelState.sol";
import {ClaimCodec, ClaimFault} from "./types/Claim.sol";

/// @title PaymentChannels
/// @notice See `IPaymentChannels`.
contract PaymentChannels is IPaymentChannels, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using ChannelIds for ChannelId;

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
    uint256 public constant ERC1271_GAS_LIMIT = 200_000;

    /// @dev Size of one entry of the event `BatchSettled`: id 32, settled 12.
    uint256 private constant SETTLEMENT_BYTES = 44;

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
        // Check: a fresh channel with a deposit that its record can hold.
        require(deposit != 0, ZeroDeposit());
        require(deposit <= type(uint96).max, DepositOverflow(deposit, type(uint96).max));
        channelId = ChannelIds.derive(msg.sender, payee, token, salt, authorizedSigner);
        Record storage record = _records[channelId];
        require(!record.state.exists(), ChannelAlreadyExists(channelId));

        // Effect: the record.
        record.state = ChannelStates.opened(uint96(deposit));
        record.payer = msg.sender;
        record.pairId = _registerPair(payee, token);
        if (authorizedSigner != address(0)) record.authorizedSigner = authorizedSigner;
        emit ChannelOpened(channelId, msg.sender, payee, token, authorizedSigner, salt, deposit);

        // Interaction: the deposit.
        _pull(token, deposit);
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
        // Check: the shape; each claim is checked on its own.
        require(claims.length % ClaimCodec.CLAIM_BYTES == 0, ClaimsMalformed(claims.length));
        uint256 count = claims.length / ClaimCodec.CLAIM_BYTES;
        require(count <= MAX_CLAIMS, TooManyClaims(count, MAX_CLAIMS));

        // Effect: the new totals.
        bytes memory settlements = new bytes(count * SETTLEMENT_BYTES);
        uint256 settlementsBytes = 0;
        bytes32 separator = _domainSeparatorV4();
        for (uint256 i = 0; i < count; ++i) {
            (address payer, bytes32 salt, address signer) = ClaimCodec.termsAt(claims, i);
            ChannelId channelId = ChannelIds.derive(payer, msg.sender, token, salt, signer);
            (uint96 maximum, uint96 claimed) = ClaimCodec.amountsAt(claims, i);
            Record storage record = _records[channelId];
            ChannelState state = record.state;
            ClaimFault fault = _judgeAmounts(state, maximum, claimed);
            if (fault == ClaimFault.None) {
                bytes32 digest = MessageHashUtils.toTypedDataHash(separator, channelId.hashVoucher(maximum));
                (bytes32 r, bytes32 yParityAndS) = ClaimCodec.signatureAt(claims, i);
                if (signer == address(0)) signer = payer;
                if (VoucherSignatures.isValidCompact(signer, digest, r, yParityAndS)) {
                    record.state = state.withSettled(claimed);
                    settlementsBytes = _writeSettlement(settlements, settlementsBytes, channelId, claimed);
                    // Cannot overflow: the claim is above what is settled, and 256 times 2^96 is below 2^256.
                    unchecked {
                        total += claimed - state.settled();
                    }
                    continue;
                }
                fault = ClaimFault.InvalidSignature;
            }
            emit ClaimSkipped(channelId, fault);
        }
        if (total == 0) return 0;
        _shorten(settlements, settlementsBytes);
        emit BatchSettled(msg.sender, token, total, settlements);

        // Interaction: one transfer for all.
        _pay(token, msg.sender, total);
    }

    /// @inheritdoc IPaymentChannels
    function topUp(ChannelId channelId, uint128 additionalDeposit) external nonReentrant {
        // Check: the payer of an open channel.
        (Record storage record, ChannelState state) = _requireOpen(channelId);
        require(msg.sender == record.payer, NotPayer(msg.sender, record.payer));
        require(additionalDeposit != 0, ZeroDeposit());
        uint256 deposit = uint256(state.deposit()) + additionalDeposit;
        require(deposit <= type(uint96).max, DepositOverflow(deposit, type(uint96).max));

        // Effect: the new deposit; the payer's own money says that it stays.
        record.state = state.withDeposit(uint96(deposit)).withCloseRequestedAt(0);
        emit ChannelToppedUp(channelId, additionalDeposit, deposit);
        if (state.closeRequestedAt() != 0) emit CloseRequestCancelled(channelId);

        // Interaction: the deposit.
        _pull(_pairs[record.pairId].token, additionalDeposit);
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

    /// @dev The identifier of a (payee, token) pair, given out on first use. Derivable from the order of `ChannelOpened`.
    function _registerPair(address payee, address token) private returns (uint96 pairId) {
        pairId = _pairIds[payee][token];
        if (pairId != 0) return pairId;
        pairId = ++_pairCount;
        _pairIds[payee][token] = pairId;
        _pairs[pairId] = Pair(payee, token);
    }

    /// @dev Takes a deposit from the caller, and nothing but the exact amount.
    function _pull(address token, uint256 amount) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - balanceBefore;
        require(received == amount, DepositNotReceived(received, amount));
    }

    /// @dev Pays out of escrow, and makes sure that it cost other channels nothing.
    function _pay(address token, address to, uint256 amount) private {
        uint256 balanceBefore = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(to, amount);
        uint256 balanceAfter = IERC20(token).balanceOf(address(this));
        require(balanceAfter + amount >= balanceBefore, PayoutExceeded(balanceBefore - balanceAfter, amount));
    }

    /// @dev Whether a claim of a batch is one that the channel can pay: `settled < claimed ≤ maximum ≤ deposit`.
    function _judgeAmounts(ChannelState state, uint96 maximum, uint96 claimed) private pure returns (ClaimFault) {
        if (!state.exists()) return ClaimFault.ChannelNotFound;
        if (state.isFinalized()) return ClaimFault.ChannelFinalized;
        if (claimed <= state.settled()) return ClaimFault.AmountNotIncreasing;
        if (claimed > maximum) return ClaimFault.ClaimExceedsVoucher;
        if (maximum > state.deposit()) return ClaimFault.AmountExceedsDeposit;
        return ClaimFault.None;
    }

    /// @dev Writes one entry of the event `BatchSettled` at an offset that lies within `settlements`, and returns the next
    /// offset. Packed by hand, because two arrays cost 400 gas more per channel.
    function _writeSettlement(
        bytes memory settlements,
        uint256 offset,
        ChannelId channelId,
        uint96 settled
    ) private pure returns (uint256 nextOffset) {
        // The 12 bytes go first, as the tail of a word that ends where they end; the id then covers the word's head.
        assembly ("memory-safe") {
            let at := add(add(settlements, 0x20), offset)
            mstore(add(at, 12), settled)
            mstore(at, channelId)
            nextOffset := add(offset, 44)
        }
    }

    /// @dev Cuts a byte string to a shorter length.
    function _shorten(bytes memory text, uint256 lengthBytes) private pure {
        assembly ("memory-safe") {
            mstore(text, lengthBytes)
        }
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
