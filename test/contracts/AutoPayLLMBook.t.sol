// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AuditLog} from "../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../contracts/AutoPayLLM.sol";
import {Anchor} from "../../contracts/interfaces/IAuditLog.sol";
import {AutoPayLLMConfig, BookedSpend, IAutoPayLLM, Refund, Spend} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {BoundedTransfer} from "../../contracts/libraries/BoundedTransfer.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ClaimFault} from "../../contracts/types/Claim.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {NoReturnToken, MoodyToken, OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";
import {TestToken} from "./mocks/TestToken.sol";

contract AutoPayLLMBookTest is BusinessFixture {
    function setUp() public override {
        super.setUp();
        depositBondChecked(token, BOND);
        collectChecked(token, "a", 1000);
    }

    function test_Book_AsksTheBudgetAndStoresItsAnswer() external {
        budgets.exhaust(keccak256("sim-large"));
        Spend[] memory spends = new Spend[](2);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 600);
        spends[1] = Spend(TODAY - 1, keccak256("sim-large"), PROVIDER, 300);
        BookedSpend[] memory expected = new BookedSpend[](2);
        expected[0] = BookedSpend(TODAY, MODEL, PROVIDER, payout, 600, true);
        expected[1] = BookedSpend(TODAY - 1, keccak256("sim-large"), PROVIDER, payout, 300, false);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Booked(1, address(token), 7, expected, 900, 0);
        vm.prank(relay);
        uint256 batchId = autoPay.book(address(token), spends, noRefunds, 7);
        assertEq(batchId, 1, "batch ids start at 1");
        assertEq(autoPay.unbooked(address(token)), 100, "unbooked");
        assertEq(autoPay.unreleased(address(token)), 600, "only what is within budget waits for release");
        assertEq(budgets.consumed(MODEL, TODAY), 600, "consumed");
        assertEq(autoPay.getBatch(1).spendsHash, keccak256(abi.encode(expected)), "spendsHash");
    }

    function test_Book_OlderThanYesterdayIsOverBudget() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY - 2, MODEL, PROVIDER, 10);
        vm.prank(relay);
        autoPay.book(address(token), spends, noRefunds, 1);
        BookedSpend[] memory expected = new BookedSpend[](1);
        expected[0] = BookedSpend(TODAY - 2, MODEL, PROVIDER, payout, 10, false);
        assertEq(autoPay.getBatch(1).spendsHash, keccak256(abi.encode(expected)), "spendsHash");
        assertEq(budgets.consumed(MODEL, TODAY - 2), 0, "the budget was not asked");
        assertEq(autoPay.unreleased(address(token)), 0, "withheld");
    }

    function test_Book_SettleBooksWhatOthersOweAfterOneWithdrewInTime() external {
        ChannelId quick = openChannel(payer, payee, token, DEPOSIT, "quick", address(0));
        bytes memory claims = bytes.concat(defaultClaim("quick", 40, 40), claimOn(token, "slow", 60));
        vm.prank(payer);
        channels.requestClose(quick);
        vm.warp(START + 3600);
        vm.prank(payer);
        channels.withdraw(quick);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(quick, ClaimFault.ChannelFinalized);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Collected(address(token), 60, 1060);
        vm.prank(relay);
        uint256 batchId = autoPay.settle(address(token), claims, spendOf(TODAY, MODEL, 1060), noRefunds, 1);
        assertEq(
            autoPay.getBatch(batchId).spendsHash,
            keccak256(abi.encode(booked(1060, true))),
            "the others' booking"
        );
    }

    function test_Book_NeedsNoBondForWhatIsWithheld() external {
        TestToken other = new TestToken();
        collectChecked(other, "other", 90);
        budgets.exhaust(keccak256("sim-large"));
        Spend[] memory spends = new Spend[](2);
        spends[0] = Spend(TODAY, keccak256("sim-large"), PROVIDER, 60);
        spends[1] = Spend(TODAY - 2, MODEL, PROVIDER, 30);
        creditChecked(other, payer, 10);
        vm.prank(relay);
        autoPay.book(address(other), spends, refundTo(payer, 10), 1);
        assertEq(autoPay.unbooked(address(other)), 0, "booked");
        assertEq(autoPay.unreleased(address(other)), 0, "withheld");
    }

    function test_Book_OfWhatIsWithheldWhileTheBondIsShort() external {
        TestToken other = new TestToken();
        collectChecked(other, "other", 1000);
        depositBondChecked(other, 400);
        bookChecked(other, 400, 1);
        vm.prank(disputes);
        autoPay.slashBond(address(other), payer, 100, 0);
        budgets.exhaust(keccak256("sim-large"));
        vm.prank(relay);
        autoPay.book(address(other), spendOf(TODAY, keccak256("sim-large"), 60), noRefunds, 1);
        assertEq(autoPay.unbooked(address(other)), 540, "booked");
        assertEq(autoPay.unreleased(address(other)), 400, "withheld");
    }

    function test_Book_UpToTheFreeBond() external {
        TestToken other = new TestToken();
        collectChecked(other, "other", 1000);
        depositBondChecked(other, 500);
        vm.prank(disputes);
        autoPay.freezeBond(address(other), 100);
        bookChecked(other, 300, 1);
        bookChecked(other, 100, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_BondTooLow.selector,
                address(other),
                uint256(400),
                uint256(401)
            )
        );
        vm.prank(relay);
        autoPay.book(address(other), spendOf(TODAY, MODEL, 1), noRefunds, 1);
    }

    function test_Book_AgainOnceReleased() external {
        TestToken other = new TestToken();
        collectChecked(other, "other", 1000);
        depositBondChecked(other, 400);
        uint256 batchId = bookChecked(other, 400, 1);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        assertEq(autoPay.unreleased(address(other)), 0, "released");
        bookChecked(other, 400, 1);
    }

    function test_RevertWhen_ThereIsNoBond() external {
        TestToken other = new TestToken();
        collectChecked(other, "other", 1000);
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BondTooLow.selector, address(other), uint256(0), uint256(7))
        );
        vm.prank(relay);
        autoPay.book(address(other), spendOf(TODAY, MODEL, 7), noRefunds, 1);
        assertEq(budgets.consumed(MODEL, TODAY), 0, "nothing was consumed");
    }

    /// @dev Whoever sends the transaction cannot make a refund fail by sending too little gas.
    function test_RevertWhen_GasIsTooLowForARefund() external {
        address customer = wallet("customer");
        creditChecked(token, customer, 1000);
        bytes memory booking = abi.encodeCall(autoPay.book, (address(token), noSpends, refundTo(customer, 1), 0));
        uint256 refused = 0;
        uint256 paid = 0;
        for (uint256 gasLimit = 100_000; gasLimit <= 300_000; gasLimit += 5000) {
            vm.prank(relay);
            (bool done, bytes memory answer) = address(autoPay).call{gas: gasLimit}(booking);
            if (done) ++paid;
            else if (bytes4(answer) == BoundedTransfer.BoundedTransfer_GasTooLow.selector) ++refused;
        }
        assertTrue(refused != 0 && paid != 0, "some were refused, some were paid");
        assertEq(token.balanceOf(customer), paid, "every booking paid");
        assertEq(autoPay.claimableRefunds(address(token), customer), 0, "no refund waits");
    }

    function test_Refund_OfATokenThatReturnsNothing() external {
        creditChecked(token, wallet("customer"), 30);
        vm.etch(address(token), address(new NoReturnToken()).code);
        NoReturnToken(address(token)).mint(address(autoPay), 1000);
        uint256 had = NoReturnToken(address(token)).balanceOf(wallet("customer"));
        vm.prank(relay);
        autoPay.book(address(token), noSpends, refundTo(wallet("customer"), 30), 0);
        assertEq(NoReturnToken(address(token)).balanceOf(wallet("customer")) - had, 30, "paid");
    }

    function test_Settle_CollectsAndBooks() external {
        openChannel(payer, payee, token, DEPOSIT, "b", address(0));
        bytes memory claims = defaultClaim("b", 50, 50);
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 1050);
        vm.prank(relay);
        assertEq(autoPay.settle(address(token), claims, spends, noRefunds, 1), 1, "batch");
        assertEq(autoPay.unbooked(address(token)), 0, "all booked");
    }

    function test_RevertWhen_NothingIsBooked() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NothingToBook.selector));
        vm.prank(relay);
        autoPay.book(address(token), noSpends, noRefunds, 0);
    }

    function test_RevertWhen_MoreIsBookedThanCollected() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 990);
        creditChecked(token, payer, 11);
        bookChecked(token, 11, 1);
        _expectBookRevert(
            spends,
            refundTo(payer, 11),
            1,
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_ExceedsUnbooked.selector,
                address(token),
                uint256(1001),
                uint256(1000)
            )
        );
    }

    function test_RevertWhen_ProviderIsUnknown() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY, MODEL, keccak256("nobody"), 1);
        _expectBookRevert(
            spends,
            noRefunds,
            1,
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ProviderUnknown.selector, keccak256("nobody"))
        );
    }

    function test_RevertWhen_DayIsInTheFuture() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY + 1, MODEL, PROVIDER, 1);
        _expectBookRevert(
            spends,
            noRefunds,
            1,
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_DayInFuture.selector, TODAY + 1, uint256(TODAY))
        );
    }

    function test_RevertWhen_ListsAreTooLong() external {
        _expectBookRevert(
            new Spend[](129),
            noRefunds,
            0,
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_TooManySpends.selector, uint256(129), uint256(128))
        );
        _expectBookRevert(
            noSpends,
            new Refund[](65),
            0,
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_TooManyRefunds.selector, uint256(65), uint256(64))
        );
    }

    function test_Book_ListsAsLongAsAllowed() external {
        Spend[] memory spends = new Spend[](autoPay.MAX_SPENDS());
        Refund[] memory refunds = new Refund[](autoPay.MAX_REFUNDS());
        creditChecked(token, payer, refunds.length);
        for (uint256 i = 0; i < spends.length; ++i) spends[i] = Spend(TODAY, MODEL, PROVIDER, 1);
        for (uint256 i = 0; i < refunds.length; ++i) refunds[i] = Refund("call", payer, 1);
        vm.prank(relay);
        autoPay.book(address(token), spends, refunds, 1);
        assertEq(autoPay.unbooked(address(token)), 1000 - spends.length, "booked");
        assertEq(token.balanceOf(payer), refunds.length, "refunded");
    }

    /// @dev No booking waits for an anchor that one step from the latest cannot bring.
    function test_RevertWhen_LogSizeIsTooLarge() external {
        uint64 most = 1 + auditLog.MAX_GROWTH();
        bytes memory refused = _logSizeTooLarge(most + 1, most);
        _expectBookRevert(spendOf(TODAY, MODEL, 1), noRefunds, most + 1, refused);
        creditChecked(token, payer, 1);
        _expectBookRevert(noSpends, refundTo(payer, 1), most + 1, refused);
        uint256 batchId = bookChecked(token, 1, most);
        Anchor memory covering = anchorChecked(START + 1, most);
        vm.warp(START + 1 + WINDOW);
        autoPay.release(batchId, booked(1, true), covering);
    }

    function test_RevertWhen_LogSizeIsBeyondItsRecord() external {
        vm.etch(address(auditLog), address(new EndlessLog()).code);
        uint64 most = type(uint48).max;
        _expectBookRevert(spendOf(TODAY, MODEL, 1), noRefunds, most + 1, _logSizeTooLarge(most + 1, most));
        bookChecked(token, 1, most);
    }

    /// @dev Spends cannot skip the anchor: neither without a log size, nor with one that was anchored long ago.
    function test_RevertWhen_LogSizeIsTooSmallForSpends() external {
        anchorChecked(START + 1, 5);
        _expectBookRevert(spendOf(TODAY, MODEL, 1), noRefunds, 0, _logSizeTooSmall(0, 5));
        _expectBookRevert(spendOf(TODAY, MODEL, 1), noRefunds, 4, _logSizeTooSmall(4, 5));
        bookChecked(token, 1, 5);
        creditChecked(token, payer, 1);
        vm.prank(relay);
        assertEq(autoPay.book(address(token), noSpends, refundTo(payer, 1), 0), 2, "refunds need no anchor");
    }

    function test_RevertWhen_SpendsNameNoLogSizeBeforeTheFirstAnchor() external {
        AutoPayLLMConfig memory fresh = config();
        fresh.auditLog = AuditLog(create("AuditLog", abi.encode(address(this), relay)));
        useAutoPay(AutoPayLLM(create("AutoPayLLM", abi.encode(fresh))));
        depositBondChecked(token, 1);
        collectChecked(token, "fresh", 1);
        _expectBookRevert(spendOf(TODAY, MODEL, 1), noRefunds, 0, _logSizeTooSmall(0, 1));
        bookChecked(token, 1, 1);
    }

    function test_Refund_IsPushed() external {
        creditChecked(token, wallet("customer"), 40);
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", wallet("customer"), 30);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Refunded(1, wallet("customer"), "call", address(token), 30, true);
        vm.prank(relay);
        autoPay.book(address(token), noSpends, refunds, 0);
        assertEq(token.balanceOf(wallet("customer")), 30, "paid");
        assertEq(autoPay.unbooked(address(token)), 1010, "unbooked");
        assertEq(autoPay.refundableOf(address(token), wallet("customer")), 10, "refundable");
    }

    /// @dev Closes the audit's H1: a relay that books what came from escrow as a refund to itself.
    function test_RevertWhen_ARefundWasNotPaidFor() external {
        _expectBookRevert(noSpends, refundTo(relay, 1000), 0, _notRefundable(relay, 1000, 0));
        creditChecked(token, payer, 50);
        _expectBookRevert(noSpends, refundTo(relay, 50), 0, _notRefundable(relay, 50, 0));
        _expectBookRevert(noSpends, refundTo(payer, 51), 0, _notRefundable(payer, 51, 50));
    }

    function test_RevertWhen_RefundsOfOneWalletAddUpToMoreThanItPaid() external {
        creditChecked(token, payer, 50);
        Refund[] memory refunds = new Refund[](2);
        refunds[0] = Refund("one", payer, 30);
        refunds[1] = Refund("two", payer, 21);
        _expectBookRevert(noSpends, refunds, 0, _notRefundable(payer, 21, 20));
        refunds[1].amount = 20;
        vm.prank(relay);
        autoPay.book(address(token), noSpends, refunds, 0);
        assertEq(token.balanceOf(payer), 50, "all of it is back");
        _expectBookRevert(noSpends, refundTo(payer, 1), 0, _notRefundable(payer, 1, 0));
    }

    function test_RevertWhen_ARefundIsInAnotherToken() external {
        TestToken other = new TestToken();
        creditChecked(other, payer, 50);
        _expectBookRevert(noSpends, refundTo(payer, 50), 0, _notRefundable(payer, 50, 0));
    }

    /// @dev Whatever is paid and booked, no wallet gets back more than it paid.
    function testFuzz_Refund_NeverBeyondWhatTheWalletPaid(uint64[6] calldata amounts, uint8 kinds) external {
        uint256 paid = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint128 amount = uint128(bound(amounts[i], 1, 1000));
            if ((kinds >> i) & 1 == 0) {
                creditChecked(token, wallet("customer"), amount);
                paid += amount;
            } else if (amount <= paid) {
                vm.prank(relay);
                autoPay.book(address(token), noSpends, refundTo(wallet("customer"), amount), 0);
                paid -= amount;
            } else {
                bytes memory refused = _notRefundable(wallet("customer"), amount, paid);
                _expectBookRevert(noSpends, refundTo(wallet("customer"), amount), 0, refused);
            }
            assertEq(autoPay.refundableOf(address(token), wallet("customer")), paid, "refundable");
        }
    }

    function test_Refund_ThatFailsWaitsAndStopsNoOther() external {
        MoodyToken moody = new MoodyToken();
        collectChecked(moody, "moody", 1000);
        MoodyToken.Mood[4] memory moods = [
            MoodyToken.Mood.Blocked,
            MoodyToken.Mood.ReturnsFalse,
            MoodyToken.Mood.BurnsGas,
            MoodyToken.Mood.RevertBomb
        ];
        for (uint256 i = 0; i < moods.length; ++i) {
            address customer = wallet(vm.toString(i));
            creditChecked(moody, customer, 10);
            creditChecked(moody, wallet("good"), 5);
            moody.setMood(customer, moods[i]);
            Refund[] memory refunds = new Refund[](2);
            refunds[0] = Refund("bad", customer, 10);
            refunds[1] = Refund("good", wallet("good"), 5);
            vm.expectEmit(address(autoPay));
            emit IAutoPayLLM.Refunded(i + 1, customer, "bad", address(moody), 10, false);
            vm.prank(relay);
            uint256 gasBefore = gasleft();
            autoPay.book(address(moody), noSpends, refunds, 0);
            assertTrue(gasBefore - gasleft() < 600_000, "bounded gas");
            assertEq(moody.balanceOf(wallet("good")), 5 * (i + 1), "the other is paid");
            assertEq(autoPay.claimableRefunds(address(moody), customer), 10, "claimable");

            moody.setMood(customer, MoodyToken.Mood.Good);
            vm.expectEmit(address(autoPay));
            emit IAutoPayLLM.RefundClaimed(address(moody), customer, 10);
            vm.prank(wallet("anyone"));
            assertEq(autoPay.claimRefund(address(moody), customer), 10, "amount");
            assertEq(moody.balanceOf(customer), 10, "claimed");
            vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NothingToWithdraw.selector));
            autoPay.claimRefund(address(moody), customer);
        }
    }

    function test_RevertWhen_ClaimRefundOvercharges() external {
        MoodyToken moody = _bookAFailingRefund();
        vm.etch(address(moody), address(new OverchargingToken()).code);
        OverchargingToken(address(moody)).arm();
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_PayoutExceeded.selector,
                address(moody),
                uint256(11),
                uint256(10)
            )
        );
        autoPay.claimRefund(address(moody), payer);
    }

    function test_ClaimRefund_CannotBeReentered() external {
        MoodyToken moody = _bookAFailingRefund();
        vm.etch(address(moody), address(new ReentrantToken()).code);
        ReentrantToken evil = ReentrantToken(address(moody));
        evil.arm(address(autoPay), abi.encodeCall(autoPay.claimRefund, (address(moody), payer)));
        autoPay.claimRefund(address(moody), payer);
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(payer), 10, "paid once");
    }

    function test_Refund_SurvivesAReturnBomb() external {
        MoodyToken moody = new MoodyToken();
        creditChecked(moody, payer, 1000);
        moody.setMood(payer, MoodyToken.Mood.ReturnBomb);
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", payer, 10);
        vm.prank(relay);
        autoPay.book(address(moody), noSpends, refunds, 0);
        assertEq(moody.balanceOf(payer), 10, "paid");
    }

    function test_RevertWhen_RefundOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        creditChecked(evil, payer, 1000);
        evil.arm();
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", payer, 10);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_PayoutExceeded.selector,
                address(evil),
                uint256(11),
                uint256(10)
            )
        );
        vm.prank(relay);
        autoPay.book(address(evil), noSpends, refunds, 0);
    }

    /// @dev A token that pays and says that it did not: the refund would be owed once more.
    function test_RevertWhen_ARefundIsPaidAndDenied() external {
        MoodyToken moody = new MoodyToken();
        creditChecked(moody, payer, 1000);
        moody.setMood(payer, MoodyToken.Mood.FailsAfterPaying);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_PayoutExceeded.selector,
                address(moody),
                uint256(10),
                uint256(0)
            )
        );
        vm.prank(relay);
        autoPay.book(address(moody), noSpends, refundTo(payer, 10), 0);
    }

    function test_Refund_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        creditChecked(evil, payer, 1000);
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", payer, 10);
        evil.arm(address(autoPay), abi.encodeCall(autoPay.book, (address(evil), noSpends, refunds, 0)));
        vm.prank(relay);
        autoPay.book(address(evil), noSpends, refunds, 0);
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(payer), 10, "refunded once");
    }

    function testFuzz_Book_NeverBeyondWhatWasCollected(uint128[4] calldata amounts) external {
        uint256 left = 1000;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint128 amount = uint128(bound(amounts[i], 0, 1500));
            if (amount <= left) {
                bookChecked(token, amount, 1);
                left -= amount;
            } else {
                Spend[] memory spends = new Spend[](1);
                spends[0] = Spend(TODAY, MODEL, PROVIDER, amount);
                _expectBookRevert(
                    spends,
                    noRefunds,
                    1,
                    abi.encodeWithSelector(
                        IAutoPayLLM.AutoPayLLM_ExceedsUnbooked.selector,
                        address(token),
                        uint256(amount),
                        left
                    )
                );
            }
        }
        assertEq(autoPay.unbooked(address(token)), left, "unbooked");
    }

    /// @dev A refund of 10 for the payer that waits, in a token whose code may be changed afterwards.
    function _bookAFailingRefund() private returns (MoodyToken moody) {
        moody = new MoodyToken();
        creditChecked(moody, payer, 1000);
        moody.setMood(payer, MoodyToken.Mood.Blocked);
        vm.prank(relay);
        autoPay.book(address(moody), noSpends, refundTo(payer, 10), 0);
        assertEq(autoPay.claimableRefunds(address(moody), payer), 10, "waits");
        moody.setMood(payer, MoodyToken.Mood.Good);
    }

    function _notRefundable(address to, uint256 amount, uint256 refundable) private view returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_NotRefundable.selector,
                address(token),
                to,
                amount,
                refundable
            );
    }

    function _logSizeTooLarge(uint64 logSize, uint256 maximum) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_LogSizeTooLarge.selector, logSize, maximum);
    }

    function _logSizeTooSmall(uint64 logSize, uint256 minimum) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_LogSizeTooSmall.selector, logSize, minimum);
    }

    function _expectBookRevert(
        Spend[] memory spends,
        Refund[] memory refunds,
        uint64 logSize,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        vm.prank(relay);
        autoPay.book(address(token), spends, refunds, logSize);
    }
}

/// @notice A log that has as many entries as a booking's record can name.
contract EndlessLog {
    uint64 public constant latestSize = type(uint48).max;
    uint64 public constant MAX_GROWTH = 2 ** 24;
}
