// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ReceiptBatch} from "../types/ReceiptBatch.sol";
import {Anchor, IAuditLog} from "./IAuditLog.sol";
import {IModelBudgets} from "./IModelBudgets.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";

/// @notice What was spent on one model at one provider on one day.
struct Spend {
    /// @dev UTC day of the calls, unix seconds / 86400
    uint32 day;
    /// @dev Model, keccak256 of its name
    bytes32 model;
    /// @dev Provider, keccak256 of its name
    bytes32 provider;
    /// @dev Sum of the charges, atomic units
    uint128 amount;
}

/// @notice A spend as it was booked: with the payout address and the budget's answer of that moment.
struct BookedSpend {
    /// @dev UTC day of the calls, unix seconds / 86400
    uint32 day;
    /// @dev Model, keccak256 of its name
    bytes32 model;
    /// @dev Provider, keccak256 of its name
    bytes32 provider;
    /// @dev Address that the provider had registered when this was booked
    address payout;
    /// @dev Sum of the charges, atomic units
    uint128 amount;
    /// @dev False if it exceeded the model's budget of the day, or was booked later than the day after
    bool withinBudget;
}

/// @notice The unused part of a fixed-price payment, on its way back to the wallet that paid.
struct Refund {
    /// @dev The call, a UUIDv7
    bytes16 callId;
    /// @dev The wallet that paid
    address to;
    /// @dev What it gets back, atomic units
    uint128 amount;
}

/// @notice The record of one booking.
struct Batch {
    /// @dev `keccak256(abi.encode(BookedSpend[]))`
    bytes32 spendsHash;
    /// @dev ERC-20 token of all amounts
    address token;
    /// @dev Unix seconds of the booking
    uint40 bookedAt;
    /// @dev Entries that the log must have, anchored, to cover the batch; 0 if none are needed
    uint48 logSize;
    /// @dev Whether the spends within budget became credits
    bool released;
    /// @dev Whether the spends over budget became credits
    bool overBudgetReleased;
}

/// @notice What a provider may withdraw.
struct Credit {
    /// @dev ERC-20 token
    address token;
    /// @dev The address that is paid
    address payout;
    /// @dev Withdrawable amount, atomic units
    uint256 amount;
}

/// @title IAutoPayLLM
/// @notice The relay's on-chain business, and the payee of its channels: money is collected from escrow, booked to what
/// it was for, released after the dispute window, and withdrawn by the providers that earned it.
/// @dev It answers no ERC-1271, so nobody can sign in its name; only `RELAY_ROLE` reaches the escrow's payee calls through it.
/// @dev Warning: `RELAY_ROLE` says what collected money was for. It can take from escrow only what payers signed, and it
/// can pay only addresses that the admin registered, or refund; it is trusted to book truthfully, and the log is there to check it.
/// @dev Warning: `DEFAULT_ADMIN_ROLE` registers payout addresses and grants roles. It is meant to be a timelock.
interface IAutoPayLLM {
    /// @notice Money arrived from escrow.
    /// @param token ERC-20 token
    /// @param amount What arrived, atomic units
    /// @param unbooked The new unbooked total of the token, atomic units
    event Collected(address indexed token, uint256 amount, uint256 unbooked);

    /// @notice A name got its identifier.
    /// @param id keccak256 of the name's bytes
    /// @param name The name, UTF-8
    event NameRegistered(bytes32 indexed id, string name);

    /// @notice A provider's payout address was set.
    /// @param provider Provider, keccak256 of its name
    /// @param payout The address; zero if it can no longer be booked to
    event ProviderSet(bytes32 indexed provider, address payout);

    /// @notice Collected money was attributed.
    /// @param batchId The batch, from 1
    /// @param token ERC-20 token
    /// @param logSize Entries that the log must have, anchored, before the batch is released
    /// @param spends The spends as booked
    /// @param spent Sum of the spends, atomic units
    /// @param refunded Sum of the refunds, atomic units
    event Booked(
        uint256 indexed batchId,
        address indexed token,
        uint64 logSize,
        BookedSpend[] spends,
        uint256 spent,
        uint256 refunded
    );

