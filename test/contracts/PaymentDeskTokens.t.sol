// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentDesk, SignedPayment} from "../../contracts/interfaces/IPaymentDesk.sol";
import {ITransferWithAuthorization} from "../../contracts/interfaces/ITransferWithAuthorization.sol";
import {DeskFixture} from "./helpers/DeskFixture.sol";
import {AuthorizedFeeToken, AuthorizedReentrantToken, GullibleToken, ThievishToken} from "./mocks/AuthorizedTokens.sol";
import {TestToken} from "./mocks/TestToken.sol";
import {GenerousToken, LyingToken, NoReturnToken, OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

/// @notice The desk and tokens that are not as they should be: what they do wrong stays with them.
contract PaymentDeskTokensTest is DeskFixture {
    /// @dev One unit on the way to the desk, one on the way to AutoPayLLM.
    function test_FeeToken_CountsWhatArrives() external {
        AuthorizedFeeToken dear = new AuthorizedFeeToken();
        dear.mint(payer, 900);
        approvePermit2(dear, payer);
        SignedPayment memory payment = paymentOf(dear, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        bytes memory call = abi.encodeCall(paymentDesk.acceptAuthorization, (payment, signature));
        assertEq(handOnChecked(call, payment, 0), 298, "by EIP-3009");
        assertEq(paymentDesk.receivedOf(address(dear), payer, "one"), 298, "receivedOf");

        payment = paymentOf(dear, 300, "two");
        signature = signUpto(payment, address(paymentDesk), keyOf("payer"));
        call = abi.encodeCall(paymentDesk.acceptUpto, (payment, 100, signature));
        assertEq(handOnChecked(call, payment, 0), 98, "by Permit2");

        payment = paymentOf(dear, 300, "three");
        signature = signExact(payment, keyOf("payer"));
        submitExact(payment, signature);
        call = abi.encodeCall(paymentDesk.attributePermit2, (payment, signature));
        refuseChecked(
            call,
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_PaymentIncomplete.selector, dear, 299, 300)
        );
        dear.mint(address(paymentDesk), 1);
        assertEq(handOnChecked(call, payment, 300), 299, "attributed once what the fee took came after it");
    }

    /// @dev What a token adds was signed by nobody: it is a gift, here and in AutoPayLLM.
    function test_GenerousToken_CountsWhatWasSigned() external {
        GenerousToken generous = new GenerousToken();
        generous.mint(payer, 300);
        approvePermit2(generous, payer);
        SignedPayment memory payment = paymentOf(generous, 300, "one");
        bytes memory signature = signExact(payment, keyOf("payer"));
        vm.prank(relay);
        assertEq(paymentDesk.acceptPermit2(payment, signature), 301, "received, and what AutoPayLLM got more");
        assertEq(generous.balanceOf(address(paymentDesk)), 1, "the gift stays");
    }

    function test_NoReturnToken_IsHandedOn() external {
        NoReturnToken quiet = new NoReturnToken();
        quiet.mint(payer, 300);
        vm.prank(payer);
        quiet.approve(address(PERMIT2), 300);
        SignedPayment memory payment = paymentOf(TestToken(address(quiet)), 300, "one");
        bytes memory call = abi.encodeCall(paymentDesk.acceptPermit2, (payment, signExact(payment, keyOf("payer"))));
        assertEq(handOnChecked(call, payment, 0), 300, "received");
    }

    function test_RevertGiven_TheTokenMovesNothing() external {
        LyingToken liar = new LyingToken(true);
        SignedPayment memory payment = paymentOf(liar, 300, "one");
        bytes memory call = abi.encodeCall(paymentDesk.acceptPermit2, (payment, signExact(payment, keyOf("payer"))));
        refuseChecked(call, payment, abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NothingArrived.selector, liar));
    }

    /// @dev A balance that falls in the middle is no arrival.
    function test_RevertGiven_TheTokenTakesInsteadOfGiving() external {
        ThievishToken thief = new ThievishToken();
        thief.mint(address(paymentDesk), 500);
        SignedPayment memory payment = paymentOf(thief, 300, "one");
        bytes memory call = abi.encodeCall(paymentDesk.acceptAuthorization, (payment, ""));
        refuseChecked(call, payment, abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NothingArrived.selector, thief));
    }

    /// @dev A token that takes more than asked from who sends would take what others left here.
    function test_RevertGiven_TheTokenTakesMoreThanIsHandedOn() external {
        OverchargingToken grabber = new OverchargingToken();
        grabber.mint(payer, 301);
        grabber.mint(address(paymentDesk), 500);
        approvePermit2(grabber, payer);
        grabber.arm();
        SignedPayment memory payment = paymentOf(grabber, 300, "one");
        bytes memory call = abi.encodeCall(paymentDesk.acceptPermit2, (payment, signExact(payment, keyOf("payer"))));
        refuseChecked(
            call,
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_HandoverExceeded.selector, grabber, 301, 300)
        );
    }

    function test_NoFunction_CanBeReentered() external {
        SignedPayment memory inner = paymentOf(usdc, 300, "inner");
        bytes[5] memory payloads = [
            abi.encodeCall(paymentDesk.acceptAuthorization, (inner, signAuthorization(inner, keyOf("payer")))),
            abi.encodeCall(paymentDesk.acceptPermit2, (inner, "")),
            abi.encodeCall(paymentDesk.acceptUpto, (inner, 1, "")),
            abi.encodeCall(paymentDesk.attributeAuthorization, (inner, "")),
            abi.encodeCall(paymentDesk.attributePermit2, (inner, ""))
        ];
        for (uint256 i = 0; i < payloads.length; ++i) {
            ReentrantToken evil = new ReentrantToken();
            evil.mint(payer, 300);
            approvePermit2(evil, payer);
            SignedPayment memory payment = paymentOf(evil, 300, bytes32(i));
            bytes memory call = abi.encodeCall(
                paymentDesk.acceptPermit2,
                (payment, signExact(payment, keyOf("payer")))
            );
            evil.arm(address(paymentDesk), payloads[i]);
            assertEq(handOnChecked(call, payment, 0), 300, "received once");
            assertReentryRefused(evil);
        }
        assertEq(usdc.balanceOf(payer), 1000, "nothing else was taken");
    }

    /// @dev In the middle of the attacker's transfer another's payment arrives: it is not the attacker's.
    function test_Accept_CountsNoPaymentThatArrivesMeanwhile() external {
        AuthorizedReentrantToken hooked = new AuthorizedReentrantToken();
        address victim = wallet("victim");
        hooked.mint(victim, 500);
        hooked.mint(payer, 300);
        SignedPayment memory theirs = paymentOf(hooked, 500, "one");
        theirs.from = victim;
        bytes memory signature = signAuthorization(theirs, keyOf("victim"));
        hooked.arm(
            address(hooked),
            abi.encodeCall(
                ITransferWithAuthorization.transferWithAuthorization,
                (victim, address(paymentDesk), 500, FROM, UNTIL, "one", signature)
            )
        );
        SignedPayment memory ours = paymentOf(hooked, 300, "one");
        bytes memory mine = signAuthorization(ours, keyOf("payer"));
        vm.prank(relay);
        assertEq(paymentDesk.acceptAuthorization(ours, mine), 300, "what the payer signed");
        assertTrue(hooked.called() && hooked.succeeded(), "called back");
        assertEq(autoPay.refundableOf(address(hooked), payer), 300, "and no more");

        bytes memory call = abi.encodeCall(paymentDesk.attributeAuthorization, (theirs, signature));
        assertEq(handOnChecked(call, theirs, 500), 500, "the other's is the other's");
    }

    /// @dev A token of nobody's trust makes worthless credit in itself, and nothing in another.
    function test_WorthlessToken_MakesNothingInOthers() external {
        GullibleToken worthless = new GullibleToken();
        usdc.mint(address(paymentDesk), 500);
        worthless.mint(payer, 300);
        approvePermit2(worthless, payer);
        SignedPayment memory payment = paymentOf(worthless, 300, "one");
        handOnChecked(
            abi.encodeCall(paymentDesk.acceptPermit2, (payment, signExact(payment, keyOf("payer")))),
            payment,
            0
        );
        assertEq(autoPay.unbooked(address(usdc)), 0, "unbooked");
        assertEq(autoPay.refundableOf(address(usdc), payer), 0, "refundable");
        assertEq(usdc.balanceOf(address(paymentDesk)), 500, "untouched");
    }
}
