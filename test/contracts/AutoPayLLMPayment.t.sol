// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {AuthorizedFeeToken, AuthorizedReentrantToken, AuthorizedToken} from "./mocks/AuthorizedTokens.sol";

contract AutoPayLLMPaymentTest is BusinessFixture {
    uint256 private constant UNTIL = START + 1 days;

    AuthorizedToken private _usdc;

    function setUp() public override {
        super.setUp();
        _usdc = new AuthorizedToken();
        _usdc.mint(payer, 1000);
    }

    function test_AcceptPayment_CountsWhatArrives() external {
        bytes memory signature = _authorize(_usdc, 300, "one");
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.PaymentAccepted(address(_usdc), payer, "one", 300, 300);
        vm.prank(relay);
        assertEq(
            autoPay.acceptPayment(address(_usdc), payer, 300, START - 1, UNTIL, "one", signature),
            300,
            "received"
        );
        assertEq(_usdc.balanceOf(payer), 700, "paid");
        assertEq(_usdc.balanceOf(address(autoPay)), 300, "held");

        signature = _authorize(_usdc, 50, "two");
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.PaymentAccepted(address(_usdc), payer, "two", 50, 350);
        vm.prank(relay);
        autoPay.acceptPayment(address(_usdc), payer, 50, START - 1, UNTIL, "two", signature);
        assertEq(autoPay.unbooked(address(_usdc)), 350, "unbooked");
        assertEq(autoPay.refundableOf(address(_usdc), payer), 350, "refundable");
        assertEq(autoPay.refundableOf(address(_usdc), relay), 0, "to nobody else");
    }

    function test_AcceptPayment_CountsLessIfTheTokenTakesAFee() external {
        AuthorizedFeeToken dear = new AuthorizedFeeToken();
        dear.mint(payer, 300);
        bytes memory signature = _authorize(dear, 300, "one");
        vm.prank(relay);
        assertEq(autoPay.acceptPayment(address(dear), payer, 300, START - 1, UNTIL, "one", signature), 299, "received");
        assertEq(autoPay.unbooked(address(dear)), 299, "unbooked");
        assertEq(autoPay.refundableOf(address(dear), payer), 299, "refundable");
    }

    function test_AcceptPayment_IgnoresDonations() external {
        token.mint(address(autoPay), 1000);
        acceptChecked(token, payer, 200);
    }

    function test_RevertWhen_ThePaymentIsZero() external {
        bytes memory signature = _authorize(_usdc, 0, "one");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAmount.selector));
        vm.prank(relay);
        autoPay.acceptPayment(address(_usdc), payer, 0, START - 1, UNTIL, "one", signature);
    }

    function test_RevertWhen_ThePaymentIsNotAsSigned() external {
        bytes memory signature = _authorize(_usdc, 300, "one");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        vm.prank(relay);
        autoPay.acceptPayment(address(_usdc), payer, 301, START - 1, UNTIL, "one", signature);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        vm.prank(relay);
        autoPay.acceptPayment(address(_usdc), payer, 300, START, UNTIL, "one", signature);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        vm.prank(relay);
        autoPay.acceptPayment(address(_usdc), payer, 300, START - 1, UNTIL + 1, "one", signature);
    }

    /// @dev Whoever else submits the authorization brings the money here uncounted: it makes no refund possible.
    function test_RevertGiven_SomebodyElseSubmittedThePayment() external {
        bytes memory signature = _authorize(_usdc, 300, "one");
        _usdc.transferWithAuthorization(payer, address(autoPay), 300, START - 1, UNTIL, "one", signature);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, bytes32("one")));
        vm.prank(relay);
        autoPay.acceptPayment(address(_usdc), payer, 300, START - 1, UNTIL, "one", signature);
        assertEq(autoPay.unbooked(address(_usdc)), 0, "unbooked");
        assertEq(autoPay.refundableOf(address(_usdc), payer), 0, "refundable");
    }

    function test_RevertWhen_ThePaymentsCallerIsNotTheRelay() external {
        bytes memory signature = _authorize(_usdc, 300, "one");
        vm.expectRevert(missingRole(payer, autoPay.RELAY_ROLE()));
        vm.prank(payer);
        autoPay.acceptPayment(address(_usdc), payer, 300, START - 1, UNTIL, "one", signature);
    }

    function test_RevertWhen_PaymentsExceedARecord() external {
        acceptChecked(token, payer, type(uint128).max);
        vm.prank(address(autoPay));
        token.transfer(wallet("elsewhere"), type(uint128).max);
        token.mint(payer, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector,
                uint256(1 << 128),
                uint256(type(uint128).max)
            )
        );
        vm.prank(relay);
        autoPay.acceptPayment(address(token), payer, 1, 0, UNTIL, "one", "");
    }

    function test_AcceptPayment_CannotBeReentered() external {
        AuthorizedReentrantToken evil = new AuthorizedReentrantToken();
        evil.mint(payer, 300);
        bytes memory signature = _authorize(evil, 300, "one");
        evil.arm(address(autoPay), abi.encodeCall(autoPay.claimRefund, (address(evil), payer)));
        vm.prank(relay);
        autoPay.acceptPayment(address(evil), payer, 300, START - 1, UNTIL, "one", signature);
        assertTrue(evil.called() && !evil.succeeded(), "called back, and refused");
        assertEq(
            keccak256(evil.answer()),
            keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()")),
            "refused by the guard"
        );
        assertEq(autoPay.unbooked(address(evil)), 300, "counted once");
    }

    /// @dev The payer's signature over a payment to AutoPayLLM.
    function _authorize(AuthorizedToken currency, uint256 amount, bytes32 nonce) private view returns (bytes memory) {
        return sign(keyOf("payer"), currency.hashTransfer(payer, address(autoPay), amount, START - 1, UNTIL, nonce));
    }
}
