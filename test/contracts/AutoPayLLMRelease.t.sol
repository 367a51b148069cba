// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Anchor} from "../../contracts/interfaces/IAuditLog.sol";
import {BookedSpend, Credit, IAutoPayLLM, Spend} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {NoReturnToken, MoodyToken, OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";
import {TestToken} from "./mocks/TestToken.sol";

contract AutoPayLLMReleaseTest is BusinessFixture {
    bytes32 private _creditId;

    function setUp() public override {
        super.setUp();
        depositBondChecked(token, BOND);
        collectChecked(token, "a", 1000);
        _creditId = autoPay.creditId(address(token), PROVIDER, payout);
    }

    function test_Release_AfterTheWindow() external {
        uint256 batchId = bookChecked(token, 400, 1);
        _expectWindowOpen(batchId, START + WINDOW - 1, START + WINDOW, firstAnchor);
        vm.warp(START + WINDOW);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditAdded(_creditId, address(token), PROVIDER, payout, 400);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Released(batchId, true, 400);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        Credit memory credit = autoPay.getCredit(_creditId);
        assertEq(credit.token, address(token), "token");
        assertEq(credit.payout, payout, "payout");
        assertEq(credit.amount, 400, "amount");
        assertEq(autoPay.unreleased(address(token)), 0, "the bond need not cover it any more");
    }

    function test_RevertGiven_AlreadyReleased() external {
        uint256 batchId = bookChecked(token, 400, 1);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AlreadyReleased.selector, batchId));
        autoPay.release(batchId, booked(400, true), firstAnchor);
    }

    function test_RevertWhen_BatchIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BatchUnknown.selector, uint256(1)));
        autoPay.release(1, booked(400, true), firstAnchor);
    }

    function test_RevertWhen_SpendsAreNotThoseBooked() external {
        uint256 batchId = bookChecked(token, 400, 1);
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
        autoPay.release(batchId, forged, firstAnchor);
    }

    function test_Release_WaitsForTheCoveringAnchor() external {
        uint256 batchId = bookChecked(token, 400, 10);
        vm.warp(START + WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AnchorNotCovering.selector, uint64(0), uint64(1), uint64(10))
        );
        autoPay.release(batchId, booked(400, true), firstAnchor);

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
        Anchor memory first = anchorChecked(START, 10);
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
        Anchor memory forged = Anchor(10, 1, uint64(START - WINDOW), "root", "cid");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AnchorUnknown.selector, uint64(10)));
        autoPay.release(batchId, booked(400, true), forged);
    }

    function test_RevertWhen_AnchorOfTheFirstEntryIsForged() external {
        uint256 batchId = bookChecked(token, 400, 1);
        vm.warp(START + WINDOW);
        Anchor memory forged = Anchor(1, 0, uint64(START), "another root", "cid");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AnchorUnknown.selector, uint64(1)));
        autoPay.release(batchId, booked(400, true), forged);
    }

    function test_Release_OfRefundsAloneNeedsNoAnchor() external {
        creditChecked(token, payer, 10);
        vm.prank(relay);
        uint256 batchId = autoPay.book(address(token), noSpends, refundTo(payer, 10), 0);
        vm.warp(START + WINDOW);
        Anchor memory none;
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Released(batchId, true, 0);
        autoPay.release(batchId, new BookedSpend[](0), none);
    }

    function test_OverBudget_IsReleasedByTheAdminOnly() external {
        budgets.exhaust(keccak256("sim-large"));
        Spend[] memory spends = new Spend[](2);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, 600);
        spends[1] = Spend(TODAY, keccak256("sim-large"), PROVIDER, 300);
        vm.prank(relay);
        uint256 batchId = autoPay.book(address(token), spends, noRefunds, 1);
        BookedSpend[] memory all = new BookedSpend[](2);
        all[0] = BookedSpend(TODAY, MODEL, PROVIDER, payout, 600, true);
        all[1] = BookedSpend(TODAY, keccak256("sim-large"), PROVIDER, payout, 300, false);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, all, firstAnchor);
        assertEq(autoPay.getCredit(_creditId).amount, 600, "the rest is withheld");

        vm.expectRevert(missingRole(relay, bytes32(0)));
        vm.prank(relay);
        autoPay.releaseOverBudget(batchId, all, firstAnchor);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditAdded(_creditId, address(token), PROVIDER, payout, 300);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Released(batchId, false, 300);
        autoPay.releaseOverBudget(batchId, all, firstAnchor);
        assertEq(autoPay.getCredit(_creditId).amount, 900, "all");
        assertEq(autoPay.unreleased(address(token)), 0, "withheld money never was unreleased");
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AlreadyReleased.selector, batchId));
        autoPay.releaseOverBudget(batchId, all, firstAnchor);
    }

    function test_WithdrawCredits_PaysTheAddressOfTheBooking() external {
        uint256 batchId = bookChecked(token, 400, 1);
        autoPay.setProvider(PROVIDER, wallet("new payout"));
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
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
        depositBondChecked(evil, BOND);
        uint256 first = bookChecked(evil, 400, 1);
        uint256 second = bookChecked(evil, 600, 1);
        vm.warp(START + WINDOW);
        autoPay.release(first, booked(400, true), firstAnchor);
        bytes32 id = autoPay.creditId(address(evil), PROVIDER, payout);
        evil.arm(address(autoPay), abi.encodeCall(autoPay.withdrawCredits, (id)));
        autoPay.withdrawCredits(id);
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(payout), 400, "paid once");
        autoPay.release(second, booked(600, true), firstAnchor);
        autoPay.withdrawCredits(id);
        assertEq(evil.balanceOf(payout), 1000, "the second batch is not lost");
    }

    function test_RevertWhen_WithdrawOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        collectChecked(evil, "evil", 1000);
        depositBondChecked(evil, BOND);
        uint256 batchId = bookChecked(evil, 400, 1);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
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

    function test_WithdrawCredits_OfATokenThatReturnsNothing() external {
        uint256 batchId = bookChecked(token, 400, 1);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        vm.etch(address(token), address(new NoReturnToken()).code);
        NoReturnToken(address(token)).mint(address(autoPay), 1000);
        autoPay.withdrawCredits(_creditId);
        assertEq(NoReturnToken(address(token)).balanceOf(payout), 400, "paid");
    }

    function test_WithdrawCredits_WaitsWhereTheTokenRefuses() external {
        MoodyToken moody = new MoodyToken();
        collectChecked(moody, "moody", 400);
        depositBondChecked(moody, BOND);
        uint256 batchId = bookChecked(moody, 400, 1);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        bytes32 id = autoPay.creditId(address(moody), PROVIDER, payout);
        moody.setMood(payout, MoodyToken.Mood.Blocked);
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "blocked"));
        autoPay.withdrawCredits(id);
        moody.setMood(payout, MoodyToken.Mood.ReturnsFalse);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(moody)));
        autoPay.withdrawCredits(id);
        moody.setMood(payout, MoodyToken.Mood.Good);
        assertEq(autoPay.withdrawCredits(id), 400, "nothing is lost");
    }

    function test_Release_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        collectChecked(evil, "evil", 1000);
        depositBondChecked(evil, BOND);
        uint256 first = bookChecked(evil, 400, 1);
        uint256 second = bookChecked(evil, 600, 1);
        vm.warp(START + WINDOW);
        autoPay.release(first, booked(400, true), firstAnchor);
        evil.arm(address(autoPay), abi.encodeCall(autoPay.release, (second, booked(600, true), firstAnchor)));
        autoPay.withdrawCredits(autoPay.creditId(address(evil), PROVIDER, payout));
        assertReentryRefused(evil);
    }

    function testFuzz_Release_CreditsExactlyWhatIsWithinBudget(uint64[4] calldata amounts, uint8 exhausted) external {
        bytes32[4] memory models = [bytes32("m0"), "m1", "m2", "m3"];
        TestToken other = new TestToken();
        Spend[] memory spends = new Spend[](4);
        BookedSpend[] memory all = new BookedSpend[](4);
        uint256 within = 0;
        uint256 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            bool isWithin = (exhausted >> i) & 1 == 0;
            uint128 amount = uint128(bound(amounts[i], 0, DEPOSIT / 4));
            if (!isWithin) budgets.exhaust(models[i]);
            spends[i] = Spend(TODAY, models[i], PROVIDER, amount);
            all[i] = BookedSpend(TODAY, models[i], PROVIDER, payout, amount, isWithin);
            if (isWithin) within += amount;
            total += amount;
        }
        collectChecked(other, "fuzz", uint96(total + 1));
        depositBondChecked(other, within + 1);
        vm.prank(relay);
        uint256 batchId = autoPay.book(address(other), spends, noRefunds, 1);
        assertEq(autoPay.unreleased(address(other)), within, "unreleased");
        vm.warp(START + WINDOW);
        bytes32 id = autoPay.creditId(address(other), PROVIDER, payout);
        autoPay.release(batchId, all, firstAnchor);
        assertEq(autoPay.getCredit(id).amount, within, "within budget");
        autoPay.releaseOverBudget(batchId, all, firstAnchor);
        assertEq(autoPay.getCredit(id).amount, total, "all");
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
