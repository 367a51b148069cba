// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {
    AnchoredEntry,
    DisputeKind,
    DisputeState,
    IBillingDisputes,
    ProvenRow,
    SignedReceipt
} from "../../contracts/interfaces/IBillingDisputes.sol";
import {CallReceipt} from "../../contracts/types/CallReceipt.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {DisputeFixture} from "./helpers/DisputeFixture.sol";
import {Vm} from "./helpers/Vm.sol";
import {TestToken} from "./mocks/TestToken.sol";
import {
    FeeOnTransferToken,
    MoodyToken,
    NoReturnToken,
    OverchargingToken,
    ReentrantToken
} from "./mocks/WeirdTokens.sol";

/// @notice Behaves as USDT does, and can be told so after it was used as a plain token.
contract NoReturnTokenWithDecimals is NoReturnToken {
    function decimals() external pure returns (uint8) {
        return 6;
    }
}

/// @notice Can be stopped altogether, approvals included.
contract PausableToken is TestToken {
    bool public paused;

    function pause(bool on) external {
        paused = on;
    }

    function approve(address spender, uint256 value) public override returns (bool) {
        require(!paused, "paused");
        return super.approve(spender, value);
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!paused, "paused");
        super._update(from, to, value);
    }
}

/// @notice Where refunds, penalties and bonds come from and go to.
contract BillingDisputesMoneyTest is DisputeFixture {
    bytes private constant NOTHING_TO_PAY = abi.encodePacked(bytes4(keccak256("BillingDisputes_NothingToPay()")));

    function test_PayOutstanding_OnceTheChannelHasPaid() external {
        Money memory before = money();
        uint256 id = duplicate(1500);
        checkPaid(before, SETTLED, SETTLED / 2, 0);
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 1500, 0, 500);
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.payOutstanding(id);

        collectChecked(SETTLED + 300);
        before = money();
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.OutstandingPaid(id, 300, 150, 200);
        assertEq(disputes.payOutstanding(id), 300, "paid");
        checkPaid(before, 300, 150, 0);
        assertEq(disputes.getDispute(id).penaltyOutstanding, 100, "penalty of the rest");

        collectChecked(SETTLED + 900);
        before = money();
        assertEq(disputes.payOutstanding(id), 200, "the rest");
        checkPaid(before, 200, 100, 0);
        assertEq(disputes.getDispute(id).penaltyOutstanding, 0, "all of the penalty");
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 1500, 0, 0);
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.payOutstanding(id);
    }

    function test_PayOutstanding_OnceTheBondHasIt() external {
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND - 100);
        Money memory before = money();
        uint256 id = duplicate(300);
        checkPaid(before, 100, 0, 0);
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 300, 0, 200);
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.payOutstanding(id);

        depositBondChecked(token, 150);
        before = money();
        assertEq(disputes.payOutstanding(id), 150, "paid");
        checkPaid(before, 150, 0, 0);
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 300, 0, 50);

        // The refund comes first; the penalty waits for the bond like it.
        depositBondChecked(token, 80);
        before = money();
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.OutstandingPaid(id, 50, 30, 0);
        assertEq(disputes.payOutstanding(id), 50, "the rest");
        checkPaid(before, 50, 30, 0);
        depositBondChecked(token, 500);
        before = money();
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.OutstandingPaid(id, 0, 120, 0);
        assertEq(disputes.payOutstanding(id), 0, "nothing more for the payer");
        checkPaid(before, 0, 120, 0);
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.payOutstanding(id);
    }

    /// @dev Else a relay that plays the payer could take its bond out for the least penalty.
    function test_ADisputeBeforeTheMoney_AvoidsNoPenalty() external {
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        Money memory before = money();
        uint256 id = duplicate(5000);
        checkPaid(before, 0, MIN_PENALTY, 0);
        assertEq(disputes.getDispute(id).penalty, 2500, "half of the claim");
        assertEq(disputes.getDispute(id).penaltyOutstanding, 2500 - MIN_PENALTY, "the rest waits");
        bytes memory claims = defaultClaim("b", 5000, 5000);
        vm.prank(relay);
        autoPay.collect(address(token), claims);
        before = money();
        disputes.payOutstanding(id);
        checkPaid(before, 5000, 2500 - MIN_PENALTY, 0);
    }

    /// @dev A leaked key signs what it likes over a channel that never pays: it burns no more than the least penalty.
    function test_ADisputeOverMoneyThatNeverComes_BurnsTheLeastPenalty() external {
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        Money memory before = money();
        uint256 id = duplicate(type(uint128).max);
        checkPaid(before, 0, MIN_PENALTY, 0);
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.payOutstanding(id);
    }

    /// @dev A relay that disputes against itself before it collects does not use up the payer's claim.
    function test_ADisputeBeforeTheMoney_LosesNothing() external {
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        SignedReceipt memory one = signed(receiptOf(1, 300, 300));
        SignedReceipt memory other = signed(receiptOf(1, 1, 1));
        Money memory before = money();
        vm.prank(relay);
        uint256 id = disputes.disputeDuplicateSequence(one, other);
        checkPaid(before, 0, MIN_PENALTY, 0);

        bytes memory claims = defaultClaim("b", 300, 300);
        vm.prank(relay);
        autoPay.collect(address(token), claims);
        before = money();
        disputes.payOutstanding(id);
        checkPaid(before, 300, 150 - MIN_PENALTY, 0);
    }

    /// @dev The relay pays, settles and disputes as its own payer. It loses the penalty; nobody else loses anything.
    function test_ARelayThatPlaysThePayer_GainsNothing() external {
        vm.prank(payer);
        uint256 honest = disputes.challengeSettlement(channelId, noReceipt);
        bytes32 honestChannel = channelId;
        address honestPayer = payer;
        uint256 held = autoPay.bondOf(address(token)).frozen;
        assertEq(held, SETTLED + SETTLED / 2, "held for the honest payer");

        (payer, channelId) = (
            wallet("relay"),
            ChannelId.unwrap(openChannel(relay, address(autoPay), token, DEPOSIT, "b", address(0)))
        );
        bytes memory claims = packClaim(keyOf("relay"), relay, "b", address(0), uint96(DEPOSIT), uint96(DEPOSIT));
        vm.prank(relay);
        autoPay.collect(address(token), claims);

        uint256 bond = autoPay.bondOf(address(token)).amount;
        uint256 wealth = token.balanceOf(relay) + bond;
        Money memory before = money();
        duplicate(5000);
        checkPaid(before, 5000, 2500, 0);
        assertEq(
            token.balanceOf(relay) + autoPay.bondOf(address(token)).amount,
            wealth - 2500,
            "poorer by the penalty"
        );

        // Again and again, until nothing but what is held for the honest payer is left.
        disputes.disputeDuplicateSequence(signed(receiptOf(2, 90_000, 90_000)), signed(receiptOf(2, 1, 1)));
        assertEq(autoPay.bondOf(address(token)).amount, held, "what is held is out of reach");

        (payer, channelId) = (honestPayer, honestChannel);
        before = money();
        vm.warp(NOW + 24 hours);
        disputes.upholdChallenge(honest);
        checkPaid(before, SETTLED, SETTLED / 2, CLAIMANT_BOND);
    }

    /// @dev However the bond comes back in parts: the payer gets all that is due and no more, and the penalty is paid once.
    function testFuzz_PayOutstanding_InAnyParts(uint64[5] calldata parts, uint96 claimed, uint64 left) external {
        uint256 amount = bound(claimed, 2, SETTLED);
        uint256 bond = bound(left, 1, 2 * SETTLED);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND - bond);
        uint256 wealth = token.balanceOf(payer);
        uint256 id = duplicate(uint128(amount));
        uint256 penalty = disputes.getDispute(id).penalty;
        for (uint256 i = 0; i < parts.length; ++i) {
            uint128 part = uint128(bound(parts[i], 1, SETTLED));
            bond += part;
            depositBondChecked(token, part);
            if (disputes.getDispute(id).outstanding + disputes.getDispute(id).penaltyOutstanding != 0) {
                disputes.payOutstanding(id);
            }
            uint256 refunded = disputes.refundedOf(channelId);
            uint256 burned = token.balanceOf(autoPay.BURN_ADDRESS());
            assertEq(refunded, bond < amount ? bond : amount, "the refund as far as there is a bond");
            assertEq(token.balanceOf(payer) - wealth, refunded, "the payer has it");
            assertTrue(burned <= penalty, "no more than the penalty");
            if (bond >= amount + penalty) assertEq(burned, penalty, "all of it once the bond has it");
            assertEq(autoPay.bondOf(address(token)).amount, bond - refunded - burned, "the rest stays");
            assertEq(disputes.getDispute(id).outstanding, amount - refunded, "outstanding");
        }
    }

    /// @dev Money moves by channel and voucher alone: with all that gives it meaning broken, also while a close is pending.
    function test_Collect_NeedsNoPricesOraclesKeysDisputesOrLog() external {
        bytes memory claims = defaultClaim("a", SETTLED + 300, SETTLED + 300);
        bytes memory more = defaultClaim("a", SETTLED + 500, SETTLED + 500);
        address[7] memory parts = [
            address(priceBook),
            address(disputes.priceOracle()),
            address(feed),
            address(keys),
            address(disputes),
            address(auditLog),
            address(autoPay.modelBudgets())
        ];
        for (uint256 i = 0; i < parts.length; ++i) vm.etch(parts[i], hex"fe");
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), claims), 300, "collected");

        vm.prank(payer);
        channels.requestClose(ChannelId.wrap(channelId));
        vm.warp(NOW + 1 hours - 1);
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), more), 200, "collected within the grace period");
        assertEq(channels.getChannel(ChannelId.wrap(channelId)).settled, SETTLED + 500, "settled");
    }

    /// @dev What is due to a payer is senior to the relay's own wish for its bond.
    function test_PayOutstanding_ComesBeforeTheRelaysWithdrawal() external {
        SignedReceipt memory disputed = signed(receiptOf(9, 2000, 900));
        vm.prank(payer);
        uint256 metering = disputes.disputeMetering(disputed, 900);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND - 900);
        uint256 id = duplicate(300);
        checkDispute(metering, DisputeKind.Metering, DisputeState.Open, 900, 900, 0);
        assertEq(autoPay.bondOf(address(token)).owed, 300, "owed");
        vm.warp(NOW + 14 days);
        disputes.expire(metering);
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_BondNotFree.selector, address(token), uint256(601), 600)
        );
        vm.prank(relay);
        autoPay.withdrawBond(address(token), 601);

        Money memory before = money();
        disputes.payOutstanding(id);
        checkPaid(before, 300, 150, 0);
        assertEq(autoPay.bondOf(address(token)).owed, 0, "no longer owed");
    }

    /// @dev What a channel can never pay does not hold the bond.
    function test_PayOutstanding_LetsGoOfWhatAClosedChannelCannotPay() external {
        uint256 id = duplicate(type(uint128).max);
        assertEq(disputes.refundedOf(channelId), SETTLED, "what was paid");
        assertEq(autoPay.bondOf(address(token)).owed, DEPOSIT - SETTLED, "what the channel can still pay");
        vm.prank(payer);
        channels.requestClose(ChannelId.wrap(channelId));
        vm.warp(NOW + 2 days);
        vm.prank(payer);
        channels.withdraw(ChannelId.wrap(channelId));
        disputes.payOutstanding(id);
        assertEq(autoPay.bondOf(address(token)).owed, 0, "let go");
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.payOutstanding(id);
    }

    function test_UpholdChallenge_TakesWhatTheBondHasByThen() external {
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND - 100);
        vm.prank(payer);
        uint256 id = disputes.challengeSettlement(channelId, noReceipt);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open, SETTLED, 100, 0);
        depositBondChecked(token, 1100);
        Money memory before = money();
        vm.warp(NOW + 24 hours);
        disputes.upholdChallenge(id);
        checkPaid(before, SETTLED, 200, CLAIMANT_BOND);
    }

    function test_ADisputeBeforeTheMoneyWithoutAMinimum_TakesNothing() external {
        vm.prank(governance);
        disputes.setTokenTerms(address(token), CLAIMANT_BOND, 0);
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        Money memory before = money();
        vm.recordLogs();
        uint256 id = duplicate(300);
        assertEq(countRecorded(IAutoPayLLM.BondSlashed.selector), 0, "the bond is left alone");
        checkPaid(before, 0, 0, 0);
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 300, 0, 300);
    }

    function test_ADisputeBeforeTheMoney_BurnsALeastPenaltyOfOneUnit() external {
        vm.prank(governance);
        disputes.setTokenTerms(address(token), CLAIMANT_BOND, 1);
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        Money memory before = money();
        duplicate(300);
        checkPaid(before, 0, 1, 0);
    }

    /// @dev What several disputes of one channel leave to be paid adds up, and each part that is paid is let go.
    function test_Owed_OfTwoDisputesAddsUp() external {
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        uint256 one = duplicate(300);
        uint256 other = disputes.disputeDuplicateSequence(signed(receiptOf(2, 200, 200)), signed(receiptOf(2, 1, 1)));
        assertEq(autoPay.bondOf(address(token)).owed, 500, "owed");
        bytes memory claims = defaultClaim("b", 500, 500);
        vm.prank(relay);
        autoPay.collect(address(token), claims);
        disputes.payOutstanding(one);
        assertEq(autoPay.bondOf(address(token)).owed, 200, "the other's");
        disputes.payOutstanding(other);
        assertEq(autoPay.bondOf(address(token)).owed, 0, "nothing");
    }

    function test_AChallengeWithoutARelaysBond_HoldsNothingAndIsAnswered() external {
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND);
        vm.prank(payer);
        uint256 id = disputes.challengeSettlement(channelId, noReceipt);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open, SETTLED, 0, 0);
        SignedReceipt memory receipt = signed(receiptOf(1, SETTLED, FAIR));
        AnchoredEntry memory place = anchored(receipt.entry, NOW + 60);
        vm.recordLogs();
        answerSettlement(id, receipt, place);
        assertEq(countRecorded(IAutoPayLLM.BondFrozen.selector), 0, "nothing to let go");
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Answered, SETTLED, 0, 0);
        assertEq(autoPay.bondOf(address(token)).amount, CLAIMANT_BOND, "the claimant's is the relay's");
    }

    function test_AChallengeThatHoldsOneUnit_LetsItGo() external {
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND - 1);
        uint256 id = challenge();
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open, SETTLED, 1, 0);
        SignedReceipt memory receipt = signed(receiptOf(1, SETTLED, FAIR));
        answerSettlement(id, receipt, anchored(receipt.entry, NOW + 60));
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Answered, SETTLED, 0, 0);
    }

    function test_RevertGiven_NoBondIsDue() external {
        vm.expectRevert(NOTHING_TO_PAY);
        disputes.claimBond(address(token), payer);
    }

    function test_RevertWhen_TheClaimantCannotPayTheBond() external {
        vm.prank(payer);
        token.approve(address(disputes), CLAIMANT_BOND - 1);
        vm.expectRevert(
            abi.encodeWithSignature(
                "ERC20InsufficientAllowance(address,uint256,uint256)",
                address(disputes),
                CLAIMANT_BOND - 1,
                CLAIMANT_BOND
            )
        );
        vm.prank(payer);
        disputes.challengeSettlement(channelId, noReceipt);
    }

    function duplicate(uint128 amount) private returns (uint256) {
        return disputes.disputeDuplicateSequence(signed(receiptOf(1, amount, amount)), signed(receiptOf(1, 1, 1)));
    }

    function test_RevertWhen_TheTokenTakesAFeeFromTheBond() external {
        vm.etch(address(token), address(new FeeOnTransferToken()).code);
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_BondNotReceived.selector,
                CLAIMANT_BOND - 1,
                CLAIMANT_BOND
            )
        );
        vm.prank(payer);
        disputes.challengeSettlement(channelId, noReceipt);
    }

    function test_ATokenThatReturnsNothing_Works() external {
        vm.etch(address(token), address(new NoReturnTokenWithDecimals()).code);
        uint256 id = challenge();
        Money memory before = money();
        vm.warp(NOW + 24 hours);
        disputes.upholdChallenge(id);
        checkPaid(before, SETTLED, SETTLED / 2, CLAIMANT_BOND);
    }

    function test_ATokenThatReturnsNothing_WorksForForfeitedBonds() external {
        vm.etch(address(token), address(new NoReturnTokenWithDecimals()).code);
        uint256 id = challenge();
        SignedReceipt memory receipt = signed(receiptOf(1, SETTLED, FAIR));
        answerSettlement(id, receipt, anchored(receipt.entry, NOW + 60));
        assertEq(autoPay.bondOf(address(token)).amount, RELAY_BOND + CLAIMANT_BOND, "relay's bond");
    }

    /// @dev Whatever the token does to the claimant, the dispute ends, and what it is owed waits.
    function test_AClaimantThatCannotBePaid_StopsNothing() external {
        MoodyToken.Mood[5] memory moods = [
            MoodyToken.Mood.Blocked,
            MoodyToken.Mood.ReturnsFalse,
            MoodyToken.Mood.BurnsGas,
            MoodyToken.Mood.ReturnBomb,
            MoodyToken.Mood.RevertBomb
        ];
        MoodyToken moody = new MoodyToken();
        useToken(moody);
        for (uint64 i = 0; i < 5; ++i) {
            moody.setMood(payer, MoodyToken.Mood.Good);
            vm.warp(NOW + i * 1 days);
            CallReceipt memory receipt = receiptOf(i + 1, 10, 10);
            SignedReceipt memory disputed = signedWith(receipt, keyOf("relay"), NOW);
            vm.prank(payer);
            uint256 id = disputes.disputeMetering(disputed, 10);
            moody.setMood(payer, moods[i]);
            uint256 bonds = disputes.claimableBonds(address(moody), payer);
            vm.prank(governance);
            disputes.rule(id, 10);
            assertEq(uint256(disputes.getDispute(id).state), uint256(DisputeState.Upheld), "upheld");
            // A bomb of returndata pays, and is not copied.
            bool paid = moods[i] == MoodyToken.Mood.ReturnBomb;
            assertEq(disputes.claimableBonds(address(moody), payer), paid ? 0 : bonds + CLAIMANT_BOND, "bond waits");
        }
        moody.setMood(payer, MoodyToken.Mood.Good);
        uint256 balance = moody.balanceOf(payer);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.BondPaid(address(moody), payer, CLAIMANT_BOND);
        assertEq(disputes.claimBond(address(moody), payer), CLAIMANT_BOND, "claimed");
        assertEq(moody.balanceOf(payer), balance + CLAIMANT_BOND, "paid");
        assertEq(disputes.claimableBonds(address(moody), payer), 0, "once");
    }

    function test_AnswerSettlement_WhileTheTokenIsPaused() external {
        PausableToken pausable = new PausableToken();
        useToken(pausable);
        uint256 id = challenge();
        SignedReceipt memory receipt = signed(receiptOf(1, SETTLED, FAIR));
        AnchoredEntry memory place = anchored(receipt.entry, NOW + 60);
        pausable.pause(true);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.BondReturned(id, address(autoPay), address(pausable), CLAIMANT_BOND, false);
        answerSettlement(id, receipt, place);
        assertEq(disputes.claimableBonds(address(pausable), address(autoPay)), CLAIMANT_BOND, "waits");
        pausable.pause(false);
        disputes.claimBond(address(pausable), address(autoPay));
        assertEq(autoPay.bondOf(address(pausable)).amount, RELAY_BOND + CLAIMANT_BOND, "relay's bond");
        assertEq(pausable.balanceOf(address(disputes)), 0, "nothing left");
    }

    function test_RevertWhen_TheTokenTakesMoreThanThePayment() external {
        OverchargingToken greedy = new OverchargingToken();
        useToken(greedy);
        SignedReceipt memory disputed = signed(receiptOf(1, 10, 10));
        vm.prank(payer);
        uint256 id = disputes.disputeMetering(disputed, 10);
        greedy.arm();
        greedy.mint(address(disputes), 5);
        vm.warp(NOW + 14 days);
        disputes.expire(id);
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_PayoutExceeded.selector,
                address(greedy),
                CLAIMANT_BOND + 1,
                CLAIMANT_BOND
            )
        );
        disputes.claimBond(address(greedy), payer);
    }

    /// @dev The token calls back when the claimant's bond is taken, when the refund is paid, and when the bond goes back.
    function test_Reentrancy_IsRefusedAtEveryTransfer() external {
        ReentrantToken reentrant = new ReentrantToken();
        useToken(reentrant);
        bytes memory refused = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);

        reentrant.arm(address(disputes), abi.encodeCall(disputes.upholdChallenge, (1)));
        uint256 id = challenge();
        checkRefused(reentrant, refused);

        vm.warp(NOW + 24 hours);
        reentrant.arm(address(disputes), abi.encodeCall(disputes.upholdChallenge, (id)));
        disputes.upholdChallenge(id);
        checkRefused(reentrant, refused);
        assertEq(disputes.refundedOf(channelId), SETTLED, "refunded once");

        SignedReceipt memory disputed = signed(receiptOf(1, 10, 10));
        collect(reentrant, SETTLED + 10);
        vm.prank(payer);
        id = disputes.disputeMetering(disputed, 10);
        vm.warp(NOW + 15 days);
        reentrant.arm(address(disputes), abi.encodeCall(disputes.claimBond, (address(reentrant), payer)));
        uint256 balance = reentrant.balanceOf(payer);
        disputes.expire(id);
        checkRefused(reentrant, abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NothingToPay.selector));
        assertEq(reentrant.balanceOf(payer), balance + CLAIMANT_BOND, "paid once");
    }

    function test_Reentrancy_IsRefusedByEachFunction() external {
        ReentrantToken reentrant = new ReentrantToken();
        useToken(reentrant);
        reentrant.mint(payer, 100 * CLAIMANT_BOND);
        bytes[] memory calls = guardedCalls();
        bytes memory refused = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        for (uint64 i = 0; i < calls.length; ++i) {
            SignedReceipt memory disputed = signed(receiptOf(i + 1, 1, 1));
            reentrant.arm(address(disputes), calls[i]);
            vm.prank(payer);
            disputes.disputeMetering(disputed, 1);
            checkRefused(reentrant, refused);
        }
    }

    /// @dev A call of each guarded function. The guard comes first, so it does not matter what it is called with.
    function guardedCalls() private view returns (bytes[] memory calls) {
        SignedReceipt memory none;
        AnchoredEntry memory entry;
        ProvenRow memory row;
        calls = new bytes[](14);
        calls[0] = abi.encodeCall(disputes.disputeDuplicateSequence, (none, none));
        calls[1] = abi.encodeCall(disputes.disputeRunningTotal, (none, none));
        calls[2] = abi.encodeCall(disputes.disputeRewrittenIndex, (entry, entry));
        calls[3] = abi.encodeCall(disputes.disputeOvercharge, (none, row));
        calls[4] = abi.encodeCall(disputes.disputeUnpublishedPrices, (none));
        calls[5] = abi.encodeCall(disputes.challengeSettlement, (channelId, none));
        calls[6] = abi.encodeCall(disputes.challengeInclusion, (none));
        calls[7] = abi.encodeCall(disputes.disputeMetering, (none, 1));
        calls[8] = abi.encodeCall(disputes.answerChallenge, (1, entry));
        calls[9] = abi.encodeCall(disputes.answerSettlement, (1, none, 0, entry.anchor, entry.path));
        calls[10] = abi.encodeCall(disputes.upholdChallenge, (1));
        calls[11] = abi.encodeCall(disputes.rule, (1, 1));
        calls[12] = abi.encodeCall(disputes.expire, (1));
        calls[13] = abi.encodeCall(disputes.payOutstanding, (1));
    }

    function checkRefused(ReentrantToken reentrant, bytes memory expected) private view {
        assertTrue(reentrant.called() && reentrant.target() == address(0), "called back");
        assertEq(reentrant.succeeded(), false, "refused");
        assertEq(keccak256(reentrant.answer()), keccak256(expected), "with this error");
    }

    /// @dev How many of the recorded events are of this kind.
    function countRecorded(bytes32 topic) private returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) if (logs[i].topics[0] == topic) ++count;
    }

    function challenge() private returns (uint256 id) {
        vm.prank(payer);
        return disputes.challengeSettlement(channelId, noReceipt);
    }

    function collect(TestToken currency, uint96 settled) private {
        bytes memory claims = defaultClaim("a", settled, settled);
        vm.prank(relay);
        autoPay.collect(address(currency), claims);
    }

    /// @dev The usual channel, bond and terms once more, in another token.
    function useToken(TestToken currency) private {
        token = currency;
        vm.prank(governance);
        disputes.setTokenTerms(address(currency), CLAIMANT_BOND, MIN_PENALTY);
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), currency, DEPOSIT, "a", address(0)));
        collect(currency, SETTLED);
        depositBondChecked(currency, RELAY_BOND);
        currency.mint(payer, 10 * CLAIMANT_BOND);
        vm.prank(payer);
        currency.approve(address(disputes), type(uint256).max);
    }
}
