// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentDesk, SignedPayment} from "../../contracts/interfaces/IPaymentDesk.sol";
import {UptoWitness} from "../../contracts/interfaces/IX402UptoPermit2Proxy.sol";
import {X402Permit2Proxy} from "../../contracts/mocks/X402Permit2Proxy.sol";
import {X402UptoPermit2Proxy} from "../../contracts/mocks/X402UptoPermit2Proxy.sol";
import {DeskFixture} from "./helpers/DeskFixture.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";

/// @notice Errors and the one more function of Permit2 that these tests meet.
interface IPermit2Part {
    error InvalidNonce();
    error InvalidSigner();
    error SignatureExpired(uint256 signatureDeadline);

    function invalidateUnorderedNonces(uint256 wordPos, uint256 mask) external;
}

contract PaymentDeskPermit2Test is DeskFixture {
    bytes32 private constant NONCE = keccak256("a nonce with many bits");

    bytes private _invalidSigner = abi.encodeWithSelector(IPermit2Part.InvalidSigner.selector);
    bytes private _invalidNonce = abi.encodeWithSelector(IPermit2Part.InvalidNonce.selector);

    function test_AcceptPermit2_HandsOnWhatArrives() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        vm.expectEmit(address(paymentDesk));
        emit IPaymentDesk.PaymentAccepted(address(PERMIT2), payer, NONCE, address(usdc), 300);
        assertEq(handOnChecked(_exact(payment), payment, 0), 300, "received");
        assertEq(usdc.balanceOf(payer), 700, "paid");
        assertEq(usdc.balanceOf(address(autoPay)), 300, "held");
        assertEq(paymentDesk.receivedOf(address(PERMIT2), payer, NONCE), 300, "receivedOf");
        assertEq(paymentDesk.receivedOf(address(usdc), payer, NONCE), 0, "of Permit2 only");
    }

    function testFuzz_AcceptPermit2_HandsOnEveryAmount(uint128 amount, uint128 gift, bytes32 nonce) external {
        vm.assume(amount != 0);
        usdc.mint(payer, amount);
        usdc.mint(address(paymentDesk), gift);
        SignedPayment memory payment = paymentOf(usdc, amount, nonce);
        handOnChecked(_exact(payment), payment, 0);
        assertEq(usdc.balanceOf(address(paymentDesk)), gift, "gifts stay");
    }

    function test_AcceptPermit2_TakesWhatAContractWalletSigned() external {
        Erc1271Wallet smart = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        usdc.mint(address(smart), 600);
        approvePermit2(usdc, address(smart));
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        payment.from = address(smart);
        handOnChecked(abi.encodeCall(paymentDesk.acceptPermit2, (payment, "any")), payment, 0);
        payment.nonce = "two";
        handOnChecked(abi.encodeCall(paymentDesk.acceptUpto, (payment, 100, "any")), payment, 0);
        assertEq(autoPay.refundableOf(address(usdc), address(smart)), 400, "refundable");
    }

    function test_RevertWhen_ThePermitIsNotAsSigned() external {
        SignedPayment memory signed = paymentOf(usdc, 300, NONCE);
        bytes memory exact = signExact(signed, keyOf("payer"));
        bytes memory upto = signUpto(signed, address(paymentDesk), keyOf("payer"));
        for (uint256 i = 0; i < 5; ++i) {
            SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
            if (i == 0) payment.amount = 299;
            if (i == 1) payment.validAfter -= 1;
            if (i == 2) payment.validBefore += 1;
            if (i == 3) payment.nonce = "two";
            if (i == 4) payment.from = wallet("somebody else");
            refuseChecked(abi.encodeCall(paymentDesk.acceptPermit2, (payment, exact)), payment, _invalidSigner);
            refuseChecked(abi.encodeCall(paymentDesk.acceptUpto, (payment, 1, upto)), payment, _invalidSigner);
        }
        // To another receiver; and each scheme's signature is none for the other.
        bytes memory elsewhere = sign(keyOf("payer"), hashExact(signed, address(autoPay)));
        refuseChecked(abi.encodeCall(paymentDesk.acceptPermit2, (signed, elsewhere)), signed, _invalidSigner);
        refuseChecked(abi.encodeCall(paymentDesk.acceptPermit2, (signed, upto)), signed, _invalidSigner);
        refuseChecked(abi.encodeCall(paymentDesk.acceptUpto, (signed, 300, exact)), signed, _invalidSigner);
    }

    function test_RevertGiven_ThePermitDoesNotHoldNow() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        payment.validAfter = START + 1;
        bytes memory tooEarly = abi.encodeWithSelector(X402Permit2Proxy.PaymentTooEarly.selector);
        refuseChecked(_exact(payment), payment, tooEarly);
        refuseChecked(_upto(payment, 1), payment, tooEarly);
        payment.validAfter = FROM;
        payment.validBefore = START - 1;
        bytes memory expired = abi.encodeWithSelector(IPermit2Part.SignatureExpired.selector, START - 1);
        refuseChecked(_exact(payment), payment, expired);
        refuseChecked(_upto(payment, 1), payment, expired);
        // Both bounds belong to the time in which it holds.
        payment.validAfter = START;
        payment.validBefore = START;
        handOnChecked(_exact(payment), payment, 0);
    }

    function test_RevertGiven_TheWalletHasNotApprovedPermit2() external {
        vm.prank(payer);
        usdc.approve(address(PERMIT2), 299);
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        bytes memory refusal = abi.encodeWithSignature("Error(string)", "TRANSFER_FROM_FAILED");
        refuseChecked(_exact(payment), payment, refusal);
        refuseChecked(_upto(payment, 300), payment, refusal);
        handOnChecked(_upto(payment, 299), payment, 0);
    }

    function test_RevertGiven_ThePermitWasReceived() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        handOnChecked(_exact(payment), payment, 0);
        usdc.mint(address(paymentDesk), 300);
        bytes memory refusal = abi.encodeWithSelector(
            IPaymentDesk.PaymentDesk_AlreadyReceived.selector,
            PERMIT2,
            payer,
            NONCE
        );
        refuseChecked(_exact(payment), payment, refusal);
        refuseChecked(_attribute(payment), payment, refusal);
        // Both schemes share Permit2's nonces.
        refuseChecked(_upto(payment, 1), payment, refusal);
    }

    function test_AttributePermit2_HandsOnWhatSomebodyElseSubmitted() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        submitExact(payment, signExact(payment, keyOf("payer")));
        assertEq(usdc.balanceOf(address(paymentDesk)), 300, "lies at the desk");
        refuseChecked(_exact(payment), payment, _invalidNonce);

        vm.warp(UNTIL + 1 days);
        vm.expectEmit(address(paymentDesk));
        emit IPaymentDesk.PaymentAttributed(address(PERMIT2), payer, NONCE, address(usdc), 300);
        assertEq(handOnChecked(_attribute(payment), payment, 300), 300, "received");
        assertEq(paymentDesk.receivedOf(address(PERMIT2), payer, NONCE), 300, "receivedOf");
        usdc.mint(address(paymentDesk), 300);
        refuseChecked(
            _attribute(payment),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_AlreadyReceived.selector, PERMIT2, payer, NONCE)
        );
    }

    function testFuzz_AttributePermit2_LooksAtTheNonceItself(uint256 nonce, uint256 other) external {
        vm.assume(nonce != other);
        SignedPayment memory payment = paymentOf(usdc, 300, bytes32(nonce));
        usdc.mint(address(paymentDesk), 300);
        vm.prank(payer);
        IPermit2Part(address(PERMIT2)).invalidateUnorderedNonces(other >> 8, 1 << (other & 0xff));
        refuseChecked(
            _attribute(payment),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NotSubmitted.selector, PERMIT2, payer, nonce)
        );
        submitExact(payment, signExact(payment, keyOf("payer")));
        handOnChecked(_attribute(payment), payment, 300);
    }

    function test_RevertWhen_TheWalletDidNotSignThePermitThatIsAttributed() external {
        SignedPayment memory signed = paymentOf(usdc, 300, NONCE);
        bytes memory signature = signExact(signed, keyOf("payer"));
        submitExact(signed, signature);
        usdc.mint(address(paymentDesk), 300);
        for (uint256 i = 0; i < 4; ++i) {
            SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
            if (i == 0) payment.amount = 600;
            if (i == 1) payment.validAfter -= 1;
            if (i == 2) payment.validBefore += 1;
            if (i == 3) payment.token = address(token);
            bytes32 digest = hashExact(payment, address(paymentDesk));
            refuseChecked(
                abi.encodeCall(paymentDesk.attributePermit2, (payment, signature)),
                payment,
                abi.encodeWithSelector(IPaymentDesk.PaymentDesk_InvalidSignature.selector, payer, digest)
            );
        }
        bytes32 expected = hashExact(signed, address(paymentDesk));
        bytes memory refusal = abi.encodeWithSelector(
            IPaymentDesk.PaymentDesk_InvalidSignature.selector,
            payer,
            expected
        );
        // Of the relay; to another receiver; for the other scheme.
        bytes[3] memory others = [
            sign(keyOf("relay"), expected),
            sign(keyOf("payer"), hashExact(signed, address(autoPay))),
            signUpto(signed, address(paymentDesk), keyOf("payer"))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            refuseChecked(abi.encodeCall(paymentDesk.attributePermit2, (signed, others[i])), signed, refusal);
        }
    }

    function test_RevertGiven_ThePermitWasCancelled() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        vm.prank(payer);
        IPermit2Part(address(PERMIT2)).invalidateUnorderedNonces(uint256(NONCE) >> 8, type(uint256).max);
        refuseChecked(_exact(payment), payment, _invalidNonce);
        refuseChecked(_upto(payment, 1), payment, _invalidNonce);
        refuseChecked(
            _attribute(payment),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_PaymentIncomplete.selector, usdc, 0, 300)
        );
        // What lies here of another's is no part of it.
        usdc.mint(address(paymentDesk), 299);
        refuseChecked(
            _attribute(payment),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_PaymentIncomplete.selector, usdc, 299, 300)
        );
    }

    function test_AcceptUpto_TakesWhatWasCharged() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        vm.expectEmit(address(paymentDesk));
        emit IPaymentDesk.PaymentAccepted(address(PERMIT2), payer, NONCE, address(usdc), 120);
        assertEq(handOnChecked(_upto(payment, 120), payment, 0), 120, "received");
        assertEq(usdc.balanceOf(payer), 880, "the rest stays with the payer");
        assertEq(paymentDesk.receivedOf(address(PERMIT2), payer, NONCE), 120, "receivedOf");
        // For good: one permit, one use.
        refuseChecked(
            _upto(payment, 180),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_AlreadyReceived.selector, PERMIT2, payer, NONCE)
        );
    }

    function testFuzz_AcceptUpto_TakesAnyPart(uint128 maximum, uint128 charge, uint128 gift, bytes32 nonce) external {
        vm.assume(maximum != 0);
        uint256 amount = bound(charge, 1, maximum);
        usdc.mint(payer, maximum);
        usdc.mint(address(paymentDesk), gift);
        SignedPayment memory payment = paymentOf(usdc, maximum, nonce);
        assertEq(handOnChecked(_upto(payment, amount), payment, 0), amount, "received");
        assertEq(usdc.balanceOf(payer), uint256(maximum) + 1000 - amount, "the rest stays");
    }

    function test_RevertWhen_MoreIsTakenThanWasSigned() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        refuseChecked(
            _upto(payment, 301),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_AmountTooHigh.selector, 301, 300)
        );
        handOnChecked(_upto(payment, 300), payment, 0);
    }

    function test_RevertWhen_NothingIsTaken() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        refuseChecked(
            _upto(payment, 0),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NothingArrived.selector, usdc)
        );
        // The permit was not used up by it.
        handOnChecked(_upto(payment, 1), payment, 0);
    }

    /// @dev Nobody but the desk can settle what names the desk, and the desk settles only what names it.
    function test_RevertWhen_TheFacilitatorIsAnother() external {
        SignedPayment memory payment = paymentOf(usdc, 300, NONCE);
        bytes memory ours = signUpto(payment, address(paymentDesk), keyOf("payer"));
        address[2] memory strangers = [relay, wallet("stranger")];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(X402UptoPermit2Proxy.UnauthorizedFacilitator.selector));
            vm.prank(strangers[i]);
            UPTO_PROXY.settle(
                permitOf(payment),
                300,
                payer,
                UptoWitness(address(paymentDesk), address(paymentDesk), FROM),
                ours
            );
            vm.expectRevert(_invalidSigner);
            vm.prank(strangers[i]);
            UPTO_PROXY.settle(
                permitOf(payment),
                300,
                payer,
                UptoWitness(address(paymentDesk), strangers[i], FROM),
                ours
            );
            bytes memory theirs = signUpto(payment, strangers[i], keyOf("payer"));
            refuseChecked(abi.encodeCall(paymentDesk.acceptUpto, (payment, 300, theirs)), payment, _invalidSigner);
        }
        handOnChecked(abi.encodeCall(paymentDesk.acceptUpto, (payment, 300, ours)), payment, 0);
    }

    function _exact(SignedPayment memory payment) private view returns (bytes memory) {
        return abi.encodeCall(paymentDesk.acceptPermit2, (payment, signExact(payment, keyOf("payer"))));
    }

    function _upto(SignedPayment memory payment, uint256 amount) private view returns (bytes memory) {
        bytes memory signature = signUpto(payment, address(paymentDesk), keyOf("payer"));
        return abi.encodeCall(paymentDesk.acceptUpto, (payment, amount, signature));
    }

    function _attribute(SignedPayment memory payment) private view returns (bytes memory) {
        return abi.encodeCall(paymentDesk.attributePermit2, (payment, signExact(payment, keyOf("payer"))));
    }
}
