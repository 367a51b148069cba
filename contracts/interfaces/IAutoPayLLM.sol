// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ChannelId} from "../types/ChannelId.sol";
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

/// @notice The unused part of a payment for a single call, on its way back to the wallet that paid.
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
    /// @dev Entries that the log must have, anchored, to cover the batch; 0 only without spends
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

/// @notice The relay's bond in one token.
struct Bond {
    /// @dev What the relay has put up, atomic units
    uint128 amount;
    /// @dev The part of it that open disputes hold, atomic units; never above `amount`
    uint128 frozen;
    /// @dev What upheld disputes could not take of it yet, atomic units; may be above `amount`
    uint256 owed;
}

/// @notice Where a provider is paid from the deployment on.
struct ProviderPayout {
    /// @dev Name of the provider, UTF-8
    string name;
    /// @dev The address
    address payout;
}

/// @notice What a deployment of AutoPayLLM is made of.
struct AutoPayLLMConfig {
    /// @dev The escrow that it collects from
    IPaymentChannels paymentChannels;
    /// @dev The audit log whose anchors gate releases
    IAuditLog auditLog;
    /// @dev The budgets that spends are counted against
    IModelBudgets modelBudgets;
    /// @dev The token of `executeLLMCall`
    IERC20 agpt;
    /// @dev Holder of `DEFAULT_ADMIN_ROLE`
    address admin;
    /// @dev First holder of `RELAY_ROLE`
    address relay;
    /// @dev Holder of `GUARDIAN_ROLE`; zero for none
    address guardian;
    /// @dev Where the bond goes back to
    address bondPayout;
    /// @dev Dispute window, seconds
    uint64 disputeWindow;
    /// @dev The first providers
    ProviderPayout[] providers;
}

/// @title IAutoPayLLM
/// @notice The relay's on-chain business, and the payee of its channels: money is collected from escrow, booked to what
/// it was for, released after the dispute window, and withdrawn by the providers that earned it.
/// @dev It answers no ERC-1271, so nobody can sign in its name; only `RELAY_ROLE` reaches the escrow's payee calls
/// through it.
/// @dev Warning: `RELAY_ROLE` says what collected money was for. It can take from escrow only what payers signed, and it
/// can pay only addresses that the admin registered, or refund; it is trusted to book truthfully, and the log is there to
/// check it. A refund is paid at once, before any dispute, but never more than the wallet paid here for single calls:
/// whoever steals the key of a relay can give such payments back and delay bookings, and can send nothing elsewhere.
/// @dev Warning: `DEFAULT_ADMIN_ROLE` registers payout addresses and grants roles. It is meant to be a timelock.
///
/// What is held. For each token the balance is at least unbooked + unreleased + withheld over budget + credits + bond +
/// refunds that wait. Every payment is measured, so that none costs anyone else anything.
///
/// Tokens. As in `IPaymentChannels`: safety assumes that balances change by transfers only; what a token does wrong
/// stays with that token.
interface IAutoPayLLM {
    /// @notice Money arrived from escrow.
    /// @param token ERC-20 token
    /// @param amount What arrived, atomic units
    /// @param unbooked The new unbooked total of the token, atomic units
    event Collected(address indexed token, uint256 amount, uint256 unbooked);

    /// @notice A payment for a single call arrived.
    /// @param token ERC-20 token
    /// @param from The wallet that paid
    /// @param amount What arrived, atomic units; that much more may go back to the wallet
    /// @param unbooked The new unbooked total of the token, atomic units
    event PaymentCredited(address indexed token, address indexed from, uint256 amount, uint256 unbooked);

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

    /// @notice The relay put up a bond.
    /// @param token ERC-20 token
    /// @param from Who paid
    /// @param amount Atomic units
    /// @param bond The new bond, atomic units
    event BondDeposited(address indexed token, address indexed from, uint256 amount, uint256 bond);

