// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChannelId} from "../types/ChannelId.sol";
import {ClaimFault} from "../types/Claim.sol";

/// @notice One payment channel, in the field names of the specification.
struct Channel {
    /// @dev Wallet that deposited
    address payer;
    /// @dev Address that may settle
    address payee;
    /// @dev ERC-20 token of the channel
    address token;
    /// @dev Key that signs vouchers; zero means the payer
    address authorizedSigner;
    /// @dev Everything ever deposited, atomic units; never falls
    uint128 deposit;
    /// @dev Everything ever paid to the payee, atomic units; never falls
    uint128 settled;
    /// @dev Unix seconds of the pending close request, 0 if there is none
    uint64 closeRequestedAt;
    /// @dev True once closed; never cleared
    bool finalized;
}

/// @title IPaymentChannels
/// @notice Escrow for unidirectional payment channels: a payer deposits, signs cumulative vouchers off-chain, and the
/// payee takes what the vouchers allow.
/// @dev Implements the mandatory core of the escrow contract of the MPP EVM session specification
/// (draft-evm-session-00, "Channel Escrow Contract") and the EIP-3009 part of its relayed profile, and adds
/// `settleBatch` and `closeBatch`.
///
/// Custody only: there is no owner, no pause and no upgrade. Whether money moves depends on the channel, the caller,
/// the signature and the clock, and on nothing else. Every function that moves money refuses to be reentered; views do
/// not, and in the middle of a payout never show more than what is left.
///
/// Tokens. Safety assumes that a token's balances change by transfers only. A token that takes a fee on deposit, or
/// that takes more than asked on payout, is refused by measurement. What a token adds to escrow by itself belongs to no
/// channel.
/// @dev Warning: a token that shrinks balances by itself (rebasing) cannot be measured out; its channels, and only
/// its, may become under-funded. Liveness further assumes that the token's issuer does not freeze escrow or parties.
interface IPaymentChannels {
    /// @notice A channel was opened.
    /// @param channelId The channel
    /// @param payer Wallet that deposited
    /// @param payee Address that may settle
    /// @param token ERC-20 token
    /// @param authorizedSigner Key that signs vouchers; zero means the payer
    /// @param salt Salt chosen by the payer
    /// @param deposit Deposit, atomic units
    event ChannelOpened(
        ChannelId indexed channelId,
        address indexed payer,
        address indexed payee,
        address token,
        address authorizedSigner,
        bytes32 salt,
        uint256 deposit
    );

    /// @notice A deposit was increased, by the payer or by another.
    /// @param channelId The channel
    /// @param amount What was added, atomic units
    /// @param deposit The new total deposit, atomic units
    event ChannelToppedUp(ChannelId indexed channelId, uint256 amount, uint256 deposit);

    /// @notice A payer asked to close; after `CLOSE_GRACE_PERIOD` it may withdraw.
    /// @param channelId The channel
    /// @param at Unix seconds from which the grace period counts
    event CloseRequested(ChannelId indexed channelId, uint256 at);

    /// @notice A pending close request ended without a close, because the payer topped up.
    /// @param channelId The channel
    event CloseRequestCancelled(ChannelId indexed channelId);

    /// @notice A payee took money from one channel.
    /// @param channelId The channel
    /// @param delta What was paid, atomic units
    /// @param settled The new cumulative total, atomic units
    event ChannelSettled(ChannelId indexed channelId, uint256 delta, uint256 settled);

    /// @notice A payee took money from many channels with one transfer.
    /// @dev Stands for one `ChannelSettled` per claim that was not skipped: a log of its own costs 1,300 gas more per
    /// channel.
    /// @param payee Who took it
    /// @param token ERC-20 token
    /// @param total What was paid, atomic units
    /// @param settlements 44 bytes for each claim that was not skipped, in their order, without padding: channelId 32,
    /// then the new cumulative total 12 (big-endian, atomic units)
    event BatchSettled(address indexed payee, address indexed token, uint256 total, bytes settlements);

    /// @notice A claim of a batch was skipped; the rest of the batch is not affected.
    /// @param channelId The channel that the claim names, whether or not it exists
    /// @param reason Why; see `ClaimFault`
    event ClaimSkipped(ChannelId indexed channelId, ClaimFault reason);

