// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IAutoPayLLM, Refund} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {IPaymentDesk, SignedPayment} from "../../contracts/interfaces/IPaymentDesk.sol";
import {PaymentDesk} from "../../contracts/PaymentDesk.sol";
import {DeskFixture} from "./helpers/DeskFixture.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";

contract PaymentDeskTest is DeskFixture {
    function test_RevertWhen_AContractIsTheZeroAddress() external {
        for (uint256 i = 0; i < 4; ++i) {
            // Anew each time: arrays in memory are assigned by reference.
            address[4] memory parts = [address(autoPay), address(PERMIT2), address(EXACT_PROXY), address(UPTO_PROXY)];
            parts[i] = address(0);
            try this.deployDesk(parts) {
                assertTrue(false, "refused");
            } catch (bytes memory refusal) {
                assertEq(
                    keccak256(refusal),
                    keccak256(abi.encodeWithSelector(IPaymentDesk.PaymentDesk_ZeroAddress.selector)),
                    "with this error"
                );
            }
        }
    }

    function test_Constructor_KeepsItsContracts() external {
        assertEq(address(paymentDesk.autoPayLLM()), address(autoPay), "autoPayLLM");
        assertEq(address(paymentDesk.permit2()), address(PERMIT2), "permit2");
        assertEq(address(paymentDesk.exactProxy()), address(EXACT_PROXY), "exactProxy");
        assertEq(address(paymentDesk.uptoProxy()), address(UPTO_PROXY), "uptoProxy");
        assertEq(paymentDesk.ERC1271_GAS_LIMIT(), 200_000, "ERC1271_GAS_LIMIT");
        // Whatever they are: only the zero address is refused.
        address one = address(1);
        PaymentDesk other = PaymentDesk(create("PaymentDesk", abi.encode(one, one, one, one)));
        assertEq(address(other.permit2()), one, "any address");
    }

    function test_RevertWhen_TheCallerIsNoRelay() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes[5] memory calls = [
            abi.encodeCall(paymentDesk.acceptAuthorization, (payment, signAuthorization(payment, keyOf("payer")))),
            abi.encodeCall(paymentDesk.acceptPermit2, (payment, signExact(payment, keyOf("payer")))),
            abi.encodeCall(
                paymentDesk.acceptUpto,
                (payment, 300, signUpto(payment, address(paymentDesk), keyOf("payer")))
            ),
            abi.encodeCall(paymentDesk.attributeAuthorization, (payment, "")),
            abi.encodeCall(paymentDesk.attributePermit2, (payment, ""))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            // The payer, the admin of AutoPayLLM (this contract) and AutoPayLLM itself are no relays.
            address[3] memory callers = [payer, address(this), address(autoPay)];
            for (uint256 j = 0; j < callers.length; ++j) {
                vm.prank(callers[j]);
                (bool done, bytes memory answer) = address(paymentDesk).call(calls[i]);
                assertEq(done, false, "refused");
                assertEq(
                    keccak256(answer),
                    keccak256(abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NotRelay.selector, callers[j])),
                    "with this error"
                );
            }
        }
        assertEq(usdc.balanceOf(payer), 1000, "nothing was taken");
    }

    function test_AcceptAuthorization_HandsOnWhatArrives() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.PaymentCredited(address(usdc), payer, 300, 300);
        vm.expectEmit(address(paymentDesk));
        emit IPaymentDesk.PaymentAccepted(address(usdc), payer, "one", address(usdc), 300);
        assertEq(handOnChecked(_accept(payment, signature), payment, 0), 300, "received");
        assertEq(usdc.balanceOf(payer), 700, "paid");
        assertEq(usdc.balanceOf(address(autoPay)), 300, "held");
        assertEq(paymentDesk.receivedOf(address(usdc), payer, "one"), 300, "receivedOf");

        payment = paymentOf(usdc, 50, "two");
        handOnChecked(_accept(payment, signAuthorization(payment, keyOf("payer"))), payment, 0);
        assertEq(autoPay.refundableOf(address(usdc), payer), 350, "refundable");
        assertEq(autoPay.refundableOf(address(usdc), address(paymentDesk)), 0, "to nobody else");
    }

    function testFuzz_AcceptAuthorization_HandsOnEveryAmount(uint128 amount, uint128 gift, bytes32 nonce) external {
        vm.assume(amount != 0);
        usdc.mint(payer, amount);
        usdc.mint(address(paymentDesk), gift);
        SignedPayment memory payment = paymentOf(usdc, amount, nonce);
        handOnChecked(_accept(payment, signAuthorization(payment, keyOf("payer"))), payment, 0);
        assertEq(paymentDesk.receivedOf(address(usdc), payer, nonce), amount, "receivedOf");
        assertEq(usdc.balanceOf(address(paymentDesk)), gift, "gifts stay");
    }

    function test_AcceptAuthorization_TakesWhatAContractWalletSigned() external {
        Erc1271Wallet smart = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        usdc.mint(address(smart), 300);
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        payment.from = address(smart);
        handOnChecked(_accept(payment, "any"), payment, 0);
        assertEq(autoPay.refundableOf(address(usdc), address(smart)), 300, "refundable");

        smart.setMode(Erc1271Wallet.Mode.Refuses);
        payment.nonce = "two";
        refuseChecked(
            _accept(payment, "any"),
            payment,
            abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector)
        );
    }

    /// @dev Custody is nothing that a guardian could stop.
    function test_Accept_WorksDuringAFreezeAndASuspension() external {
        vm.prank(guardian);
        autoPay.freeze(1 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 1 days);
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        handOnChecked(_accept(payment, signAuthorization(payment, keyOf("payer"))), payment, 0);
    }

    function test_RevertWhen_TheAuthorizationIsNotAsSigned() external {
        SignedPayment memory signed = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(signed, keyOf("payer"));
        for (uint256 i = 0; i < 5; ++i) {
            SignedPayment memory payment = paymentOf(usdc, 300, "one");
            if (i == 0) payment.amount = 299;
            if (i == 1) payment.validAfter -= 1;
            if (i == 2) payment.validBefore += 1;
            if (i == 3) payment.nonce = "two";
            if (i == 4) payment.from = wallet("somebody else");
            refuseChecked(
                _accept(payment, signature),
                payment,
                abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector)
            );
        }
        // To another receiver than the desk.
        refuseChecked(
            _accept(signed, sign(keyOf("payer"), hashAuthorization(signed, address(autoPay)))),
            signed,
            abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector)
        );
    }

    function test_RevertGiven_TheAuthorizationDoesNotHoldNow() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        payment.validAfter = START;
        refuseChecked(
            _accept(payment, signAuthorization(payment, keyOf("payer"))),
            payment,
            abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, START, UNTIL)
        );
        payment.validAfter = FROM;
        payment.validBefore = START;
        refuseChecked(
            _accept(payment, signAuthorization(payment, keyOf("payer"))),
            payment,
            abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, FROM, START)
        );
    }

    function test_RevertGiven_TheWalletHasTooLittle() external {
        SignedPayment memory payment = paymentOf(usdc, 1001, "one");
        refuseChecked(
            _accept(payment, signAuthorization(payment, keyOf("payer"))),
            payment,
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, payer, 1000, 1001)
        );
    }

    function test_RevertWhen_ThePaymentIsOfNothing() external {
        SignedPayment memory payment = paymentOf(usdc, 0, "one");
        refuseChecked(
            _accept(payment, signAuthorization(payment, keyOf("payer"))),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NothingArrived.selector, usdc)
        );
    }

    function test_RevertGiven_TheAuthorizationWasReceived() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        handOnChecked(_accept(payment, signature), payment, 0);
        // Neither again, nor as if somebody else had submitted it, though there is money here.
        usdc.mint(address(paymentDesk), 300);
        bytes memory refusal = abi.encodeWithSelector(
            IPaymentDesk.PaymentDesk_AlreadyReceived.selector,
            usdc,
            payer,
            bytes32("one")
        );
        refuseChecked(_accept(payment, signature), payment, refusal);
        refuseChecked(_attribute(payment, signature), payment, refusal);
    }

    /// @dev The payer's money is not lost, nor the relay's claim; and nobody gains anything by it.
    function test_AttributeAuthorization_HandsOnWhatSomebodyElseSubmitted() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        submitAuthorization(payment, signature);
        refuseChecked(
            _accept(payment, signature),
            payment,
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, bytes32("one"))
        );
        assertEq(autoPay.refundableOf(address(usdc), payer), 0, "not refundable yet");

        vm.warp(UNTIL + 1 days);
        vm.expectEmit(address(paymentDesk));
        emit IPaymentDesk.PaymentAttributed(address(usdc), payer, "one", address(usdc), 300);
        assertEq(handOnChecked(_attribute(payment, signature), payment, 300), 300, "received");
        assertEq(paymentDesk.receivedOf(address(usdc), payer, "one"), 300, "receivedOf");
        assertEq(usdc.balanceOf(address(paymentDesk)), 0, "empty");
        usdc.mint(address(paymentDesk), 300);
        refuseChecked(
            _attribute(payment, signature),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_AlreadyReceived.selector, usdc, payer, bytes32("one"))
        );
    }

    function testFuzz_AttributeAuthorization_GivesEachPayerItsOwn(uint64[3] calldata amounts, uint256 order) external {
        SignedPayment[3] memory payments;
        bytes[3] memory signatures;
        for (uint256 i = 0; i < 3; ++i) {
            string memory name = vm.toString(i);
            payments[i] = paymentOf(usdc, uint256(amounts[i]) + 1, "one");
            payments[i].from = wallet(name);
            usdc.mint(payments[i].from, payments[i].amount);
            signatures[i] = signAuthorization(payments[i], keyOf(name));
            submitAuthorization(payments[i], signatures[i]);
        }
        for (uint256 i = 0; i < 3; ++i) {
            uint256 index = ((order % 3) + i) % 3;
            handOnChecked(_attribute(payments[index], signatures[index]), payments[index], payments[index].amount);
            assertEq(autoPay.refundableOf(address(usdc), payments[index].from), payments[index].amount, "each its own");
        }
        assertEq(usdc.balanceOf(address(paymentDesk)), 0, "empty");
    }

    function test_AttributeAuthorization_TakesNoMoreThanWasSigned() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        usdc.mint(address(paymentDesk), 500);
        submitAuthorization(payment, signature);
        assertEq(handOnChecked(_attribute(payment, signature), payment, 300), 300, "received");
        assertEq(usdc.balanceOf(address(paymentDesk)), 500, "gifts stay");
    }

    function test_AttributeAuthorization_TakesWhatAContractWalletStillSigns() external {
        Erc1271Wallet smart = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        usdc.mint(address(smart), 300);
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        payment.from = address(smart);
        submitAuthorization(payment, "any");
        bytes32 digest = hashAuthorization(payment, address(paymentDesk));
        Erc1271Wallet.Mode[5] memory modes = [
            Erc1271Wallet.Mode.Refuses,
            Erc1271Wallet.Mode.Reverts,
            Erc1271Wallet.Mode.BurnsGas,
            Erc1271Wallet.Mode.ReturnBomb,
            Erc1271Wallet.Mode.ShortAnswer
        ];
        for (uint256 i = 0; i < modes.length; ++i) {
            smart.setMode(modes[i]);
            refuseChecked(
                _attribute(payment, "any"),
                payment,
                abi.encodeWithSelector(IPaymentDesk.PaymentDesk_InvalidSignature.selector, smart, digest)
            );
        }
        smart.setMode(Erc1271Wallet.Mode.Accepts);
        handOnChecked(_attribute(payment, "any"), payment, 300);
    }

    function test_RevertGiven_NobodySubmittedTheAuthorization() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        usdc.mint(address(paymentDesk), 300);
        refuseChecked(
            _attribute(payment, signature),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NotSubmitted.selector, usdc, payer, bytes32("one"))
        );
    }

    function test_RevertWhen_TheWalletDidNotSignWhatIsAttributed() external {
        SignedPayment memory signed = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(signed, keyOf("payer"));
        submitAuthorization(signed, signature);
        usdc.mint(address(paymentDesk), 300);
        for (uint256 i = 0; i < 3; ++i) {
            SignedPayment memory payment = paymentOf(usdc, 300, "one");
            if (i == 0) payment.amount = 600;
            if (i == 1) payment.validAfter -= 1;
            if (i == 2) payment.validBefore += 1;
            bytes32 digest = hashAuthorization(payment, address(paymentDesk));
            refuseChecked(
                _attribute(payment, signature),
                payment,
                abi.encodeWithSelector(IPaymentDesk.PaymentDesk_InvalidSignature.selector, payer, digest)
            );
        }
        // The relay's signature is not the payer's; and one to another receiver is none for the desk.
        bytes32 expected = hashAuthorization(signed, address(paymentDesk));
        bytes memory refusal = abi.encodeWithSelector(
            IPaymentDesk.PaymentDesk_InvalidSignature.selector,
            payer,
            expected
        );
        refuseChecked(_attribute(signed, sign(keyOf("relay"), expected)), signed, refusal);
        bytes32 elsewhere = hashAuthorization(signed, address(autoPay));
        refuseChecked(_attribute(signed, sign(keyOf("payer"), elsewhere)), signed, refusal);
    }

    /// @dev A wallet that cancels in time has not paid: the relay finds nothing here.
    function test_RevertGiven_TheAuthorizationWasCancelled() external {
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        usdc.cancel(payer, "one");
        refuseChecked(
            _accept(payment, signature),
            payment,
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, bytes32("one"))
        );
        refuseChecked(
            _attribute(payment, signature),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_PaymentIncomplete.selector, usdc, 0, 300)
        );
    }

    /// @dev A part of it is somebody else's: that it takes nothing of it, and takes all once it is whole.
    function testFuzz_RevertGiven_LessLiesHereThanWasSigned(uint128 amount, uint256 missing) external {
        amount = uint128(bound(amount, 1, type(uint128).max));
        missing = bound(missing, 1, amount);
        usdc.mint(payer, amount);
        SignedPayment memory payment = paymentOf(usdc, amount, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        usdc.cancel(payer, "one");
        usdc.mint(address(paymentDesk), amount - missing);
        refuseChecked(
            _attribute(payment, signature),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_PaymentIncomplete.selector, usdc, amount - missing, amount)
        );
        usdc.mint(address(paymentDesk), missing);
        assertEq(handOnChecked(_attribute(payment, signature), payment, amount), amount, "whole, and handed on");
    }

    function test_RevertWhen_AttributingAPaymentOfNothing() external {
        SignedPayment memory payment = paymentOf(usdc, 0, "one");
        bytes memory signature = signAuthorization(payment, keyOf("payer"));
        submitAuthorization(payment, signature);
        usdc.mint(address(paymentDesk), 300);
        refuseChecked(
            _attribute(payment, signature),
            payment,
            abi.encodeWithSelector(IPaymentDesk.PaymentDesk_NothingArrived.selector, usdc)
        );
    }

    /// @dev The case that `IPaymentDesk` warns of: why acceptance never attributes, and what a relay has to look at.
    function test_Accept_NeverPaysForACancelledPaymentWithAnothers() external {
        SignedPayment memory honest = paymentOf(usdc, 300, "one");
        honest.from = wallet("honest");
        usdc.mint(honest.from, 300);
        bytes memory signature = signAuthorization(honest, keyOf("honest"));
        submitAuthorization(honest, signature);

        SignedPayment memory cancelled = paymentOf(usdc, 300, "one");
        bytes memory worthless = signAuthorization(cancelled, keyOf("payer"));
        usdc.cancel(payer, "one");
        refuseChecked(
            _accept(cancelled, worthless),
            cancelled,
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, bytes32("one"))
        );
        handOnChecked(_attribute(honest, signature), honest, 300);
    }

    /// @dev A relay's key, whoever has it, gives a wallet back what that wallet paid, and no more.
    function test_Refunds_AreAtMostWhatTheWalletPaid() external {
        collectChecked(usdc, "salt", 5000);
        SignedPayment memory payment = paymentOf(usdc, 300, "one");
        handOnChecked(_accept(payment, signAuthorization(payment, keyOf("payer"))), payment, 0);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NotRefundable.selector, usdc, payer, 301, 300));
        vm.prank(relay);
        autoPay.book(address(usdc), noSpends, refundTo(payer, 301), 0);
        Refund[] memory refunds = refundTo(payer, 300);
        vm.prank(relay);
        autoPay.book(address(usdc), noSpends, refunds, 0);
        assertEq(usdc.balanceOf(payer), 1000, "all of it");
    }

    /// @dev Called from outside, so that a test can catch it.
    function deployDesk(address[4] calldata parts) external {
        create("PaymentDesk", abi.encode(parts[0], parts[1], parts[2], parts[3]));
    }

    function _accept(SignedPayment memory payment, bytes memory signature) private view returns (bytes memory) {
        return abi.encodeCall(paymentDesk.acceptAuthorization, (payment, signature));
    }

    function _attribute(SignedPayment memory payment, bytes memory signature) private view returns (bytes memory) {
        return abi.encodeCall(paymentDesk.attributeAuthorization, (payment, signature));
    }
}
