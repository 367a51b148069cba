// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PaymentDesk} from "../../../contracts/PaymentDesk.sol";
import {SignedPayment} from "../../../contracts/interfaces/IPaymentDesk.sol";
import {PermitTransferFrom, TokenPermissions} from "../../../contracts/interfaces/IPermit2.sol";
import {ExactWitness} from "../../../contracts/interfaces/IX402ExactPermit2Proxy.sol";
import {AuthorizedToken} from "../mocks/AuthorizedTokens.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {BusinessFixture} from "./BusinessFixture.sol";
import {Permit2Fixture} from "./Permit2Fixture.sol";

/// @notice The real desk of a real AutoPayLLM, with Permit2 and the proxies; payments, their signatures, and helpers
/// that act and check.
abstract contract DeskFixture is BusinessFixture, Permit2Fixture {
    uint256 internal constant FROM = START - 1;
    uint256 internal constant UNTIL = START + 1 days;

    PaymentDesk internal paymentDesk;
    AuthorizedToken internal usdc;

    function setUp() public virtual override {
        super.setUp();
        placePermit2();
        paymentDesk = PaymentDesk(create("PaymentDesk", abi.encode(autoPay, PERMIT2, EXACT_PROXY, UPTO_PROXY)));
        autoPay.revokeRole(autoPay.DESK_ROLE(), desk);
        autoPay.grantRole(autoPay.DESK_ROLE(), address(paymentDesk));
        usdc = new AuthorizedToken();
        usdc.mint(payer, 1000);
        approvePermit2(usdc, payer);
    }

    /// @dev Lets Permit2 take an owner's tokens, as every wallet that uses it has to.
    function approvePermit2(TestToken currency, address owner) internal {
        vm.prank(owner);
        currency.approve(address(PERMIT2), type(uint256).max);
    }

    /// @dev A payment of the payer, unsigned.
    function paymentOf(TestToken currency, uint256 amount, bytes32 nonce) internal view returns (SignedPayment memory) {
        return SignedPayment(address(currency), payer, amount, FROM, UNTIL, nonce);
    }

    /// @dev Over EIP-3009, with a key.
    function signAuthorization(SignedPayment memory payment, uint256 key) internal view returns (bytes memory) {
        return sign(key, hashAuthorization(payment, address(paymentDesk)));
    }

    /// @dev What is signed by EIP-3009, to any receiver.
    function hashAuthorization(SignedPayment memory payment, address to) internal view returns (bytes32) {
        return
            AuthorizedToken(payment.token).hashTransfer(
                payment.from,
                to,
                payment.amount,
                payment.validAfter,
                payment.validBefore,
                payment.nonce
            );
    }

    /// @dev Over Permit2 for x402 `exact`, with a key.
    function signExact(SignedPayment memory payment, uint256 key) internal view returns (bytes memory) {
        return sign(key, hashExact(payment, address(paymentDesk)));
    }

    /// @dev What is signed for x402 `exact`, to any receiver.
    function hashExact(SignedPayment memory payment, address to) internal view returns (bytes32) {
        return
            hashPermit(
                payment.token,
                payment.amount,
                address(EXACT_PROXY),
                uint256(payment.nonce),
                payment.validBefore,
                "Witness(address to,uint256 validAfter)",
                abi.encode(to, payment.validAfter)
            );
    }

    /// @dev Over Permit2 for x402 `upto`, with a key, for any facilitator.
    function signUpto(
        SignedPayment memory payment,
        address facilitator,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes32 digest = hashPermit(
            payment.token,
            payment.amount,
            address(UPTO_PROXY),
            uint256(payment.nonce),
            payment.validBefore,
            "Witness(address to,address facilitator,uint256 validAfter)",
            abi.encode(address(paymentDesk), facilitator, payment.validAfter)
        );
        return sign(key, digest);
    }

    /// @dev What anybody who sees an EIP-3009 payment can do.
    function submitAuthorization(SignedPayment memory payment, bytes memory signature) internal {
        uint256 held = usdc.balanceOf(address(paymentDesk));
        AuthorizedToken(payment.token).transferWithAuthorization(
            payment.from,
            address(paymentDesk),
            payment.amount,
            payment.validAfter,
            payment.validBefore,
            payment.nonce,
            signature
        );
        if (payment.token == address(usdc)) {
            assertEq(usdc.balanceOf(address(paymentDesk)) - held, payment.amount, "lies at the desk");
        }
    }

    /// @dev What anybody who sees a Permit2 payment can do.
    function submitExact(SignedPayment memory payment, bytes memory signature) internal {
        EXACT_PROXY.settle(
            permitOf(payment),
            payment.from,
            ExactWitness(address(paymentDesk), payment.validAfter),
            signature
        );
    }

    /// @dev The payment in the words of Permit2.
    function permitOf(SignedPayment memory payment) internal pure returns (PermitTransferFrom memory) {
        return
            PermitTransferFrom(
                TokenPermissions(payment.token, payment.amount),
                uint256(payment.nonce),
                payment.validBefore
            );
    }

    /// @dev Calls the desk as the relay; checks that what it answers was credited to who paid, and that the desk holds
    /// what it held, less what it attributed.
    function handOnChecked(
        bytes memory call,
        SignedPayment memory payment,
        uint256 attributed
    ) internal returns (uint256 received) {
        TestToken currency = TestToken(payment.token);
        uint256 held = currency.balanceOf(address(paymentDesk));
        uint256 unbooked = autoPay.unbooked(payment.token);
        uint256 refundable = autoPay.refundableOf(payment.token, payment.from);
        vm.prank(relay);
        (bool done, bytes memory answer) = address(paymentDesk).call(call);
        assertTrue(done, "accepted");
        received = abi.decode(answer, (uint256));
        assertEq(autoPay.unbooked(payment.token) - unbooked, received, "unbooked");
        assertEq(autoPay.refundableOf(payment.token, payment.from) - refundable, received, "refundable");
        assertEq(currency.balanceOf(address(paymentDesk)), held - attributed, "the desk keeps nothing");
        assertEq(currency.allowance(address(paymentDesk), address(autoPay)), 0, "no allowance is left");
    }

    /// @dev Calls the desk as the relay, which must refuse with this error, and change nothing.
    function refuseChecked(bytes memory call, SignedPayment memory payment, bytes memory refusal) internal {
        uint256 unbooked = autoPay.unbooked(payment.token);
        uint256 paid = TestToken(payment.token).balanceOf(payment.from);
        vm.prank(relay);
        (bool done, bytes memory answer) = address(paymentDesk).call(call);
        assertEq(done, false, "refused");
        assertEq(keccak256(answer), keccak256(refusal), "with this error");
        assertEq(autoPay.unbooked(payment.token), unbooked, "nothing was counted");
        assertEq(TestToken(payment.token).balanceOf(payment.from), paid, "nothing was taken");
    }
}