    /// @notice A payee closed a channel.
    /// @param channelId The channel
    /// @param delta What was paid to the payee, atomic units
    /// @param settled The final cumulative total, atomic units
    /// @param refund What went back to the payer, atomic units
    event ChannelClosed(ChannelId indexed channelId, uint256 delta, uint256 settled, uint256 refund);

    /// @notice A payee closed many channels with one transfer to itself and one to each payer.
    /// @dev Stands for one `ChannelClosed` per claim that was not skipped.
    /// @param payee Who closed them
    /// @param token ERC-20 token
    /// @param total What was paid to the payee, atomic units; it includes what `ChannelSettled` tells of claims whose
    /// refund failed
    /// @param closures 56 bytes for each channel closed, in their order, without padding: channelId 32, the final
    /// cumulative total 12, what went back to the payer 12 (big-endian, atomic units)
    event BatchClosed(address indexed payee, address indexed token, uint256 total, bytes closures);

    /// @notice A payer closed a channel after the grace period.
    /// @param channelId The channel
    /// @param refund What went back to the payer, atomic units
    event ChannelWithdrawn(ChannelId indexed channelId, uint256 refund);

    /// @notice The same payer, payee, token, salt and signer were used before; choose another salt.
    error ChannelAlreadyExists(ChannelId channelId);
    /// @notice There is no channel with this identifier.
    error ChannelNotFound(ChannelId channelId);
    /// @notice The channel is closed for good.
    error ChannelFinalized(ChannelId channelId);
    /// @notice Only the channel's payee may do this.
    error NotPayee(address caller, address payee);
    /// @notice Only the channel's payer may do this.
    error NotPayer(address caller, address payer);
    /// @notice The cumulative amount does not exceed what is settled already.
    error AmountNotIncreasing(uint256 cumulativeAmount, uint256 settled);
    /// @notice The cumulative amount exceeds the deposit.
    error AmountExceedsDeposit(uint256 cumulativeAmount, uint256 deposit);
    /// @notice The voucher is not validly signed by this signer; high-s signatures are invalid.
    error InvalidSignature(ChannelId channelId, address signer);
    /// @notice No close was requested (`closeRequestedAt` is 0), or the grace period lasts until `readyAt` (unix
    /// seconds).
    error CloseNotReady(uint256 closeRequestedAt, uint256 readyAt);
    /// @notice The nonce of an authorization is not the one that these parameters give.
    error NonceMismatch(bytes32 nonce, bytes32 expected);
    /// @notice A deposit must be above zero.
    error ZeroDeposit();
    /// @notice The total deposit of a channel would exceed what its record can hold.
    error DepositOverflow(uint256 deposit, uint256 maximum);
    /// @notice The token delivered another amount than the one asked for; such tokens are not supported.
    error DepositNotReceived(uint256 received, uint256 expected);
    /// @notice The token took more out of escrow than the payment; such tokens are not supported.
    error PayoutExceeded(uint256 spent, uint256 expected);
    /// @notice The packed claims are not a multiple of 160 bytes.
    error ClaimsMalformed(uint256 lengthBytes);
    /// @notice A batch holds more claims than allowed.
    error TooManyClaims(uint256 count, uint256 maximum);

    /// @notice Opens a channel; the caller becomes its payer. Needs an allowance of `deposit` for this contract.
    /// @dev Errors: `ZeroDeposit`, `DepositOverflow`, `ChannelAlreadyExists`, `DepositNotReceived`.
    /// @param payee Address that may settle
    /// @param token ERC-20 token
    /// @param deposit Deposit, atomic units, 1 … 2^96 − 1
    /// @param salt Any value that this payer did not use before with the same payee, token and signer
    /// @param authorizedSigner Key that signs vouchers; zero means the payer
    /// @return channelId The identifier, see `computeChannelId`
    function open(
        address payee,
        address token,
        uint128 deposit,
        bytes32 salt,
        address authorizedSigner
    ) external returns (ChannelId channelId);

    /// @notice Pays the payee up to a voucher's cumulative amount. Payee only.
    /// @dev Errors: `ChannelNotFound`, `NotPayee`, `ChannelFinalized`, `AmountNotIncreasing`, `AmountExceedsDeposit`,
    /// `InvalidSignature`, `PayoutExceeded`.
    /// @param channelId The channel
    /// @param cumulativeAmount The voucher's amount, atomic units; above what is settled, within the deposit
    /// @param signature 65 bytes r ‖ s ‖ v of the signer, or whatever its ERC-1271 contract takes
    function settle(ChannelId channelId, uint128 cumulativeAmount, bytes calldata signature) external;

