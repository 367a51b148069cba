// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAutoPayLLM} from "./IAutoPayLLM.sol";
import {IPermit2} from "./IPermit2.sol";
import {IX402ExactPermit2Proxy} from "./IX402ExactPermit2Proxy.sol";
import {IX402UptoPermit2Proxy} from "./IX402UptoPermit2Proxy.sol";

/// @notice A payment that a wallet signed, to the desk.
struct SignedPayment {
    /// @dev ERC-20 token
    address token;
    /// @dev The wallet that pays, and signed
    address from;
    /// @dev Atomic units: what is paid, or in `upto` the most that may be taken
    uint256 amount;
    /// @dev Unix seconds. EIP-3009: it holds after them; Permit2: from them on
    uint256 validAfter;
    /// @dev Unix seconds. EIP-3009: it holds before them; Permit2: until them (`deadline`)
    uint256 validBefore;
    /// @dev Used once by the wallet; in Permit2 a number
    bytes32 nonce;
}

/// @title IPaymentDesk
/// @notice Where payments for single calls arrive: x402 `exact` (EIP-3009 or Permit2) and `upto` (Permit2), MPP
/// `charge` (EIP-3009). It is the receiver that wallets sign (`payTo`, `recipient`), and in `upto` the `facilitator`.
/// What arrives is handed on to AutoPayLLM in the same transaction, where it can be booked, or go back to the wallet.
/// @dev There is no owner, no pause and no upgrade. Needs `DESK_ROLE` of AutoPayLLM.
///
/// What is held: nothing, between transactions, but what others sent here without being asked. That is either an exact
/// payment that somebody submitted before the relay did, which `attributeAuthorization` and `attributePermit2` hand on,
/// or a gift, which nobody can take out again.
///
/// What a relay can do: hand on what wallets signed. It cannot say who paid, how much was signed, or where money goes;
/// in `upto` it says how much is taken, within what was signed. A payment is handed on once.
/// @dev Warning: neither EIP-3009 nor Permit2 tells a nonce that paid the desk from one that was cancelled, or used for
/// another payment. `attribute…` therefore relies on its caller, the relay, having found this payment's transfer to the
/// desk, of this wallet and amount, in the transaction that used the nonce. Whoever steals the key of a relay could claim
/// what lies here for a wallet that signed and cancelled: nothing, as a rule, and never what is in AutoPayLLM. For the
/// same reason `accept…` never attributes by itself: else a wallet that cancels in time would be paid for, and refunded,
/// with another's money.
///
/// Tokens. As in `IAutoPayLLM`. If a token takes a fee, what arrives in AutoPayLLM counts; of what it delivers beyond what
/// was signed nothing is handed on. `attribute…` hands on the whole of what was signed, or nothing.
interface IPaymentDesk {
    /// @notice A payment was taken by its signature and handed on.
    /// @param authority The contract that checked the signature and keeps the nonce: the token (EIP-3009) or Permit2
    /// @param from The wallet that paid
    /// @param nonce Its nonce
    /// @param token ERC-20 token
    /// @param amount What arrived in AutoPayLLM, atomic units
    event PaymentAccepted(
        address indexed authority,
        address indexed from,
        bytes32 indexed nonce,
        address token,
        uint256 amount
    );

    /// @notice A payment that somebody else had submitted was handed on.
    /// @param authority The contract that checked the signature and keeps the nonce: the token (EIP-3009) or Permit2
    /// @param from The wallet that paid
    /// @param nonce Its nonce
    /// @param token ERC-20 token
    /// @param amount What arrived in AutoPayLLM, atomic units
    event PaymentAttributed(
        address indexed authority,
        address indexed from,
        bytes32 indexed nonce,
        address token,
        uint256 amount
    );

    /// @notice A contract of the deployment is the zero address.
    error PaymentDesk_ZeroAddress();
    /// @notice The caller is no relay of AutoPayLLM.
    error PaymentDesk_NotRelay(address caller);
    /// @notice This payment was handed on before; see `receivedOf`.
    error PaymentDesk_AlreadyReceived(address authority, address from, bytes32 nonce);
    /// @notice The amount to take is above what was signed.
    error PaymentDesk_AmountTooHigh(uint256 amount, uint256 maximum);
    /// @notice Nothing arrived.
    error PaymentDesk_NothingArrived(address token);
    /// @notice Less lies here than was signed, so it cannot be this payment, or not the whole of it.
    error PaymentDesk_PaymentIncomplete(address token, uint256 actual, uint256 required);
    /// @notice The nonce is unused, so nobody submitted the payment: accept it.
    error PaymentDesk_NotSubmitted(address authority, address from, bytes32 nonce);
    /// @notice The wallet did not sign this payment.
    error PaymentDesk_InvalidSignature(address from, bytes32 digest);
    /// @notice The token took more from here than was handed on.
    error PaymentDesk_HandoverExceeded(address token, uint256 actual, uint256 required);