    /// @notice The unused part of a payment was returned.
    /// @param batchId The batch that booked it
    /// @param to The wallet
    /// @param callId The call
    /// @param token ERC-20 token
    /// @param amount Atomic units
    /// @param pushed True if it was paid; false if the transfer failed and it waits in `claimableRefunds`
    event Refunded(
        uint256 indexed batchId,
        address indexed to,
        bytes16 callId,
        address token,
        uint256 amount,
        bool pushed
    );

    /// @notice A wallet got a refund that could not be pushed.
    /// @param token ERC-20 token
    /// @param to The wallet
    /// @param amount Atomic units
    event RefundClaimed(address indexed token, address indexed to, uint256 amount);

    /// @notice A part of a batch became withdrawable.
    /// @param batchId The batch
    /// @param withinBudget Which part: the spends within budget, or those over it
    /// @param amount Its sum, atomic units
    event Released(uint256 indexed batchId, bool withinBudget, uint256 amount);

    /// @notice A provider's credit grew.
    /// @param id See `creditId`
    /// @param token ERC-20 token
    /// @param provider Provider, keccak256 of its name
    /// @param payout The address that will be paid
    /// @param amount By how much, atomic units
    event CreditAdded(bytes32 indexed id, address token, bytes32 provider, address payout, uint256 amount);

    /// @notice A provider was paid.
    /// @param id See `creditId`
    /// @param token ERC-20 token
    /// @param payout The address that was paid
    /// @param amount Atomic units
    event CreditsWithdrawn(bytes32 indexed id, address indexed token, address indexed payout, uint256 amount);

    /// @notice The dispute window lies outside `MIN_DISPUTE_WINDOW … MAX_DISPUTE_WINDOW` (seconds).
    error AutoPayLLM_DisputeWindowOutOfRange(uint256 window, uint256 minimum, uint256 maximum);
    /// @notice A name is empty or longer than `MAX_NAME_BYTES`.
    error AutoPayLLM_NameLength(uint256 lengthBytes, uint256 maximum);
    /// @notice The booking has neither spends nor refunds.
    error AutoPayLLM_NothingToBook();
    /// @notice Too many spends in one booking.
    error AutoPayLLM_TooManySpends(uint256 count, uint256 maximum);
    /// @notice Too many refunds in one booking.
    error AutoPayLLM_TooManyRefunds(uint256 count, uint256 maximum);
    /// @notice More was to be booked than collected.
    error AutoPayLLM_ExceedsUnbooked(address token, uint256 amount, uint256 unbooked);
    /// @notice The provider has no payout address; the admin sets it with `setProvider`.
    error AutoPayLLM_ProviderUnknown(bytes32 provider);
    /// @notice The day of a spend has not begun.
    error AutoPayLLM_DayInFuture(uint32 day, uint256 today);
    /// @notice The log size is beyond 2^48 − 1.
    error AutoPayLLM_LogSizeTooLarge(uint64 logSize);
    /// @notice There is no such batch.
    error AutoPayLLM_BatchUnknown(uint256 batchId);
    /// @notice This part of the batch was released before.
    error AutoPayLLM_AlreadyReleased(uint256 batchId);
    /// @notice The spends are not those that were booked; take them from the `Booked` event.
    error AutoPayLLM_SpendsMismatch(bytes32 actual, bytes32 expected);
    /// @notice The anchor is not the first that covers the batch's log size.
    error AutoPayLLM_AnchorNotCovering(uint64 previousSize, uint64 size, uint64 logSize);
    /// @notice The anchor was never stored; take its fields from the `Anchored` event.
    error AutoPayLLM_AnchorUnknown(uint64 size);
    /// @notice The dispute window is open until `releasableAt` (unix seconds).
    error AutoPayLLM_DisputeWindowOpen(uint256 nowAt, uint256 releasableAt);
    /// @notice There is nothing to withdraw.
    error AutoPayLLM_NothingToWithdraw();
    /// @notice The token took more than the payment; such tokens are not supported.
    error AutoPayLLM_PayoutExceeded(address token, uint256 spent, uint256 expected);