    /// @notice Pays the caller what it claims from many channels of one token, with one transfer.
    /// @dev For each claim `settled < claimed ≤ maximum ≤ deposit` must hold, and the voucher over `maximum` must be
    /// signed by the channel's signer by ECDSA. A claim that fails is skipped with `ClaimSkipped`, and blocks no other.
    /// Errors: `ClaimsMalformed`, `TooManyClaims`, `PayoutExceeded`.
    /// @dev Warning: ERC-1271 signatures are not accepted here; they can be revoked between signing and settling. Use
    /// `settle`.
    /// @param token ERC-20 token of all channels
    /// @param claims Packed claims, see `Claim`; at most `MAX_CLAIMS`
    /// @return total What was paid to the caller, atomic units
    function settleBatch(address token, bytes calldata claims) external returns (uint256 total);

    /// @notice Closes many channels of one token: pays the caller what it claims, and each payer the rest.
    /// @dev Claims as in `settleBatch`; where `claimed ≤ settled` nothing more is taken, and no signature is looked at.
    /// A claim that fails is skipped with `ClaimSkipped` and leaves its channel as it was. Where the payer cannot be
    /// paid (blocked by the token, say) the channel is settled (`ChannelSettled`) but stays open, and is skipped with
    /// `ClaimFault.RefundFailed`; a pending close and the payer's `requestClose` and `withdraw` remain. Of several
    /// claims on one channel the first that closes it counts.
    /// Errors: `ClaimsMalformed`, `TooManyClaims`, `PayoutExceeded`, `BoundedTransfer_GasTooLow`.
    /// @dev Warning: each refund may use up to `REFUND_GAS_LIMIT` gas, and that much must be left when its turn comes,
    /// or all reverts: a payee that sends too little gas must not be able to make refunds fail. Choose the batch by the
    /// block's limit.
    /// @dev Warning: the payee is paid last and in full; where it cannot be paid, nothing is closed.
    /// @param token ERC-20 token of all channels
    /// @param claims Packed claims, see `Claim`; at most `MAX_CLAIMS`
    /// @return total What was paid to the caller, atomic units
    function closeBatch(address token, bytes calldata claims) external returns (uint256 total);

