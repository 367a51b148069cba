// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ChannelFixture} from "./helpers/ChannelFixture.sol";
import {MoodyToken, OverchargingToken, PausableToken, RebasingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

/// @notice What happens with tokens that do not behave. None may touch another token's channels.
contract PaymentChannelsTokensTest is ChannelFixture {
    function test_RevertGiven_TokenIsPaused_AndNothingIsLost() external {
        PausableToken currency = new PausableToken();
        ChannelId id = openChannel(payer, payee, currency, DEPOSIT, "a", address(0));
        ChannelId other = openDefault("a");
        currency.setPaused(true);
        bytes memory signature = voucher(id, 10);
        bytes memory paused = abi.encodeWithSignature("Error(string)", "paused");
        vm.expectRevert(paused);
        vm.prank(payee);
        channels.settle(id, 10, signature);
        // The request does not touch the token, so the grace period can run while it is paused.
        vm.prank(payer);
        channels.requestClose(id);
        vm.warp(START + 3600);
        vm.expectRevert(paused);
        vm.prank(payer);
        channels.withdraw(id);
        settleChecked(other, 10);
        currency.setPaused(false);
        settleChecked(id, 10);
        vm.prank(payer);
        channels.withdraw(id);
        assertEq(currency.balanceOf(payer), DEPOSIT - 10, "all there");
    }

    function test_Settle_DoesNotNeedThePayerUnblocked() external {
        MoodyToken currency = new MoodyToken();
        ChannelId id = openChannel(payer, payee, currency, DEPOSIT, "a", address(0));
        currency.setMood(payer, MoodyToken.Mood.Blocked);
        settleChecked(id, 10);
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "blocked"));
        vm.prank(payee);
        channels.close(id, 10, "");
        assertEq(channels.getChannel(id).finalized, false, "open");
        settleChecked(id, DEPOSIT);
    }

    function test_Withdraw_DoesNotNeedThePayeeUnblocked() external {
        MoodyToken currency = new MoodyToken();
        ChannelId id = openChannel(payer, payee, currency, DEPOSIT, "a", address(0));
        currency.setMood(payee, MoodyToken.Mood.Blocked);
        vm.prank(payer);
        channels.requestClose(id);
        vm.warp(START + 3600);
        vm.prank(payer);
        channels.withdraw(id);
        assertEq(currency.balanceOf(payer), DEPOSIT, "payer");
    }

    function test_Settle_SurvivesAReturnBomb() external {
        MoodyToken currency = new MoodyToken();
        ChannelId id = openChannel(payer, payee, currency, DEPOSIT, "a", address(0));
        currency.setMood(payee, MoodyToken.Mood.ReturnBomb);
        settleChecked(id, 10);
    }

    function test_RevertGiven_ARebasingTokenShrank_OnlyItsOwnChannelsLack() external {
        // The warning of the interface: who comes first is paid, and the last one lacks. Other tokens are whole.
        RebasingToken currency = new RebasingToken();
        ChannelId first = openChannel(payer, payee, currency, DEPOSIT, "a", address(0));
        ChannelId last = openChannel(payer, payee, currency, DEPOSIT, "b", address(0));
        ChannelId other = openDefault("a");
        currency.rebase(address(channels), DEPOSIT);
        settleChecked(first, DEPOSIT);
        bytes memory signature = voucher(last, 10);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector,
                address(channels),
                uint256(0),
                uint256(10)
            )
        );
        vm.prank(payee);
        channels.settle(last, 10, signature);
        assertEq(channels.getChannel(last).settled, 0, "nothing settled");
        settleChecked(other, DEPOSIT);
    }

    function test_Close_LeavesWhatARebasingTokenGrew() external {
        RebasingToken currency = new RebasingToken();
        ChannelId id = openChannel(payer, payee, currency, DEPOSIT, "a", address(0));
        currency.rebase(address(channels), DEPOSIT + 77);
        vm.prank(payee);
        channels.close(id, 0, "");
        assertEq(currency.balanceOf(payer), DEPOSIT, "the deposit, no more");
        assertEq(currency.balanceOf(address(channels)), 77, "nobody's");
    }

    function test_RevertWhen_CloseTokenOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        openChannel(payer, payee, evil, DEPOSIT, "b", address(0));
        evil.arm();
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(DEPOSIT) + 1, uint256(DEPOSIT))
        );
        vm.prank(payee);
        channels.close(id, 0, "");
    }

    function test_TopUpCloseAndWithdraw_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        ChannelId other = openChannel(payer, payee, evil, DEPOSIT, "b", address(0));
        evil.mint(payer, 7);
        vm.prank(payer);
        evil.approve(address(channels), 7);
        _arm(evil, abi.encodeCall(channels.topUp, (id, 7)));
        vm.prank(payer);
        channels.topUp(id, 7);
        _assertRefused(evil);

        _arm(evil, abi.encodeCall(channels.close, (id, 0, "")));
        vm.prank(payee);
        channels.close(id, 0, "");
        _assertRefused(evil);

        vm.prank(payer);
        channels.requestClose(other);
        vm.warp(START + 3600);
        _arm(evil, abi.encodeCall(channels.withdraw, (other)));
        vm.prank(payer);
        channels.withdraw(other);
        _assertRefused(evil);
        assertEq(evil.balanceOf(payer), 2 * DEPOSIT + 7, "everything once");
        assertEq(evil.balanceOf(address(channels)), 0, "escrow is empty");
    }

    function _arm(ReentrantToken evil, bytes memory payload) private {
        evil.arm(address(channels), payload);
    }

    function _assertRefused(ReentrantToken evil) private view {
        assertEq(evil.target(), address(0), "it did call back");
        assertEq(evil.succeeded(), false, "and was refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
    }
}