    /// @notice Takes a payment by EIP-3009 and hands it on. Needs AutoPayLLM's `RELAY_ROLE`.
    /// @dev As with `IAutoPayLLM.collect`, no freeze or suspension stops this and its likes.
    /// Errors: `PaymentDesk_NotRelay`, `PaymentDesk_AlreadyReceived`, `PaymentDesk_NothingArrived`,
    /// `PaymentDesk_HandoverExceeded`, those of the token (a used nonce above all: then either it was cancelled, or
    /// `attributeAuthorization` is due), those of `IAutoPayLLM.creditPayment`.
    /// @param payment The payment
    /// @param signature Over the token's `TransferWithAuthorization` to this contract
    /// @return received What arrived in AutoPayLLM, atomic units
    function acceptAuthorization(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice Takes a payment by Permit2 and x402's exact proxy and hands it on. Needs AutoPayLLM's `RELAY_ROLE`.
    /// @dev Errors: as `acceptAuthorization`, those of Permit2 and of the proxy in place of the token's.
    /// @param payment The payment
    /// @param signature Over Permit2's `PermitWitnessTransferFrom`; spender: the proxy; witness: this contract and
    /// `validAfter`
    /// @return received What arrived in AutoPayLLM, atomic units
    function acceptPermit2(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice Takes part of a payment by Permit2 and x402's upto proxy and hands it on; the rest stays with the wallet
    /// for good. Needs AutoPayLLM's `RELAY_ROLE`.
    /// @dev Nobody else can submit it: the proxy admits the witness's `facilitator` only, which is this contract.
    /// Errors: as `acceptPermit2`, `PaymentDesk_AmountTooHigh`.
    /// @param payment The payment; its amount is the most that may be taken
    /// @param amount What is taken, atomic units
    /// @param signature Over Permit2's `PermitWitnessTransferFrom`; spender: the proxy; witness: this contract, as
    /// receiver and as facilitator, and `validAfter`
    /// @return received What arrived in AutoPayLLM, atomic units
    function acceptUpto(
        SignedPayment calldata payment,
        uint256 amount,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice Hands on a payment by EIP-3009 that somebody else submitted to the token. Needs AutoPayLLM's
    /// `RELAY_ROLE`. See the warning above.
    /// @dev Of what lies here, what was signed is handed on: no more, and no less. A part would end the payment for good
    /// with the rest unaccounted for, and where the payment itself never came, it would be somebody else's. What a token's
    /// fee took on the way here, anyone may send after it. Times do not matter any more.
    /// Errors: `PaymentDesk_NotRelay`, `PaymentDesk_AlreadyReceived`, `PaymentDesk_NotSubmitted`,
    /// `PaymentDesk_InvalidSignature`, `PaymentDesk_PaymentIncomplete`, `PaymentDesk_NothingArrived` (a payment of nothing),
    /// `PaymentDesk_HandoverExceeded`, those of `IAutoPayLLM.creditPayment`.
    /// @param payment The payment
    /// @param signature As for `acceptAuthorization`; 65 bytes, or what the wallet's ERC-1271 contract still takes
    /// @return received What arrived in AutoPayLLM, atomic units
    function attributeAuthorization(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice Hands on a payment by Permit2 that somebody else submitted to x402's exact proxy. Needs AutoPayLLM's
    /// `RELAY_ROLE`. See the warning above.
    /// @dev Errors: as `attributeAuthorization`.
    /// @param payment The payment
    /// @param signature As for `acceptPermit2`; 65 bytes with a low s, whatever form Permit2 took, or what the wallet's
    /// ERC-1271 contract still takes
    /// @return received What arrived in AutoPayLLM, atomic units
    function attributePermit2(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external returns (uint256 received);

    /// @notice What arrived by a payment, atomic units; 0 if it was not handed on.
    /// @param authority The token (EIP-3009) or Permit2
    /// @param from The wallet that paid
    /// @param nonce Its nonce
    function receivedOf(address authority, address from, bytes32 nonce) external view returns (uint256);

    /// @notice Where the money goes, and whose `RELAY_ROLE` counts.
    function autoPayLLM() external view returns (IAutoPayLLM);

    /// @notice Uniswap's Permit2.
    function permit2() external view returns (IPermit2);

    /// @notice x402's proxy for the scheme `exact`.
    function exactProxy() external view returns (IX402ExactPermit2Proxy);

    /// @notice x402's proxy for the scheme `upto`.
    function uptoProxy() external view returns (IX402UptoPermit2Proxy);

    /// @notice Most gas that a wallet's ERC-1271 contract gets in `attribute…`.
    // solhint-disable-next-line func-name-mixedcase
    function ERC1271_GAS_LIMIT() external view returns (uint256);
}