    /// @notice Opens a channel with the payer's EIP-3009 authorization; anyone may submit it.
    /// @dev Relayed profile of the specification ("Front-Running Protection"). Pulls by the token's
    /// `receiveWithAuthorization(…, bytes)`, which only this contract can use; the nonce binds every term of the
    /// channel, so that nobody can divert the authorization. Who submits the same call first opens the same channel for
    /// the same payer; the second call reverts with `ChannelAlreadyExists`.
    /// Errors: `ZeroDeposit`, `DepositOverflow`, `ChannelAlreadyExists`, `NonceMismatch`, `DepositNotReceived`, and the
    /// token's.
    /// @param payee Address that may settle
    /// @param token ERC-20 token with EIP-3009 and the `bytes signature` overload (USDC 2.2, AGPT)
    /// @param deposit Deposit, atomic units, 1 … 2^96 − 1
    /// @param salt Any value that this payer did not use before with the same payee, token and signer
    /// @param authorizedSigner Key that signs vouchers; zero means the payer
    /// @param from The payer
    /// @param validAfter Unix seconds after which the authorization holds
    /// @param validBefore Unix seconds before which it holds
    /// @param nonce `keccak256(abi.encode(from, payee, token, salt, authorizedSigner))`
    /// @param signature The payer's signature over `ReceiveWithAuthorization(from, this contract, deposit, …)`
    /// @return channelId The identifier
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
    ) external returns (ChannelId channelId);

    /// @notice Adds to a channel's deposit with an EIP-3009 authorization; anyone may submit it.
    /// @dev Cancels a pending close only where `from` is the channel's payer: another's money only adds, or anyone
    /// could hold a payer in. Errors: `ChannelNotFound`, `ChannelFinalized`, `ZeroDeposit`, `DepositOverflow`,
    /// `NonceMismatch`, `DepositNotReceived`, and the token's.
    /// @dev Warning: a payer's own unused authorization cancels a close, whoever submits it; let it expire, or cancel
    /// it at the token, before requesting a close.
    /// @param channelId The channel
    /// @param additionalDeposit What to add, atomic units
    /// @param from Whose money it is
    /// @param topUpSalt Any value not used before with the same channel and amount
    /// @param validAfter Unix seconds after which the authorization holds
    /// @param validBefore Unix seconds before which it holds
    /// @param nonce `keccak256(abi.encode(channelId, additionalDeposit, from, topUpSalt))`
    /// @param signature The signature of `from` over `ReceiveWithAuthorization(from, this contract, additionalDeposit,
    /// …)`
    function topUpWithAuthorization(
        ChannelId channelId,
        uint128 additionalDeposit,
        address from,
        bytes32 topUpSalt,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Adds to a channel's deposit. Payer only; cancels a pending close.
    /// @dev Errors: `ChannelNotFound`, `NotPayer`, `ChannelFinalized`, `ZeroDeposit`, `DepositOverflow`,
    /// `DepositNotReceived`.
    /// @param channelId The channel
    /// @param additionalDeposit What to add, atomic units
    function topUp(ChannelId channelId, uint128 additionalDeposit) external;

    /// @notice Closes a channel: pays the voucher to the payee, the rest back to the payer. Payee only.
    /// @dev With `cumulativeAmount ≤ settled` nothing more is paid to the payee and no signature is needed.
    /// Errors: `ChannelNotFound`, `NotPayee`, `ChannelFinalized`, `AmountExceedsDeposit`, `InvalidSignature`,
    /// `PayoutExceeded`.
    /// @param channelId The channel
    /// @param cumulativeAmount The final voucher's amount, atomic units
    /// @param signature The voucher's signature; may be empty where none is needed
    function close(ChannelId channelId, uint128 cumulativeAmount, bytes calldata signature) external;

    /// @notice Announces that the payer wants its money back. Payer only. A second request keeps the time of the first.
    /// @dev Errors: `ChannelNotFound`, `NotPayer`, `ChannelFinalized`.
    /// @param channelId The channel
    function requestClose(ChannelId channelId) external;

    /// @notice Returns the unsettled rest to the payer once the grace period is over, and closes the channel. Payer
    /// only.
    /// @dev Errors: `ChannelNotFound`, `NotPayer`, `ChannelFinalized`, `CloseNotReady`, `PayoutExceeded`.
    /// @param channelId The channel
    function withdraw(ChannelId channelId) external;

    /// @notice The identifier of a channel with these terms, whether or not it exists.
    /// @dev `keccak256(abi.encode(payer, payee, token, salt, authorizedSigner, address(this), block.chainid))`
    /// @param payer Wallet that deposits
    /// @param payee Address that may settle
    /// @param token ERC-20 token
    /// @param salt Salt chosen by the payer
    /// @param authorizedSigner Key that signs vouchers; zero means the payer
    /// @return The identifier
    function computeChannelId(
        address payer,
        address payee,
        address token,
        bytes32 salt,
        address authorizedSigner
    ) external view returns (ChannelId);

    /// @notice A channel's record; all zero if there is no such channel.
    /// @param channelId The channel
    /// @return The record
    function getChannel(ChannelId channelId) external view returns (Channel memory);

    /// @notice The EIP-712 digest that a voucher's signer signs.
    /// @param channelId The channel
    /// @param cumulativeAmount The voucher's amount, atomic units
    /// @return The digest
    function hashVoucher(ChannelId channelId, uint128 cumulativeAmount) external view returns (bytes32);

    /// @notice The EIP-712 domain separator of vouchers: name "EVM Payment Channel", version "1", this chain, this
    /// contract.
    /// @return The separator
    function domainSeparator() external view returns (bytes32);

    /// @notice Time between a close request and the payer's withdrawal, seconds.
    function CLOSE_GRACE_PERIOD() external view returns (uint64);

    /// @notice Most claims that one batch may hold.
    function MAX_CLAIMS() external view returns (uint256);

    /// @notice Gas that one refund of `closeBatch` may use.
    function REFUND_GAS_LIMIT() external view returns (uint256);

    /// @notice Gas that an ERC-1271 signer may use to judge a signature.
    function ERC1271_GAS_LIMIT() external view returns (uint256);
}