    /// @notice Moves what channels owe from escrow to here. Needs `RELAY_ROLE`.
    /// @dev Depends on the escrow alone; no budget, price, provider or log can stop it. What arrives is what counts.
    /// Errors: those of `IPaymentChannels.settleBatch`.
    /// @param token ERC-20 token of all channels
    /// @param claims Packed claims, as `IPaymentChannels.settleBatch` takes them
    /// @return received What arrived, atomic units
    function collect(address token, bytes calldata claims) external returns (uint256 received);

    /// @notice Says what collected money was for, and returns unused parts of payments. Needs `RELAY_ROLE`.
    /// @dev A refund is pushed with at most `REFUND_GAS_LIMIT` gas; if that fails it can be claimed with `claimRefund`.
    /// Errors: `AutoPayLLM_NothingToBook`, `AutoPayLLM_TooManySpends`, `AutoPayLLM_TooManyRefunds`, `AutoPayLLM_ExceedsUnbooked`,
    /// `AutoPayLLM_ProviderUnknown`, `AutoPayLLM_DayInFuture`, `AutoPayLLM_LogSizeTooLarge`, `AutoPayLLM_PayoutExceeded`.
    /// @param token ERC-20 token of all amounts
    /// @param spends What was spent, at most `MAX_SPENDS`
    /// @param refunds What goes back, at most `MAX_REFUNDS`
    /// @param logSize Size of the log that covers all calls of the batch; 0 if none is needed
    /// @return batchId The new batch, from 1
    function book(
        address token,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external returns (uint256 batchId);

    /// @notice `collect`, then `book`, in one transaction. Needs `RELAY_ROLE`.
    /// @param token ERC-20 token
    /// @param claims As in `collect`
    /// @param spends As in `book`
    /// @param refunds As in `book`
    /// @param logSize As in `book`
    /// @return batchId The new batch
    function settle(
        address token,
        bytes calldata claims,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external returns (uint256 batchId);

    /// @notice Turns a batch's spends within budget into credits once its dispute window is over. Anyone may call.
    /// @dev The window counts from the booking, or from the first anchor that covers the batch's log size, whichever is later.
    /// Errors: `AutoPayLLM_BatchUnknown`, `AutoPayLLM_AlreadyReleased`, `AutoPayLLM_SpendsMismatch`, `AutoPayLLM_AnchorNotCovering`,
    /// `AutoPayLLM_AnchorUnknown`, `AutoPayLLM_DisputeWindowOpen`.
    /// @param batchId The batch
    /// @param spends All its spends, as in its `Booked` event
    /// @param anchor The first anchor with `previousSize < logSize ≤ size`; not looked at if `logSize` is 0
    function release(uint256 batchId, BookedSpend[] calldata spends, Anchor calldata anchor) external;

    /// @notice Turns a batch's spends over budget into credits. Needs `DEFAULT_ADMIN_ROLE`. Same conditions as `release`.
    /// @param batchId The batch
    /// @param spends All its spends, as in its `Booked` event
    /// @param anchor As in `release`
    function releaseOverBudget(uint256 batchId, BookedSpend[] calldata spends, Anchor calldata anchor) external;

    /// @notice Pays a credit to the address that was registered when it was booked, and to no other. Anyone may call.
    /// @dev Errors: `AutoPayLLM_NothingToWithdraw`, `AutoPayLLM_PayoutExceeded`.
    /// @param id See `creditId`
    /// @return amount What was paid, atomic units
    function withdrawCredits(bytes32 id) external returns (uint256 amount);

    /// @notice Pays a wallet the refunds that could not be pushed. Anyone may call.
    /// @dev Errors: `AutoPayLLM_NothingToWithdraw`, `AutoPayLLM_PayoutExceeded`.
    /// @param token ERC-20 token
    /// @param to The wallet
    /// @return amount What was paid, atomic units
    function claimRefund(address token, address to) external returns (uint256 amount);

    /// @notice Publishes a model's or provider's name, so that its identifier can be read. Anyone may call; once is enough.
    /// @dev Errors: `AutoPayLLM_NameLength`.
    /// @param name The name, UTF-8, 1 … `MAX_NAME_BYTES` bytes
    /// @return id keccak256 of its bytes
    function registerName(string calldata name) external returns (bytes32 id);

    /// @notice Sets where a provider is paid. Needs `DEFAULT_ADMIN_ROLE`. What is booked already keeps its address.
    /// @param provider Provider, keccak256 of its name
    /// @param payout The address; zero stops further bookings to it
    function setProvider(bytes32 provider, address payout) external;

    /// @notice The identifier of a credit: `keccak256(abi.encode(token, provider, payout))`.
    /// @param token ERC-20 token
    /// @param provider Provider, keccak256 of its name
    /// @param payout The provider's address when the spend was booked
    /// @return The identifier
    function creditId(address token, bytes32 provider, address payout) external pure returns (bytes32);

    /// @notice The EIP-712 digest that the relay signs for a batch of receipts.
    /// @param batch The batch
    /// @return The digest
    function hashReceiptBatch(ReceiptBatch calldata batch) external view returns (bytes32);

    /// @notice A booking's record; all zero if there is none.
    /// @param batchId The batch
    function getBatch(uint256 batchId) external view returns (Batch memory);

    /// @notice A credit; all zero if there is none.
    /// @param id See `creditId`
    function getCredit(bytes32 id) external view returns (Credit memory);

    /// @notice Collected and not yet booked, atomic units.
    /// @param token ERC-20 token
    function unbooked(address token) external view returns (uint256);

    /// @notice Refunds that could not be pushed, atomic units.
    /// @param token ERC-20 token
    /// @param to The wallet
    function claimableRefunds(address token, address to) external view returns (uint256);

    /// @notice Where a provider is paid; zero if unknown.
    /// @param provider Provider, keccak256 of its name
    function payoutOf(bytes32 provider) external view returns (address);

    /// @notice Whether a name was published.
    /// @param id keccak256 of the name's bytes
    function isNameRegistered(bytes32 id) external view returns (bool);

    /// @notice Number of batches so far; also the identifier of the newest.
    function batchCount() external view returns (uint256);

    /// @notice The escrow.
    function paymentChannels() external view returns (IPaymentChannels);

    /// @notice The audit log.
    function auditLog() external view returns (IAuditLog);

    /// @notice The budgets that bookings are counted against.
    function modelBudgets() external view returns (IModelBudgets);

    /// @notice Time between booking (or anchoring) and release, seconds.
    function disputeWindow() external view returns (uint64);

    /// @notice Role of the relay.
    function RELAY_ROLE() external view returns (bytes32);

    /// @notice Shortest dispute window, seconds.
    function MIN_DISPUTE_WINDOW() external view returns (uint64);

    /// @notice Longest dispute window, seconds.
    function MAX_DISPUTE_WINDOW() external view returns (uint64);

    /// @notice Most spends in one booking.
    function MAX_SPENDS() external view returns (uint256);

    /// @notice Most refunds in one booking.
    function MAX_REFUNDS() external view returns (uint256);

    /// @notice Longest name, bytes.
    function MAX_NAME_BYTES() external view returns (uint256);

    /// @notice Gas that the push of one refund may use.
    function REFUND_GAS_LIMIT() external view returns (uint256);
}
