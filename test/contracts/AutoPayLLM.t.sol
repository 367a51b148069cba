// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AutoPayLLM} from "../../contracts/AutoPayLLM.sol";
import {Anchor} from "../../contracts/interfaces/IAuditLog.sol";
import {BookedSpend, Credit, IAutoPayLLM, Refund, Spend} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ReceiptBatch} from "../../contracts/types/ReceiptBatch.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {FeeOnTransferToken, MoodyToken, OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

contract AutoPayLLMCollectTest is BusinessFixture {
    function test_Collect_CountsWhatArrives() external {
        openChannel(payer, payee, token, DEPOSIT, "a", address(0));
        bytes memory claims = defaultClaim("a", 300, 200);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Collected(address(token), 200, 200);
        vm.prank(relay);
        autoPay.collect(address(token), claims);
        assertEq(token.balanceOf(address(autoPay)), 200, "held");
    }

    function test_Collect_CountsLessIfTheTokenTakesAFee() external {
        OverchargingToken plain = new OverchargingToken();
        openChannel(payer, payee, plain, DEPOSIT, "a", address(0));
        vm.etch(address(plain), address(new FeeOnTransferToken()).code);
        token = plain;
        bytes memory claims = defaultClaim("a", 300, 200);
        vm.prank(relay);
        assertEq(autoPay.collect(address(plain), claims), 199, "received");
        assertEq(autoPay.unbooked(address(plain)), 199, "unbooked");
    }

    function test_Collect_IgnoresDonations() external {
        token.mint(address(autoPay), 1000);
        collectChecked(token, "a", 200);
    }

    function test_Collect_DependsOnNothingButEscrow() external {
        budgets.breakDown();
        autoPay.setProvider(PROVIDER, address(0));
        vm.warp(START + 400 days);
        collectChecked(token, "a", 200);
    }

    function test_Collect_WorksWhileACloseIsPending() external {
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "a", address(0));
        vm.prank(payer);
        channels.requestClose(id);
        bytes memory claims = defaultClaim("a", 300, 300);
        vm.warp(START + 3599);
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), claims), 300, "received");
    }

    function test_Collect_OfNothingChangesNothing() external {
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), ""), 0, "received");
    }

    function test_RevertWhen_CallerIsNotTheRelay() external {
        bytes memory refused = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector,
            address(this),
            autoPay.RELAY_ROLE()
        );
        vm.expectRevert(refused);
        autoPay.collect(address(token), "");
        vm.expectRevert(refused);
        autoPay.book(address(token), noSpends, noRefunds, 0);
        vm.expectRevert(refused);
        autoPay.settle(address(token), "", noSpends, noRefunds, 0);
    }

    function test_RevertWhen_DisputeWindowIsOutOfRange() external {
        uint64[2] memory windows = [uint64(3599), 30 days + 1];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAutoPayLLM.AutoPayLLM_DisputeWindowOutOfRange.selector,
                    uint256(windows[i]),
                    uint256(1 hours),
                    uint256(30 days)
                )
            );
            new AutoPayLLM(channels, auditLog, budgets, address(this), windows[i]);
        }
    }

    function test_RegisterName_OnceIsEnough() external {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.NameRegistered(MODEL, "sim-small");
        assertEq(autoPay.registerName("sim-small"), MODEL, "id");
        assertEq(autoPay.isNameRegistered(MODEL), true, "registered");
        vm.recordLogs();
        assertEq(autoPay.registerName("sim-small"), MODEL, "same id");
        assertEq(vm.getRecordedLogs().length, 0, "no second event");
    }

    function test_RevertWhen_NameHasABadLength() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NameLength.selector, uint256(0), uint256(128)));
        autoPay.registerName("");
        autoPay.registerName(string(new bytes(128)));
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NameLength.selector, uint256(129), uint256(128)));
        autoPay.registerName(string(new bytes(129)));
    }

    function test_RevertWhen_SetProviderIsNotTheAdmins() external {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, relay, bytes32(0))
        );
        vm.prank(relay);
        autoPay.setProvider(PROVIDER, relay);
    }

    function test_HashReceiptBatch_IsBoundToChainAndContract() external {
        ReceiptBatch memory batch = ReceiptBatch("root", 3, 1_760_000_000_000);
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("AutoPayLLM"),
                keccak256("1"),
                CHAIN_ID,
                address(autoPay)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("ReceiptBatch(bytes32 root,uint64 size,uint64 signedAtMs)"),
                batch.root,
                batch.size,
                batch.signedAtMs
            )
        );
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", separator, structHash));
        assertEq(autoPay.hashReceiptBatch(batch), expected, "digest");
        vm.chainId(CHAIN_ID + 1);
        assertTrue(autoPay.hashReceiptBatch(batch) != expected, "another chain, another digest");
    }
}

