// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {FeeOnTransferToken, LyingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";
import {TestToken} from "./mocks/TestToken.sol";

contract AutoPayLLMPaymentTest is BusinessFixture {
    function test_CreditPayment_CountsWhatArrives() external {
        _give(token, 350);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.PaymentCredited(address(token), payer, 300, 300);
        vm.prank(desk);
        assertEq(autoPay.creditPayment(address(token), payer, 300), 300, "received");
        assertEq(token.balanceOf(desk), 50, "taken");
        assertEq(token.balanceOf(address(autoPay)), 300, "held");

        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.PaymentCredited(address(token), payer, 50, 350);
        vm.prank(desk);
        autoPay.creditPayment(address(token), payer, 50);
        assertEq(autoPay.unbooked(address(token)), 350, "unbooked");
        assertEq(autoPay.refundableOf(address(token), payer), 350, "refundable");
        assertEq(autoPay.refundableOf(address(token), desk), 0, "to nobody else");
    }

    /// @dev Of several wallets, in two tokens, in any order.
    function testFuzz_CreditPayment_CountsEachWalletsOwn(uint120[8] calldata amounts, uint16 choices) external {
        TestToken[2] memory currencies = [token, new TestToken()];
        address[2] memory wallets = [payer, wallet("another")];
        uint256[2][2] memory paid;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint256 amount = uint256(amounts[i]) + 1;
            (uint256 which, uint256 who) = ((choices >> (2 * i)) & 1, (choices >> (2 * i + 1)) & 1);
            creditChecked(currencies[which], wallets[who], amount);
            paid[which][who] += amount;
        }
        for (uint256 i = 0; i < 2; ++i) {
            address currency = address(currencies[i]);
            assertEq(autoPay.refundableOf(currency, wallets[0]), paid[i][0], "of the first wallet");
            assertEq(autoPay.refundableOf(currency, wallets[1]), paid[i][1], "of the second");
            assertEq(autoPay.unbooked(currency), paid[i][0] + paid[i][1], "of both");
            assertEq(currencies[i].balanceOf(address(autoPay)), paid[i][0] + paid[i][1], "held");
        }
    }

    function test_CreditPayment_CountsLessIfTheTokenTakesAFee() external {
        FeeOnTransferToken dear = new FeeOnTransferToken();
        _give(dear, 300);
        vm.prank(desk);
        assertEq(autoPay.creditPayment(address(dear), payer, 300), 299, "received");
        assertEq(autoPay.unbooked(address(dear)), 299, "unbooked");
        assertEq(autoPay.refundableOf(address(dear), payer), 299, "refundable");
    }

    function test_CreditPayment_IgnoresDonations() external {
        token.mint(address(autoPay), 1000);
        creditChecked(token, payer, 200);
    }

    function test_RevertWhen_ThePaymentIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAmount.selector));
        vm.prank(desk);
        autoPay.creditPayment(address(token), payer, 0);
    }

    /// @dev Even a desk that lies, with a token that lies, makes nothing out of nothing.
    function test_RevertWhen_ThePaymentDoesNotArrive() external {
        LyingToken liar = new LyingToken(true);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAmount.selector));
        vm.prank(desk);
        autoPay.creditPayment(address(liar), payer, 300);
    }

    function test_RevertWhen_TheDeskHasNotGotThePayment() external {
        token.mint(desk, 300);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(autoPay), 0, 300)
        );
        vm.prank(desk);
        autoPay.creditPayment(address(token), payer, 300);

        vm.prank(desk);
        token.approve(address(autoPay), 301);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, desk, 300, 301));
        vm.prank(desk);
        autoPay.creditPayment(address(token), payer, 301);
    }

    function test_RevertWhen_ThePaymentsCallerIsNotTheDesk() external {
        address[3] memory callers = [relay, payer, address(this)];
        for (uint256 i = 0; i < callers.length; ++i) {
            bytes memory refusal = missingRole(callers[i], autoPay.DESK_ROLE());
            vm.expectRevert(refusal);
            vm.prank(callers[i]);
            autoPay.creditPayment(address(token), payer, 300);
        }
    }

    function test_RevertWhen_PaymentsExceedARecord() external {
        creditChecked(token, payer, type(uint128).max);
        vm.prank(address(autoPay));
        token.transfer(wallet("elsewhere"), type(uint128).max);
        _give(token, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector,
                uint256(1 << 128),
                uint256(type(uint128).max)
            )
        );
        vm.prank(desk);
        autoPay.creditPayment(address(token), payer, 1);
    }

    function test_CreditPayment_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        _give(evil, 300);
        evil.arm(address(autoPay), abi.encodeCall(autoPay.claimRefund, (address(evil), payer)));
        vm.prank(desk);
        autoPay.creditPayment(address(evil), payer, 300);
        assertReentryRefused(evil);
        assertEq(autoPay.unbooked(address(evil)), 300, "counted once");
    }

    /// @dev Gives the desk tokens, and AutoPayLLM its approval.
    function _give(TestToken currency, uint256 amount) private {
        currency.mint(desk, amount);
        vm.prank(desk);
        currency.approve(address(autoPay), amount);
    }
}