    /// @notice A part of the bond went back.
    /// @param token ERC-20 token
    /// @param to The address registered for it
    /// @param amount Atomic units
    /// @param bond The new bond, atomic units
    event BondWithdrawn(address indexed token, address indexed to, uint256 amount, uint256 bond);

    /// @notice A dispute holds a part of the bond, or lets it go.
    /// @param token ERC-20 token
    /// @param frozen All that disputes now hold, atomic units
    event BondFrozen(address indexed token, uint256 frozen);

    /// @notice A dispute took from the bond.
    /// @param token ERC-20 token
    /// @param to Who was refunded
    /// @param refund What that was, atomic units
    /// @param penalty What was burned (sent to `BURN_ADDRESS`), atomic units
    /// @param bond The new bond, atomic units
    event BondSlashed(address indexed token, address indexed to, uint256 refund, uint256 penalty, uint256 bond);

    /// @notice What upheld disputes could not take of the bond has changed.
    /// @param token ERC-20 token
    /// @param owed All that is now owed, atomic units
    event BondOwed(address indexed token, uint256 owed);

    /// @notice The address to which the bond goes back was set.
    /// @param payout The address
    event BondPayoutSet(address indexed payout);

    /// @notice A call was paid from a user's AGPT allowance.
    /// @param user Who paid
    /// @param provider Provider, keccak256 of its name
    /// @param model Model, keccak256 of its name; zero for calls that name none
    /// @param callId The call, a UUIDv7; zero for calls that name none
    /// @param id The credit that grew, see `apiCredits`
    /// @param units Billing units, charge × `TOKENS_PER_AGPT`
    /// @param cost What was paid, AGPT wei
    event LLMCallExecuted(
        address indexed user,
        bytes32 indexed provider,
        bytes32 indexed model,
        bytes16 callId,
        bytes32 id,
        uint256 units,
        uint256 cost
    );

    /// @notice What a provider's former address has earned from allowance calls was moved to a credit of that address.
    /// @param id Where it was, see `apiCredits`
    /// @param to Where it is, see `creditId`
    /// @param amount AGPT wei
    event ApiCreditMoved(bytes32 indexed id, bytes32 indexed to, uint256 amount);

    /// @notice A user set the most that calls may take from its allowance in a UTC day.
    /// @param user The user
    /// @param cap AGPT wei per UTC day
    event DailyCapSet(address indexed user, uint256 cap);

    /// @notice The guardian stopped booking and release for a time, or let them go on.
    /// @param until Unix seconds; 0 if they go on
    event Frozen(uint64 until);

    /// @notice The guardian suspended a relay for a time, or reinstated it.
    /// @param relay The relay's account
    /// @param until Unix seconds; 0 if it is reinstated
    event RelaySuspended(address indexed relay, uint64 until);