contract AutoPayLLMBookTest is BusinessFixture {
    function setUp() public override {
        super.setUp();
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
        assertEq(budgets.consumed(MODEL, TODAY), 600, "consumed");
        assertEq(autoPay.getBatch(1).spendsHash, keccak256(abi.encode(expected)), "spendsHash");
    }

    function test_Book_OlderThanYesterdayIsOverBudget() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY - 2, MODEL, PROVIDER, 10);
        vm.prank(relay);
        autoPay.book(address(token), spends, noRefunds, 0);
        BookedSpend[] memory expected = new BookedSpend[](1);
        expected[0] = BookedSpend(TODAY - 2, MODEL, PROVIDER, payout, 10, false);
        assertEq(autoPay.getBatch(1).spendsHash, keccak256(abi.encode(expected)), "spendsHash");
        assertEq(budgets.consumed(MODEL, TODAY - 2), 0, "the budget was not asked");
    }

    function test_Settle_CollectsAndBooks() external {
        openChannel(payer, payee, token, DEPOSIT, "b", address(0));
        bytes memory claims = defaultClaim("b", 50, 50);
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 1050);
        vm.prank(relay);
        assertEq(autoPay.settle(address(token), claims, spends, noRefunds, 0), 1, "batch");
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
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", payer, 11);
        _expectBookRevert(
            spends,
            refunds,
            0,
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
            0,
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ProviderUnknown.selector, keccak256("nobody"))
        );
    }

    function test_RevertWhen_DayIsInTheFuture() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY + 1, MODEL, PROVIDER, 1);
        _expectBookRevert(
            spends,
            noRefunds,
            0,
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

    function test_RevertWhen_LogSizeIsTooLarge() external {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 1);
        _expectBookRevert(
            spends,
            noRefunds,
            1 << 48,
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_LogSizeTooLarge.selector, uint64(1 << 48))
        );
    }

    function test_Refund_IsPushed() external {
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", wallet("customer"), 30);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Refunded(1, wallet("customer"), "call", address(token), 30, true);
        vm.prank(relay);
        autoPay.book(address(token), noSpends, refunds, 0);
        assertEq(token.balanceOf(wallet("customer")), 30, "paid");
        assertEq(autoPay.unbooked(address(token)), 970, "unbooked");
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
            autoPay.claimRefund(address(moody), customer);
            assertEq(moody.balanceOf(customer), 10, "claimed");
            vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NothingToWithdraw.selector));
            autoPay.claimRefund(address(moody), customer);
        }
    }

    function test_Refund_SurvivesAReturnBomb() external {
        MoodyToken moody = new MoodyToken();
        collectChecked(moody, "moody", 1000);
        moody.setMood(payer, MoodyToken.Mood.ReturnBomb);
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", payer, 10);
        vm.prank(relay);
        autoPay.book(address(moody), noSpends, refunds, 0);
        assertEq(moody.balanceOf(payer), 10, "paid");
    }

    function test_RevertWhen_RefundOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        collectChecked(evil, "evil", 1000);
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

    function test_Refund_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        collectChecked(evil, "evil", 1000);
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", payer, 10);
        autoPay.grantRole(autoPay.RELAY_ROLE(), address(evil));
        evil.arm(address(autoPay), abi.encodeCall(autoPay.book, (address(evil), noSpends, refunds, 0)));
        vm.prank(relay);
        autoPay.book(address(evil), noSpends, refunds, 0);
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(evil.balanceOf(payer), 10, "refunded once");
    }

    function testFuzz_Book_NeverBeyondWhatWasCollected(uint128[4] calldata amounts) external {
        uint256 left = 1000;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint128 amount = uint128(bound(amounts[i], 0, 1500));
            if (amount <= left) {
                bookChecked(token, amount, 0);
                left -= amount;
            } else {
                Spend[] memory spends = new Spend[](1);
                spends[0] = Spend(TODAY, MODEL, PROVIDER, amount);
                _expectBookRevert(
                    spends,
                    noRefunds,
                    0,
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

contract AutoPayLLMReleaseTest is BusinessFixture {
    bytes32 private _creditId;

    function setUp() public override {
        super.setUp();
        collectChecked(token, "a", 1000);
        _creditId = autoPay.creditId(address(token), PROVIDER, payout);
    }

    function test_Release_AfterTheWindow() external {
        uint256 batchId = bookChecked(token, 400, 0);
        _expectWindowOpen(batchId, START + WINDOW - 1, START + WINDOW, noAnchor);
        vm.warp(START + WINDOW);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditAdded(_creditId, address(token), PROVIDER, payout, 400);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Released(batchId, true, 400);
        autoPay.release(batchId, booked(400, true), noAnchor);
        Credit memory credit = autoPay.getCredit(_creditId);
        assertEq(credit.token, address(token), "token");
        assertEq(credit.payout, payout, "payout");
        assertEq(credit.amount, 400, "amount");
    }

    function test_RevertGiven_AlreadyReleased() external {
        uint256 batchId = bookChecked(token, 400, 0);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), noAnchor);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AlreadyReleased.selector, batchId));
        autoPay.release(batchId, booked(400, true), noAnchor);
    }

    function test_RevertWhen_BatchIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BatchUnknown.selector, uint256(1)));
        autoPay.release(1, booked(400, true), noAnchor);
    }

    function test_RevertWhen_SpendsAreNotThoseBooked() external {
        uint256 batchId = bookChecked(token, 400, 0);
        vm.warp(START + WINDOW);
        BookedSpend[] memory forged = booked(400, true);
        forged[0].payout = wallet("thief");
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_SpendsMismatch.selector,
                keccak256(abi.encode(forged)),
                keccak256(abi.encode(booked(400, true)))
            )
        );
        autoPay.release(batchId, forged, noAnchor);
    }

    function test_Release_WaitsForTheCoveringAnchor() external {
        uint256 batchId = bookChecked(token, 400, 10);
        vm.warp(START + WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AnchorNotCovering.selector, uint64(0), uint64(0), uint64(10))
        );
        autoPay.release(batchId, booked(400, true), noAnchor);

        Anchor memory early = anchorChecked(START + WINDOW, 9);
        _expectNotCovering(batchId, early);
        Anchor memory first = anchorChecked(START + WINDOW + 100, 10);
        Anchor memory later = anchorChecked(START + WINDOW + 200, 11);
        _expectNotCovering(batchId, later);
        _expectWindowOpen(batchId, START + 2 * WINDOW + 99, START + 2 * WINDOW + 100, first);
        vm.warp(START + 2 * WINDOW + 100);
        autoPay.release(batchId, booked(400, true), first);
        assertEq(autoPay.getCredit(_creditId).amount, 400, "credited");
    }

    function test_Release_CountsFromBookingIfTheAnchorIsOlder() external {
        Anchor memory first = anchorChecked(START, 20);
        vm.warp(START + 500);
        uint256 batchId = bookChecked(token, 400, 10);
        _expectWindowOpen(batchId, START + 499 + WINDOW, START + 500 + WINDOW, first);
        vm.warp(START + 500 + WINDOW);
        autoPay.release(batchId, booked(400, true), first);
    }

    function test_RevertWhen_AnchorIsForged() external {
        uint256 batchId = bookChecked(token, 400, 10);
        anchorChecked(START + 1, 10);
        vm.warp(START + 2 * WINDOW);
        Anchor memory forged = Anchor(10, 0, uint64(START - WINDOW), "root", "cid");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AnchorUnknown.selector, uint64(10)));
        autoPay.release(batchId, booked(400, true), forged);
    }

    function test_OverBudget_IsReleasedByTheAdminOnly() external {
        budgets.exhaust(keccak256("sim-large"));
        Spend[] memory spends = new Spend[](2);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 600);
        spends[1] = Spend(TODAY, keccak256("sim-large"), PROVIDER, 300);
        vm.prank(relay);
        uint256 batchId = autoPay.book(address(token), spends, noRefunds, 0);
        BookedSpend[] memory all = new BookedSpend[](2);
        all[0] = BookedSpend(TODAY, MODEL, PROVIDER, payout, 600, true);
        all[1] = BookedSpend(TODAY, keccak256("sim-large"), PROVIDER, payout, 300, false);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, all, noAnchor);
        assertEq(autoPay.getCredit(_creditId).amount, 600, "the rest is withheld");

        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, relay, bytes32(0))
        );
        vm.prank(relay);
        autoPay.releaseOverBudget(batchId, all, noAnchor);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditAdded(_creditId, address(token), PROVIDER, payout, 300);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Released(batchId, false, 300);
        autoPay.releaseOverBudget(batchId, all, noAnchor);
        assertEq(autoPay.getCredit(_creditId).amount, 900, "all");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AlreadyReleased.selector, batchId));
        autoPay.releaseOverBudget(batchId, all, noAnchor);
    }

    function test_WithdrawCredits_PaysTheAddressOfTheBooking() external {
        uint256 batchId = bookChecked(token, 400, 0);
        autoPay.setProvider(PROVIDER, wallet("new payout"));
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), noAnchor);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditsWithdrawn(_creditId, address(token), payout, 400);
        vm.prank(wallet("anyone"));
        assertEq(autoPay.withdrawCredits(_creditId), 400, "amount");
        assertEq(token.balanceOf(payout), 400, "paid to the old address");
        assertEq(token.balanceOf(wallet("new payout")), 0, "not to the new one");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NothingToWithdraw.selector));
        autoPay.withdrawCredits(_creditId);
    }

    function test_RevertWhen_CreditIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NothingToWithdraw.selector));
        autoPay.withdrawCredits("unknown");
    }

    function test_WithdrawCredits_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        collectChecked(evil, "evil", 1000);
        uint256 first = bookChecked(evil, 400, 0);
        uint256 second = bookChecked(evil, 600, 0);
        vm.warp(START + WINDOW);
        autoPay.release(first, booked(400, true), noAnchor);
        bytes32 id = autoPay.creditId(address(evil), PROVIDER, payout);
        evil.arm(address(autoPay), abi.encodeCall(autoPay.withdrawCredits, (id)));
        autoPay.withdrawCredits(id);
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(evil.balanceOf(payout), 400, "paid once");
        autoPay.release(second, booked(600, true), noAnchor);
        autoPay.withdrawCredits(id);
        assertEq(evil.balanceOf(payout), 1000, "the second batch is not lost");
    }

    function test_RevertWhen_WithdrawOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        collectChecked(evil, "evil", 1000);
        uint256 batchId = bookChecked(evil, 400, 0);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), noAnchor);
        evil.arm();
        bytes32 id = autoPay.creditId(address(evil), PROVIDER, payout);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_PayoutExceeded.selector,
                address(evil),
                uint256(401),
                uint256(400)
            )
        );
        autoPay.withdrawCredits(id);
    }

    function _expectWindowOpen(uint256 batchId, uint256 at, uint256 releasableAt, Anchor memory anchor) private {
        vm.warp(at);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_DisputeWindowOpen.selector, at, releasableAt));
        autoPay.release(batchId, booked(400, true), anchor);
    }

    function _expectNotCovering(uint256 batchId, Anchor memory anchor) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AnchorNotCovering.selector,
                anchor.previousSize,
                anchor.size,
                uint64(10)
            )
        );
        autoPay.release(batchId, booked(400, true), anchor);
    }
}
