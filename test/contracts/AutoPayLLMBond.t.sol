// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Bond, IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {BoundedTransfer} from "../../contracts/libraries/BoundedTransfer.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {TestToken} from "./mocks/TestToken.sol";
import {
    FeeOnTransferToken,
    MoodyToken,
    NoReturnToken,
    OverchargingToken,
    ReentrantToken
} from "./mocks/WeirdTokens.sol";

contract AutoPayLLMBondTest is BusinessFixture {
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;

    function test_DepositBond_CountsWhatArrives() external {
        token.mint(relay, 50);
        vm.prank(relay);
        token.approve(address(autoPay), 50);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondDeposited(address(token), relay, 50, 50);
        vm.prank(relay);
        autoPay.depositBond(address(token), 50);
        assertEq(token.balanceOf(address(autoPay)), 50, "held");
        assertEq(autoPay.bondOf(address(token)).amount, 50, "bond");
    }

    function test_DepositBond_ByAnyone() external {
        address friend = wallet("friend");
        allow(token, friend, 30);
        vm.prank(friend);
        autoPay.depositBond(address(token), 30);
        assertEq(autoPay.bondOf(address(token)).amount, 30, "bond");
    }

    function test_DepositBond_CountsLessIfTheTokenTakesAFee() external {
        FeeOnTransferToken dear = new FeeOnTransferToken();
        allow(dear, relay, 50);
        vm.prank(relay);
        autoPay.depositBond(address(dear), 50);
        assertEq(autoPay.bondOf(address(dear)).amount, 49, "what arrived");
    }

    function test_DepositBond_OfATokenThatReturnsNothing() external {
        NoReturnToken silent = new NoReturnToken();
        silent.mint(relay, 50);
        vm.prank(relay);
        silent.approve(address(autoPay), 50);
        vm.prank(relay);
        autoPay.depositBond(address(silent), 50);
        assertEq(autoPay.bondOf(address(silent)).amount, 50, "bond");
    }

    function test_DepositBond_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        allow(evil, relay, 50);
        evil.arm(address(autoPay), abi.encodeCall(autoPay.depositBond, (address(evil), 1)));
        vm.prank(relay);
        autoPay.depositBond(address(evil), 50);
        assertReentryRefused(evil);
        assertEq(autoPay.bondOf(address(evil)).amount, 50, "counted once");
    }

    function test_RevertWhen_DepositIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAmount.selector));
        autoPay.depositBond(address(token), 0);
    }

    function test_RevertWhen_BondExceedsItsRecord() external {
        depositBondChecked(token, type(uint128).max);
        allow(token, payer, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector,
                uint256(1 << 128),
                uint256(type(uint128).max)
            )
        );
        vm.prank(payer);
        autoPay.depositBond(address(token), 1);
    }

    function test_WithdrawBond_PaysTheRegisteredAddress() external {
        depositBondChecked(token, 100);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondWithdrawn(address(token), bondPayout, 40, 60);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 40);
        assertEq(token.balanceOf(bondPayout), 40, "paid");
        assertEq(autoPay.bondOf(address(token)).amount, 60, "left");
    }

    function test_RevertWhen_WithdrawnBondIsNeeded() external {
        depositBondChecked(token, 1000);
        collectChecked(token, "a", 300);
        bookChecked(token, 300, 1);
        vm.prank(disputes);
        autoPay.freezeBond(address(token), 200);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_BondNotFree.selector,
                address(token),
                uint256(501),
                uint256(500)
            )
        );
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 501);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 500);
        assertEq(autoPay.bondOf(address(token)).amount, 500, "frozen and unreleased stay");
    }

    function test_RevertWhen_SlashingLeftTooLittleToWithdraw() external {
        depositBondChecked(token, 300);
        collectChecked(token, "a", 300);
        bookChecked(token, 300, 1);
        _slash(token, payer, 100, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BondNotFree.selector, address(token), uint256(1), uint256(0))
        );
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 1);
    }

    function test_RevertWhen_WithdrawnBondIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAmount.selector));
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 0);
    }

    function test_RevertWhen_WithdrawBondOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        depositBondChecked(evil, 100);
        evil.arm();
        vm.expectRevert(_payoutExceeded(address(evil), 41, 40));
        vm.prank(relay);
        autoPay.withdrawBond(address(evil), 40);
    }

    function test_RevertWhen_WithdrawBondIsBlocked() external {
        MoodyToken moody = new MoodyToken();
        depositBondChecked(moody, 100);
        moody.setMood(bondPayout, MoodyToken.Mood.ReturnsFalse);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(moody)));
        vm.prank(relay);
        autoPay.withdrawBond(address(moody), 40);
    }

    function test_WithdrawBond_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        depositBondChecked(evil, 100);
        autoPay.grantRole(autoPay.RELAY_ROLE(), address(evil));
        evil.arm(address(autoPay), abi.encodeCall(autoPay.withdrawBond, (address(evil), 40)));
        vm.prank(relay);
        autoPay.withdrawBond(address(evil), 40);
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(bondPayout), 40, "paid once");
    }

    /// @dev In the middle of one transfer, each function that moves or counts money is tried.
    function test_WithdrawBond_NothingCanBeReenteredMeanwhile() external {
        ReentrantToken evil = new ReentrantToken();
        depositBondChecked(evil, 100);
        bytes[20] memory payloads = [
            abi.encodeCall(autoPay.collect, (address(evil), "")),
            abi.encodeCall(autoPay.settleChannel, (ChannelId.wrap(0), 1, "")),
            abi.encodeCall(autoPay.closeChannel, (ChannelId.wrap(0), 1, "")),
            abi.encodeCall(autoPay.closeChannels, (address(evil), "")),
            abi.encodeCall(autoPay.book, (address(evil), noSpends, noRefunds, 0)),
            abi.encodeCall(autoPay.settle, (address(evil), "", noSpends, noRefunds, 0)),
            abi.encodeCall(autoPay.release, (1, booked(1, true), firstAnchor)),
            abi.encodeCall(autoPay.releaseOverBudget, (1, booked(1, true), firstAnchor)),
            abi.encodeCall(autoPay.withdrawCredits, ("")),
            abi.encodeCall(autoPay.claimRefund, (address(evil), payer)),
            abi.encodeCall(autoPay.depositBond, (address(evil), 1)),
            abi.encodeCall(autoPay.withdrawBond, (address(evil), 1)),
            abi.encodeCall(autoPay.freezeBond, (address(evil), 1)),
            abi.encodeCall(autoPay.thawBond, (address(evil), 1)),
            abi.encodeCall(autoPay.slashBond, (address(evil), payer, 1, 1)),
            abi.encodeCall(autoPay.oweBond, (address(evil), 1)),
            abi.encodeCall(autoPay.settleOwed, (address(evil), 1)),
            abi.encodeCall(autoPay.creditPayment, (address(evil), payer, 1)),
            abi.encodeWithSignature("executeLLMCall(address,string,uint256)", payer, "simulated", 1),
            abi.encodeWithSignature(
                "executeLLMCall(address,string,string,uint256,bytes16)",
                payer,
                "simulated",
                "sim-small",
                1,
                bytes16("call")
            )
        ];
        for (uint256 i = 0; i < payloads.length; ++i) {
            evil.arm(address(autoPay), payloads[i]);
            vm.prank(relay);
            autoPay.withdrawBond(address(evil), 1);
            assertReentryRefused(evil);
        }
    }

    function test_SetBondPayout_EmitsAndStores() external {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondPayoutSet(payer);
        autoPay.setBondPayout(payer);
        assertEq(autoPay.bondPayout(), payer, "payout");
    }

    function test_RevertWhen_BondPayoutIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAddress.selector));
        autoPay.setBondPayout(address(0));
    }

    function test_RevertWhen_CallerLacksTheRole() external {
        bytes32[3] memory roles = [autoPay.RELAY_ROLE(), bytes32(0), autoPay.DISPUTES_ROLE()];
        vm.expectRevert(missingRole(payer, roles[0]));
        vm.prank(payer);
        autoPay.withdrawBond(address(token), 1);
        vm.expectRevert(missingRole(relay, roles[1]));
        vm.prank(relay);
        autoPay.setBondPayout(relay);
        vm.expectRevert(missingRole(relay, roles[2]));
        vm.prank(relay);
        autoPay.freezeBond(address(token), 1);
        vm.expectRevert(missingRole(relay, roles[2]));
        vm.prank(relay);
        autoPay.thawBond(address(token), 1);
        vm.expectRevert(missingRole(relay, roles[2]));
        vm.prank(relay);
        autoPay.slashBond(address(token), relay, 1, 1);
        vm.expectRevert(missingRole(relay, roles[2]));
        vm.prank(relay);
        autoPay.oweBond(address(token), 1);
        vm.expectRevert(missingRole(relay, roles[2]));
        vm.prank(relay);
        autoPay.settleOwed(address(token), 1);
    }

    function test_FreezeBond_AtMostWhatIsFree() external {
        depositBondChecked(token, 100);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondFrozen(address(token), 70);
        vm.prank(disputes);
        assertEq(autoPay.freezeBond(address(token), 70), 70, "all of it");
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondFrozen(address(token), 100);
        vm.prank(disputes);
        assertEq(autoPay.freezeBond(address(token), type(uint256).max), 30, "the rest");
        vm.prank(disputes);
        assertEq(autoPay.freezeBond(address(token), 1), 0, "nothing is left");
    }

    function test_ThawBond_LetsGo() external {
        depositBondChecked(token, 100);
        vm.prank(disputes);
        autoPay.freezeBond(address(token), 70);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondFrozen(address(token), 45);
        vm.prank(disputes);
        autoPay.thawBond(address(token), 25);
        assertEq(autoPay.bondOf(address(token)).frozen, 45, "frozen");
    }

    function test_RevertWhen_MoreIsThawedThanFrozen() external {
        depositBondChecked(token, 100);
        vm.prank(disputes);
        autoPay.freezeBond(address(token), 70);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_BondNotFrozen.selector,
                address(token),
                uint256(71),
                uint256(70)
            )
        );
        vm.prank(disputes);
        autoPay.thawBond(address(token), 71);
    }

    function test_SlashBond_RefundsAndBurns() external {
        depositBondChecked(token, 100);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondSlashed(address(token), payer, 40, 20, 40);
        (uint256 refunded, uint256 burned) = _slash(token, payer, 40, 20);
        assertEq(refunded, 40, "refunded");
        assertEq(burned, 20, "burned");
        assertEq(token.balanceOf(payer), 40, "the payer has it");
        assertEq(token.balanceOf(BURNED), 20, "nobody has it");
    }

    function test_SlashBond_TheRefundGoesFirst() external {
        depositBondChecked(token, 100);
        (uint256 refunded, uint256 burned) = _slash(token, payer, 90, 20);
        assertEq(refunded, 90, "refunded");
        assertEq(burned, 10, "what is left");
        assertEq(autoPay.bondOf(address(token)).amount, 0, "all is gone");
    }

    /// @dev Neither what other disputes hold, nor what payers and providers have here, is touched.
    function test_SlashBond_TouchesNothingElse() external {
        depositBondChecked(token, 100);
        collectChecked(token, "a", 1000);
        bookChecked(token, 90, 1);
        vm.prank(disputes);
        autoPay.freezeBond(address(token), 60);
        (uint256 refunded, uint256 burned) = _slash(token, payer, 500, 500);
        assertEq(refunded, 40, "only what is free");
        assertEq(burned, 0, "nothing is left");
        Bond memory bond = autoPay.bondOf(address(token));
        assertEq(bond.amount, 60, "the others' part");
        assertEq(bond.frozen, 60, "still frozen");
        assertEq(token.balanceOf(address(autoPay)), 1000 + 60, "unbooked, unreleased, and the frozen bond");
    }

    function test_SlashBond_OfNothing() external {
        (uint256 refunded, uint256 burned) = _slash(token, payer, 5, 5);
        assertEq(refunded + burned, 0, "there is nothing");
    }

    function test_SlashBond_WorksDuringAFreezeAndASuspension() external {
        depositBondChecked(token, 100);
        vm.prank(guardian);
        autoPay.freeze(7 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        (uint256 refunded, ) = _slash(token, payer, 40, 20);
        assertEq(refunded, 40, "refunded");
    }

    function test_SlashBond_ARefundThatFailsWaitsAndTheRestGoesOn() external {
        MoodyToken.Mood[4] memory moods = [
            MoodyToken.Mood.Blocked,
            MoodyToken.Mood.ReturnsFalse,
            MoodyToken.Mood.BurnsGas,
            MoodyToken.Mood.RevertBomb
        ];
        for (uint256 i = 0; i < moods.length; ++i) {
            MoodyToken moody = new MoodyToken();
            depositBondChecked(moody, 100);
            moody.setMood(payer, moods[i]);
            (uint256 refunded, uint256 burned) = _slash(moody, payer, 40, 20);
            assertEq(refunded, 40, "counts as refunded");
            assertEq(burned, 20, "burned");
            assertEq(autoPay.claimableRefunds(address(moody), payer), 40, "waits");
            assertEq(moody.balanceOf(BURNED), 20, "the penalty went on");
            moody.setMood(payer, MoodyToken.Mood.Good);
            assertEq(autoPay.claimRefund(address(moody), payer), 40, "claimed");
        }
    }

    function test_SlashBond_APenaltyThatFailsIsNobodys() external {
        MoodyToken moody = new MoodyToken();
        depositBondChecked(moody, 100);
        moody.setMood(BURNED, MoodyToken.Mood.Blocked);
        (uint256 refunded, uint256 burned) = _slash(moody, payer, 40, 20);
        assertEq(refunded, 40, "refunded");
        assertEq(burned, 20, "gone all the same");
        assertEq(autoPay.bondOf(address(moody)).amount, 40, "not the relay's any more");
        assertEq(moody.balanceOf(address(autoPay)), 60, "stays here");
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_BondNotFree.selector,
                address(moody),
                uint256(41),
                uint256(40)
            )
        );
        vm.prank(relay);
        autoPay.withdrawBond(address(moody), 41);
        assertEq(autoPay.claimableRefunds(address(moody), BURNED), 0, "and cannot be claimed");
    }

    function test_SlashBond_SurvivesAReturnBomb() external {
        MoodyToken moody = new MoodyToken();
        depositBondChecked(moody, 100);
        moody.setMood(payer, MoodyToken.Mood.ReturnBomb);
        _slash(moody, payer, 40, 20);
        assertEq(moody.balanceOf(payer), 40, "paid");
    }

    function test_SlashBond_OfATokenThatReturnsNothing() external {
        depositBondChecked(token, 100);
        vm.etch(address(token), address(new NoReturnToken()).code);
        NoReturnToken(address(token)).mint(address(autoPay), 1000);
        _slash(token, payer, 40, 20);
        assertEq(NoReturnToken(address(token)).balanceOf(payer), 40, "paid");
    }

    function test_RevertWhen_SlashBondOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        depositBondChecked(evil, 100);
        evil.arm();
        vm.expectRevert(_payoutExceeded(address(evil), 62, 60));
        vm.prank(disputes);
        autoPay.slashBond(address(evil), payer, 40, 20);
        vm.expectRevert(_payoutExceeded(address(evil), 21, 20));
        vm.prank(disputes);
        autoPay.slashBond(address(evil), payer, 0, 20);
    }

    function test_RevertWhen_GasIsTooLowForASlash() external {
        depositBondChecked(token, 100);
        vm.prank(disputes);
        (bool done, bytes memory answer) = address(autoPay).call{gas: 120_000}(
            abi.encodeCall(autoPay.slashBond, (address(token), payer, 40, 20))
        );
        assertTrue(!done && bytes4(answer) == BoundedTransfer.BoundedTransfer_GasTooLow.selector, "refused");
    }

    function test_SlashBond_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        depositBondChecked(evil, 100);
        autoPay.grantRole(autoPay.DISPUTES_ROLE(), address(evil));
        evil.arm(address(autoPay), abi.encodeCall(autoPay.slashBond, (address(evil), payer, 40, 20)));
        _slash(evil, payer, 40, 20);
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(payer), 40, "refunded once");
    }

    function testFuzz_Bond_FrozenNeverExceedsAmount(uint8[8] calldata steps, uint16[8] calldata amounts) external {
        depositBondChecked(token, 100_000);
        for (uint256 i = 0; i < steps.length; ++i) {
            Bond memory bond = autoPay.bondOf(address(token));
            uint256 step = steps[i] % 4;
            if (step == 0) {
                vm.prank(disputes);
                autoPay.freezeBond(address(token), amounts[i]);
            } else if (step == 1) {
                vm.prank(disputes);
                autoPay.thawBond(address(token), bound(amounts[i], 0, bond.frozen));
            } else if (step == 2) {
                _slash(token, payer, amounts[i], amounts[i] / 2);
            } else if (bond.amount > bond.frozen) {
                vm.prank(relay);
                autoPay.withdrawBond(address(token), bound(amounts[i], 1, bond.amount - bond.frozen));
            }
            bond = autoPay.bondOf(address(token));
            assertTrue(bond.frozen <= bond.amount, "frozen <= amount");
            assertEq(token.balanceOf(address(autoPay)), bond.amount, "held");
        }
    }

    /// @dev What disputes hold, what they left to be paid and what is booked stays; all else can go, whatever the amounts.
    function testFuzz_WithdrawBond_TakesOnlyWhatNothingNeeds(
        uint64 deposit,
        uint64 frozen,
        uint64 owed,
        uint16 unreleased,
        uint64 asked
    ) external {
        uint256 bookable = bound(unreleased, 1, 1000);
        uint256 total = bound(deposit, bookable, type(uint64).max);
        depositBondChecked(token, total);
        collectChecked(token, "a", uint96(bookable));
        bookChecked(token, uint128(bookable), 1);
        vm.prank(disputes);
        uint256 held = autoPay.freezeBond(address(token), frozen);
        assertEq(held, frozen < total ? frozen : total, "frozen as far as there is a bond");
        _owe(token, owed);

        uint256 needed = held + owed + bookable;
        uint256 free = total > needed ? total - needed : 0;
        uint256 amount = bound(asked, 1, total + 1);
        if (amount > free) vm.expectRevert(_bondNotFree(amount, free));
        vm.prank(relay);
        autoPay.withdrawBond(address(token), amount);
        uint256 taken = amount > free ? 0 : amount;
        assertEq(token.balanceOf(bondPayout), taken, "taken");
        assertEq(autoPay.bondOf(address(token)).amount, total - taken, "left");
    }

    /// @dev The refund comes before the penalty, and both from what no other dispute holds.
    function testFuzz_SlashBond_PaysTheRefundFirst(
        uint64 deposit,
        uint64 frozen,
        uint64 refund,
        uint64 penalty
    ) external {
        uint256 total = bound(deposit, 1, type(uint64).max);
        depositBondChecked(token, total);
        vm.prank(disputes);
        uint256 free = total - autoPay.freezeBond(address(token), frozen);
        uint256 toPayer = refund < free ? refund : free;
        uint256 toNobody = penalty < free - toPayer ? penalty : free - toPayer;
        vm.prank(disputes);
        (uint256 refunded, uint256 burned) = autoPay.slashBond(address(token), payer, refund, penalty);
        assertEq(refunded, toPayer, "refunded");
        assertEq(burned, toNobody, "burned");
        assertEq(token.balanceOf(payer), toPayer, "the payer has it");
        assertEq(token.balanceOf(autoPay.BURN_ADDRESS()), toNobody, "nobody has it");
        assertEq(autoPay.bondOf(address(token)).amount, total - toPayer - toNobody, "left");
        assertEq(autoPay.bondOf(address(token)).frozen, total - free, "what is held stays");
    }

    /// @dev Closes the audit's M3: what is owed stays, whatever is thawed, until it is settled.
    function test_RevertWhen_WithdrawnBondIsOwed() external {
        depositBondChecked(token, 1000);
        collectChecked(token, "a", 300);
        bookChecked(token, 300, 1);
        vm.prank(disputes);
        autoPay.freezeBond(address(token), 200);
        _owe(token, 124);
        vm.prank(disputes);
        autoPay.thawBond(address(token), 200);
        vm.expectRevert(_bondNotFree(577, 576));
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 577);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 576);
        _slash(token, payer, 124, 0);
        _settleOwed(token, 124);
        assertEq(token.balanceOf(payer), 124, "the payer got it after all");
        vm.expectRevert(_bondNotFree(1, 0));
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 1);
    }

    function test_OweBond_BeyondTheBond() external {
        _owe(token, type(uint128).max);
        _owe(token, type(uint128).max);
        depositBondChecked(token, 1000);
        vm.expectRevert(_bondNotFree(1, 0));
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 1);
        _settleOwed(token, type(uint128).max);
        _settleOwed(token, type(uint128).max);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 1000);
    }

    function test_RevertWhen_TheBondForABookingIsOwed() external {
        depositBondChecked(token, 400);
        collectChecked(token, "a", 1000);
        _owe(token, 100);
        bookChecked(token, 300, 1);
        vm.expectRevert(_bondTooLow(300, 301));
        vm.prank(relay);
        autoPay.book(address(token), spendOf(TODAY, MODEL, 1), noRefunds, 1);
        _owe(token, 301);
        vm.expectRevert(_bondTooLow(0, 301));
        vm.prank(relay);
        autoPay.book(address(token), spendOf(TODAY, MODEL, 1), noRefunds, 1);
    }

    function test_RevertWhen_MoreIsSettledThanOwed() external {
        _owe(token, 70);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_BondNotOwed.selector,
                address(token),
                uint256(71),
                uint256(70)
            )
        );
        vm.prank(disputes);
        autoPay.settleOwed(address(token), 71);
    }

    function test_OweBond_ChangesNeitherFreezingNorSlashing() external {
        depositBondChecked(token, 100);
        _owe(token, 80);
        vm.prank(disputes);
        assertEq(autoPay.freezeBond(address(token), 60), 60, "held");
        (uint256 refunded, ) = _slash(token, payer, 60, 0);
        assertEq(refunded, 40, "what no dispute holds");
        assertEq(autoPay.bondOf(address(token)).owed, 80, "still owed");
    }

    /// @dev Owes as the disputes contract; checks the record.
    function _owe(TestToken currency, uint256 amount) private {
        uint256 owed = autoPay.bondOf(address(currency)).owed;
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondOwed(address(currency), owed + amount);
        vm.prank(disputes);
        autoPay.oweBond(address(currency), amount);
        assertEq(autoPay.bondOf(address(currency)).owed, owed + amount, "owed");
    }

    /// @dev Settles as the disputes contract; checks the record.
    function _settleOwed(TestToken currency, uint256 amount) private {
        uint256 owed = autoPay.bondOf(address(currency)).owed;
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.BondOwed(address(currency), owed - amount);
        vm.prank(disputes);
        autoPay.settleOwed(address(currency), amount);
        assertEq(autoPay.bondOf(address(currency)).owed, owed - amount, "owed");
    }

    function _bondNotFree(uint256 amount, uint256 free) private view returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BondNotFree.selector, address(token), amount, free);
    }

    function _bondTooLow(uint256 bond, uint256 required) private view returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BondTooLow.selector, address(token), bond, required);
    }

    /// @dev Slashes as the disputes contract; checks that the bond fell by exactly that.
    function _slash(
        TestToken currency,
        address to,
        uint256 refund,
        uint256 penalty
    ) private returns (uint256 refunded, uint256 burned) {
        uint256 bond = autoPay.bondOf(address(currency)).amount;
        vm.prank(disputes);
        (refunded, burned) = autoPay.slashBond(address(currency), to, refund, penalty);
        assertEq(bond - autoPay.bondOf(address(currency)).amount, refunded + burned, "bond fell");
    }

    function _payoutExceeded(address evil, uint256 spent, uint256 expected) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_PayoutExceeded.selector, evil, spent, expected);
    }
}