    /// @notice The part of the bond that disputes neither hold nor are owed does not cover what would be booked and not released; deposit
    /// more with `depositBond`.
    error AutoPayLLM_BondTooLow(address token, uint256 bond, uint256 required);
    /// @notice More was to be withdrawn from the bond than is free.
    error AutoPayLLM_BondNotFree(address token, uint256 amount, uint256 free);
    /// @notice More was to be let go than disputes hold.
    error AutoPayLLM_BondNotFrozen(address token, uint256 amount, uint256 frozen);
    /// @notice More was to be settled than is owed.
    error AutoPayLLM_BondNotOwed(address token, uint256 amount, uint256 owed);
    /// @notice The amount must be above zero.
    error AutoPayLLM_ZeroAmount();
    /// @notice The zero address cannot hold this place.
    error AutoPayLLM_ZeroAddress();
    /// @notice The call exceeds the user's daily cap.
    error AutoPayLLM_DailyCapExceeded(address user, uint256 wouldSpend, uint256 cap);
    /// @notice The call exceeds the model's budget of the day.
    error AutoPayLLM_OverBudget(bytes32 model, uint32 day, uint256 cost);
    /// @notice The call id paid for another call before.
    error AutoPayLLM_CallIdReused(bytes16 callId);
    /// @notice The token delivered another amount than the price of the call.
    error AutoPayLLM_PaymentNotReceived(uint256 received, uint256 expected);
    /// @notice The amount (or, for a call's price, the number of units) is beyond what a record can hold.
    error AutoPayLLM_AmountTooLarge(uint256 amount, uint256 maximum);
    /// @notice Booking and release are frozen until then (unix seconds).
    error AutoPayLLM_Frozen(uint64 until);
    /// @notice The relay is suspended until then (unix seconds).
    error AutoPayLLM_RelaySuspended(address relay, uint64 until);
    /// @notice The guardian may stop things for at most `MAX_GUARDIAN_STOP`, and again after `GUARDIAN_PERIOD`.
    error AutoPayLLM_GuardianLimit(uint256 durationSeconds, uint256 nextAllowedAt);

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
    /// @notice The refund is above what the wallet paid for single calls and did not get back, see `refundableOf`.
    error AutoPayLLM_NotRefundable(address token, address to, uint256 amount, uint256 refundable);
    /// @notice The provider has no payout address; the admin sets it with `setProvider`.
    error AutoPayLLM_ProviderUnknown(bytes32 provider);
    /// @notice The day of a spend has not begun.
    error AutoPayLLM_DayInFuture(uint32 day, uint256 today);
    /// @notice The log size is more than `IAuditLog.MAX_GROWTH` above the latest anchor's, or beyond 2^48 − 1.
    error AutoPayLLM_LogSizeTooLarge(uint64 logSize, uint256 maximum);
    /// @notice Spends wait for an anchor: the log size must be above zero, and not below the latest anchor's.
    error AutoPayLLM_LogSizeTooSmall(uint64 logSize, uint256 minimum);
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
    /// @dev Depends on the role and the escrow alone: no budget, price, day, provider, bond, log, freeze or suspension
    /// can stop it. What arrives is what counts. Errors: those of `IPaymentChannels.settleBatch`,
    /// `AutoPayLLM_AmountTooLarge`.
    /// @param token ERC-20 token of all channels
    /// @param claims Packed claims, as `IPaymentChannels.settleBatch` takes them
    /// @return received What arrived, atomic units
    function collect(address token, bytes calldata claims) external returns (uint256 received);

    /// @notice Closes channels: what they owe comes here, the rest goes back to the payers. Needs `RELAY_ROLE`.
    /// @dev As `collect`, but not for a suspended relay: a stolen key could close channels for less than they owe, for
    /// ever, and collecting needs no close. Errors: those of `IPaymentChannels.closeBatch`,
    /// `AutoPayLLM_RelaySuspended`.
    /// @param token ERC-20 token of all channels
    /// @param claims Packed claims, as `IPaymentChannels.closeBatch` takes them
    /// @return received What arrived, atomic units
    function closeChannels(address token, bytes calldata claims) external returns (uint256 received);

    /// @notice Settles one channel by the specification's `settle`: for signers that are contracts. Needs `RELAY_ROLE`.
    /// @dev As `collect`. Errors: those of `IPaymentChannels.settle`.
    /// @dev Warning: it takes all that the voucher allows, where `collect` takes what is claimed. Charge all of it
    /// first: what no signed receipt accounts for loses a settlement challenge.
    /// @param channelId The channel
    /// @param cumulativeAmount The voucher's amount, atomic units
    /// @param signature Its signature
    /// @return received What arrived, atomic units
    function settleChannel(
        ChannelId channelId,
        uint128 cumulativeAmount,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice Closes one channel by the specification's `close`. Needs `RELAY_ROLE`.
    /// @dev As `closeChannels`. Errors: those of `IPaymentChannels.close`, `AutoPayLLM_RelaySuspended`.
    /// @dev Warning: as `settleChannel`, it takes all that the voucher allows. Charge all of it first.
    /// @param channelId The channel
    /// @param cumulativeAmount The final voucher's amount, atomic units; not above what is settled to take nothing more
    /// @param signature Its signature; may be empty where nothing more is taken
    /// @return received What arrived, atomic units
    function closeChannel(
        ChannelId channelId,
        uint128 cumulativeAmount,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice Takes a wallet's payment for a single call from the caller's allowance. Needs `DESK_ROLE`, which the
    /// `IPaymentDesk` has.
    /// @dev As `collect`, no freeze or suspension stops it. What arrives is what counts, whatever the caller says: it is
    /// unbooked, and may go back to the wallet by a refund of `book`. Errors: those of the token,
    /// `AutoPayLLM_ZeroAmount`, `AutoPayLLM_AmountTooLarge`.
    /// @param token ERC-20 token
    /// @param from The wallet that paid the caller
    /// @param amount Atomic units
    /// @return received What arrived, atomic units
    function creditPayment(address token, address from, uint256 amount) external returns (uint256 received);

    /// @notice Says what collected money was for, and returns unused parts of payments. Needs `RELAY_ROLE`.
    /// @dev A spend that exceeds its model's budget, or is older than yesterday, is booked all the same and withheld
    /// until `releaseOverBudget`. For the others the bond must cover all that is unreleased; a booking without them
    /// needs none. A refund goes to a wallet that paid for single calls (`creditPayment`), and is at most what it paid
    /// and did not get back. It is pushed with at most `REFUND_GAS_LIMIT` gas; if that fails it can be claimed with
    /// `claimRefund`.
    /// Errors: `AutoPayLLM_NothingToBook`, `AutoPayLLM_TooManySpends`, `AutoPayLLM_TooManyRefunds`,
    /// `AutoPayLLM_ExceedsUnbooked`, `AutoPayLLM_NotRefundable`, `AutoPayLLM_ProviderUnknown`,
    /// `AutoPayLLM_DayInFuture`, `AutoPayLLM_LogSizeTooSmall`, `AutoPayLLM_LogSizeTooLarge`, `AutoPayLLM_BondTooLow`,
    /// `AutoPayLLM_PayoutExceeded`, `AutoPayLLM_Frozen`, `AutoPayLLM_RelaySuspended`, `BoundedTransfer_GasTooLow`.
    /// @param token ERC-20 token of all amounts
    /// @param spends What was spent, at most `MAX_SPENDS`
    /// @param refunds What goes back, at most `MAX_REFUNDS`
    /// @param logSize Size of the log that covers all calls of the batch. With spends from the latest anchor's size (at
    /// least 1) to `IAuditLog.MAX_GROWTH` above it; may be 0 without
    /// @return batchId The new batch, from 1
    function book(
        address token,
        Spend[] calldata spends,
        Refund[] calldata refunds,
        uint64 logSize
    ) external returns (uint256 batchId);

    /// @notice `collect`, then `book`, in one transaction. Needs `RELAY_ROLE`. What stops the booking stops all of it;
    /// use `collect` then.
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
    /// @dev The window counts from the booking, or from the first anchor that covers the batch's log size, whichever is
    /// later; a freeze does not prolong it.
    /// Errors: `AutoPayLLM_BatchUnknown`, `AutoPayLLM_AlreadyReleased`, `AutoPayLLM_SpendsMismatch`,
    /// `AutoPayLLM_AnchorNotCovering`, `AutoPayLLM_AnchorUnknown`, `AutoPayLLM_DisputeWindowOpen`, `AutoPayLLM_Frozen`.
    /// @param batchId The batch
    /// @param spends All its spends, as in its `Booked` event
    /// @param anchor The first anchor with `previousSize < logSize ≤ size`; not looked at if `logSize` is 0
    function release(uint256 batchId, BookedSpend[] calldata spends, Anchor calldata anchor) external;

    /// @notice Turns a batch's spends over budget into credits. Needs `DEFAULT_ADMIN_ROLE`. Same conditions as
    /// `release`.
    /// @param batchId The batch
    /// @param spends All its spends, as in its `Booked` event
    /// @param anchor As in `release`
    function releaseOverBudget(uint256 batchId, BookedSpend[] calldata spends, Anchor calldata anchor) external;

    /// @notice Pays a credit to the address that was registered when it arose, and to no other. Anyone may call.
    /// @dev Errors: `AutoPayLLM_NothingToWithdraw`, `AutoPayLLM_PayoutExceeded`.
    /// @param id Of a booking's credit, see `creditId`; or of allowance calls, see `apiCredits`
    /// @return amount What was paid, atomic units
    function withdrawCredits(bytes32 id) external returns (uint256 amount);

    /// @notice Pays a wallet the refunds that could not be pushed. Anyone may call.
    /// @dev Errors: `AutoPayLLM_NothingToWithdraw`, `AutoPayLLM_PayoutExceeded`.
    /// @param token ERC-20 token
    /// @param to The wallet
    /// @return amount What was paid, atomic units
    function claimRefund(address token, address to) external returns (uint256 amount);

    /// @notice Publishes a model's or provider's name, so that its identifier can be read. Anyone may call; once is
    /// enough.
    /// @dev Errors: `AutoPayLLM_NameLength`.
    /// @param name The name, UTF-8, 1 … `MAX_NAME_BYTES` bytes
    /// @return id keccak256 of its bytes
    function registerName(string calldata name) external returns (bytes32 id);

    /// @notice Sets where a provider is paid. Needs `DEFAULT_ADMIN_ROLE`. What is booked already keeps its address.
    /// @param provider Provider, keccak256 of its name
    /// @param payout The address; zero stops further bookings to it
    function setProvider(bytes32 provider, address payout) external;

    /// @notice The blueprint's call: takes the price of `tokensUsed` from the user's AGPT allowance to the provider's
    /// credit. Needs `RELAY_ROLE`.
    /// @dev The price is `tokensUsed / TOKENS_PER_AGPT` AGPT in AGPT wei; as 1250 divides 10^18 nothing is rounded, and
    /// the smallest call costs 8 × 10^14. It is a credit at once: there is no dispute window, and no bond covers it.
    /// Errors: `AutoPayLLM_ZeroAmount`, `AutoPayLLM_ProviderUnknown`, `AutoPayLLM_DailyCapExceeded`,
    /// `AutoPayLLM_AmountTooLarge`, `AutoPayLLM_PaymentNotReceived`, `AutoPayLLM_Frozen`, `AutoPayLLM_RelaySuspended`,
    /// those of the token.
    /// @dev Warning: an allowance is trust in the relay, up to a daily cap if the user set one; no signature of the user
    /// says what a call was.
    /// @dev Warning: not idempotent, and no budget binds it. Use the overload with a call id.
    /// @param user Who pays; must have approved this contract
    /// @param provider Name of the provider
    /// @param tokensUsed Billing units: charge × `TOKENS_PER_AGPT`
    /// @return agptCost What was paid, AGPT wei
    function executeLLMCall(
        address user,
        string calldata provider,
        uint256 tokensUsed
    ) external returns (uint256 agptCost);

    /// @notice The same, once for each call id, and within the model's budget of the day. Needs `RELAY_ROLE`.
    /// @dev A repeat with the same arguments changes nothing and returns the cost. Errors besides those above:
    /// `AutoPayLLM_OverBudget`, `AutoPayLLM_CallIdReused`.
    /// @param user Who pays; must have approved this contract
    /// @param provider Name of the provider
    /// @param model Name of the model
    /// @param units Billing units: charge × `TOKENS_PER_AGPT`
    /// @param callId The call, a UUIDv7
    /// @return agptCost What was paid, AGPT wei
    function executeLLMCall(
        address user,
        string calldata provider,
        string calldata model,
        uint256 units,
        bytes16 callId
    ) external returns (uint256 agptCost);

    /// @notice Sets the most that calls may take from the caller's allowance in a UTC day; at first there is no cap.
    /// @dev Holds at once, and counts what calls took earlier on the same day. Errors: `AutoPayLLM_AmountTooLarge`.
    /// @param cap AGPT wei per UTC day, at most 2^96 − 1; `type(uint128).max` for no cap
    function setDailyCap(uint256 cap) external;

    /// @notice Adds to the relay's bond. Anyone may; it goes back to the registered address only.
    /// @dev Errors: `AutoPayLLM_ZeroAmount`, `AutoPayLLM_AmountTooLarge`, those of the token.
    /// @dev Warning: an allowance in AGPT is also what `executeLLMCall` charges. Approve the deposit and no more.
    /// @param token ERC-20 token; needs an allowance
    /// @param amount Atomic units; what arrives is what counts
    function depositBond(address token, uint256 amount) external;

    /// @notice Pays a free part of the bond to the registered address. Needs `RELAY_ROLE`.
    /// @dev Free is what disputes neither hold nor are owed, and unreleased bookings do not need.
    /// Errors: `AutoPayLLM_BondNotFree`, `AutoPayLLM_ZeroAmount`, `AutoPayLLM_Frozen`, `AutoPayLLM_RelaySuspended`,
    /// `AutoPayLLM_PayoutExceeded`.
    /// @param token ERC-20 token
    /// @param amount Atomic units
    function withdrawBond(address token, uint256 amount) external;

    /// @notice Sets where the bond goes back to. Needs `DEFAULT_ADMIN_ROLE`.
    /// @dev Errors: `AutoPayLLM_ZeroAddress`.
    /// @param payout The address
    function setBondPayout(address payout) external;

    /// @notice Holds a part of the bond for a dispute. Needs `DISPUTES_ROLE`.
    /// @param token ERC-20 token
    /// @param amount Atomic units
    /// @return frozen What could be held: at most what is not held already
    function freezeBond(address token, uint256 amount) external returns (uint256 frozen);

    /// @notice Lets go of what `freezeBond` held. Needs `DISPUTES_ROLE`.
    /// @dev Errors: `AutoPayLLM_BondNotFrozen`.
    /// @param token ERC-20 token
    /// @param amount Atomic units, at most what is held
    function thawBond(address token, uint256 amount) external;

    /// @notice Takes a refund and a penalty from the part of the bond that no dispute holds. Needs `DISPUTES_ROLE`.
    /// @dev The refund goes first; what the bond does not have is not taken (nothing else is touched). A refund that
    /// cannot be pushed waits in `claimableRefunds`; a penalty that cannot be pushed stays in the contract for good,
    /// and is nobody's.
    /// Errors: `AutoPayLLM_PayoutExceeded`, `BoundedTransfer_GasTooLow`.
    /// @param token ERC-20 token
    /// @param to Who is refunded
    /// @param refund Atomic units
    /// @param penalty Atomic units, sent to `BURN_ADDRESS`
    /// @return refunded What was refunded, atomic units
    /// @return burned What was burned, atomic units
    function slashBond(
        address token,
        address to,
        uint256 refund,
        uint256 penalty
    ) external returns (uint256 refunded, uint256 burned);

    /// @notice Counts what a dispute could not take of the bond as owed: it stays in the bond, now or once deposited,
    /// before withdrawals and new bookings. Needs `DISPUTES_ROLE`.
    /// @param token ERC-20 token
    /// @param amount Atomic units
    function oweBond(address token, uint256 amount) external;

    /// @notice Counts less as owed: it was slashed meanwhile, or is not due any more. Needs `DISPUTES_ROLE`.
    /// @dev Errors: `AutoPayLLM_BondNotOwed`.
    /// @param token ERC-20 token
    /// @param amount Atomic units, at most what is owed
    function settleOwed(address token, uint256 amount) external;

    /// @notice Stops booking, release, allowance calls and bond withdrawals. Needs `GUARDIAN_ROLE`. Never stops
    /// collecting, payments for single calls, closing, refunds that wait, withdrawals of credits, or disputes.
    /// @dev Freezes and suspensions count separately, each with its own `GUARDIAN_PERIOD`: after a freeze a relay may
    /// still be suspended at once, so that one relay can be stopped for two times `MAX_GUARDIAN_STOP` in a period.
    /// Errors: `AutoPayLLM_GuardianLimit`.
    /// @param durationSeconds 1 … `MAX_GUARDIAN_STOP`; once in `GUARDIAN_PERIOD`
    function freeze(uint64 durationSeconds) external;

    /// @notice Ends a freeze early. Needs `GUARDIAN_ROLE` or `DEFAULT_ADMIN_ROLE`.
    function unfreeze() external;

    /// @notice Stops a relay's account from booking, closing, charging allowances and withdrawing the bond. Needs
    /// `GUARDIAN_ROLE`. It may still collect and accept payments: that only brings money here, and waiting could lose
    /// it.
    /// @dev Suspensions count for each account, and apart from freezes. Errors: `AutoPayLLM_GuardianLimit`.
    /// @param relay The relay's account
    /// @param durationSeconds 1 … `MAX_GUARDIAN_STOP`; once in `GUARDIAN_PERIOD` for each account
    function suspendRelay(address relay, uint64 durationSeconds) external;

    /// @notice Ends a suspension early. Needs `GUARDIAN_ROLE` or `DEFAULT_ADMIN_ROLE`.
    /// @param relay The relay's account
    function reinstateRelay(address relay) external;

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

    /// @notice What calls paid from an allowance have earned a provider, AGPT wei, not withdrawn yet.
    /// @param id `keccak256(abi.encode(user, provider))`, the provider by name
    function apiCredits(bytes32 id) external view returns (uint256);

    /// @notice What a call id paid, AGPT wei; 0 if it did not.
    /// @param callId The call
    function costOfCall(bytes16 callId) external view returns (uint256);

    /// @notice A user's cap, and what calls took today, AGPT wei.
    /// @param user The user
    function dailyCapOf(address user) external view returns (uint256 cap, uint256 spentToday);

    /// @notice The relay's bond in a token.
    /// @param token ERC-20 token
    function bondOf(address token) external view returns (Bond memory);

    /// @notice Booked within budget and not yet released, atomic units: what the bond has to cover.
    /// @param token ERC-20 token
    function unreleased(address token) external view returns (uint256);

    /// @notice Where the bond goes back to.
    function bondPayout() external view returns (address);

    /// @notice Unix seconds until which booking and release are frozen; in the past or 0 if they are not.
    function frozenUntil() external view returns (uint64);

    /// @notice Unix seconds until which a relay is suspended; in the past or 0 if it is not.
    /// @param relay The relay's account
    function suspendedUntil(address relay) external view returns (uint64);

    /// @notice Collected and not yet booked, atomic units.
    /// @param token ERC-20 token
    function unbooked(address token) external view returns (uint256);

    /// @notice What a wallet paid for single calls and was not refunded, atomic units: the most that bookings may still
    /// refund it. What was spent of it stays counted.
    /// @param token ERC-20 token
    /// @param wallet The wallet
    function refundableOf(address token, address wallet) external view returns (uint256);

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

    /// @notice The token of `executeLLMCall`, budgets and votes.
    function agpt() external view returns (IERC20);

    /// @notice Billing units per AGPT.
    function TOKENS_PER_AGPT() external view returns (uint256);

    /// @notice Role of the payment desk: may bring wallets' payments for single calls.
    function DESK_ROLE() external view returns (bytes32);

    /// @notice Role of the disputes contract: may hold and slash the bond.
    function DISPUTES_ROLE() external view returns (bytes32);

    /// @notice Role that may stop booking, release and relays for a short time.
    function GUARDIAN_ROLE() external view returns (bytes32);

    /// @notice Longest stop by the guardian, seconds.
    function MAX_GUARDIAN_STOP() external view returns (uint64);

    /// @notice Time from the beginning of one stop to the next that is allowed, seconds.
    function GUARDIAN_PERIOD() external view returns (uint64);

    /// @notice Where penalties go.
    function BURN_ADDRESS() external view returns (address);
}
