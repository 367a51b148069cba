// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {
    AnchoredEntry,
    Dispute,
    DisputeKind,
    DisputeState,
    IBillingDisputes,
    SignedReceipt
} from "../../contracts/interfaces/IBillingDisputes.sol";
import {CallReceipt} from "../../contracts/types/CallReceipt.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {DisputeFixture} from "./helpers/DisputeFixture.sol";

/// @notice Challenges and metering disputes: from opening to each of their ends.
contract BillingDisputesChallengeTest is DisputeFixture {
    /// @dev The payer's last receipt, 400 below what is settled, and its first.
    SignedReceipt private _last;
    SignedReceipt private _first;

    uint64 internal constant ANSWER_BY = NOW + 24 hours;
    uint64 internal constant RULE_BY = NOW + 14 days;
    uint64 internal constant READY_AT = CHARGED_AT + MERGE_DELAY;

    function setUp() public override {
        super.setUp();
        _last = signed(receiptOf(5, 600, FAIR));
        _first = signed(receiptOf(1, FAIR, FAIR));
    }

    /// @dev Opens as the payer; checks the claimant's bond, and what is held of the relay's.
    function checkOpened(uint256 id, Money memory before, uint256 exposed) internal view {
        Money memory now_ = money();
        assertEq(before.payer - now_.payer, CLAIMANT_BOND, "claimant's bond");
        assertEq(token.balanceOf(address(disputes)), CLAIMANT_BOND, "is here");
        assertEq(now_.bond, before.bond, "relay's bond");
        assertEq(autoPay.bondOf(address(token)).frozen, exposed, "held");
        Dispute memory dispute = disputes.getDispute(id);
        assertEq(dispute.claimant, payer, "claimant");
        assertEq(dispute.bond, CLAIMANT_BOND, "bond");
        assertEq(dispute.openedAt, NOW, "openedAt");
    }

    /// @dev Checks that the claimant's bond became the relay's, and that nothing else moved.
    function checkForfeited(Money memory before) internal view {
        Money memory now_ = money();
        assertEq(now_.payer, before.payer, "payer");
        assertEq(now_.bond, before.bond + CLAIMANT_BOND, "relay's bond");
        assertEq(now_.business, before.business + CLAIMANT_BOND, "is there");
        assertEq(now_.refunded, before.refunded, "nothing refunded");
        assertEq(now_.burned, before.burned, "nothing burned");
        assertEq(autoPay.bondOf(address(token)).frozen, 0, "nothing held");
        assertEq(token.balanceOf(address(disputes)), 0, "nothing left here");
    }

    function notPayer(address caller) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotPayer.selector, caller, payer);
    }

    function wrongState(uint256 id, DisputeKind kind, DisputeState state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_WrongState.selector, id, kind, state);
    }

    function tooEarly(uint256 at) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_TooEarly.selector, at);
    }

    function tooLate(uint256 at) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_TooLate.selector, at);
    }

    function outOfRange(uint256 amount, uint256 maximum) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_AmountOutOfRange.selector, amount, maximum);
    }

    function test_ChallengeSettlement_HoldsWhatItClaims() external {
        Money memory before = money();
        uint256 id = challenge(_last);
        checkOpened(id, before, 400 + 200);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open, 400, 600, 0);
        Dispute memory dispute = disputes.getDispute(id);
        assertEq(dispute.sequence, 5, "sequence");
        assertEq(dispute.leaf, leafOf(_last.entry), "leaf");
        assertEq(dispute.settled, SETTLED, "settled");
        assertEq(dispute.lastTotal, 600, "lastTotal");
        assertEq(dispute.penalty, 200, "penalty");
    }

    function test_UpholdChallenge_OfASettlement() external {
        uint256 id = challenge(_last);
        Money memory before = money();
        vm.warp(ANSWER_BY);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeUpheld(id, 400, 200, 0);
        disputes.upholdChallenge(id);
        checkPaid(before, 400, 200, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Upheld, 400, 0, 0);
    }

    function test_ChallengeSettlement_WithoutAnyReceipt() external {
        Money memory before = money();
        uint256 id = challenge(noReceipt);
        checkOpened(id, before, SETTLED + SETTLED / 2);
        before = money();
        vm.warp(ANSWER_BY);
        disputes.upholdChallenge(id);
        checkPaid(before, SETTLED, SETTLED / 2, CLAIMANT_BOND);
    }

    /// @dev A key that was retired long ago and then leaked could sign a last receipt that leaves no answer.
    function test_RevertWhen_TheLastReceiptIsTooOld() external {
        uint64 later = CHARGED_AT + 30 days + 1;
        vm.prank(relay);
        keys.addKey(wallet("fresh"));
        vm.prank(relay);
        keys.retireKey(relay);
        vm.warp(later);
        SignedReceipt memory forged = signed(receiptOf(type(uint64).max >> 1, 0, 0));
        vm.expectRevert(tooOld(CHARGED_AT, later - 30 days));
        vm.prank(payer);
        disputes.challengeSettlement(channelId, forged);

        // Without a receipt the payer claims all, and the relay's honest receipt answers.
        uint256 id = challenge(noReceipt);
        SignedReceipt memory honest = signedWith(receiptOf(100, SETTLED, FAIR), keyOf("fresh"), later - 10);
        answerSettlement(id, honest, anchored(honest.entry, later + 1));
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Answered, SETTLED, 0, 0);
    }

    /// @dev Above such a number no answer would be left.
    function test_RevertWhen_TheLastSequenceIsTooLarge() external {
        uint64 maximum = type(uint64).max >> 1;
        SignedReceipt memory last = signed(receiptOf(maximum + 1, 600, FAIR));
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_SequenceTooLarge.selector,
                maximum + 1,
                disputes.MAX_SEQUENCE()
            )
        );
        vm.prank(payer);
        disputes.challengeSettlement(channelId, last);
        uint256 id = challenge(signed(receiptOf(maximum, 600, FAIR)));
        assertEq(disputes.getDispute(id).sequence, maximum, "the largest");
    }

    function tooOld(uint256 at, uint256 earliest) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_TooOld.selector, at, earliest);
    }

    function test_AnswerSettlement_WithTheReceipt() external {
        uint256 id = challenge(_last);
        Money memory before = money();
        // The least that answers: the next sequence number, what was settled, and no gap.
        SignedReceipt memory receipt = signed(receiptOf(6, SETTLED, SETTLED - 600));
        AnchoredEntry memory place = anchored(receipt.entry, ANSWER_BY - 1);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeAnswered(id, leafOf(receipt.entry));
        vm.prank(wallet("anyone"));
        answerSettlement(id, receipt, place);
        checkForfeited(before);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Answered, 400, 0, 0);
        vm.expectRevert(wrongState(id, DisputeKind.SettledBeyondReceipt, DisputeState.Answered));
        answerSettlement(id, receipt, place);
        vm.warp(ANSWER_BY);
        vm.expectRevert(wrongState(id, DisputeKind.SettledBeyondReceipt, DisputeState.Answered));
        disputes.upholdChallenge(id);
    }

    function test_RevertWhen_TheReceiptDoesNotAccountForTheSettlement() external {
        uint256 id = challenge(_last);
        bytes32 mine = channelId;
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "b", address(0)));
        CallReceipt memory elsewhere = receiptOf(6, SETTLED, FAIR);
        channelId = mine;
        CallReceipt[5] memory bad = [
            receiptOf(5, SETTLED, FAIR),
            receiptOf(6, SETTLED - 1, FAIR),
            elsewhere,
            // Counts less before itself than the payer's last receipt did.
            receiptOf(6, SETTLED, SETTLED - 599),
            receiptOf(6, SETTLED, type(uint128).max)
        ];
        for (uint64 i = 0; i < bad.length; ++i) {
            SignedReceipt memory receipt = signed(bad[i]);
            AnchoredEntry memory place = anchoredAmong(4 + i, 2, receipt.entry, NOW + 60);
            vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotAnAnswer.selector));
            answerSettlement(id, receipt, place);
        }
    }

    /// @dev An entry that nobody signed could say anything, and would be evidence of nothing.
    function test_RevertWhen_TheAnswerIsNotSignedByTheRelay() external {
        uint256 id = challenge(_last);
        CallReceipt memory fake;
        fake.version = 1;
        fake.channelId = channelId;
        fake.sequence = type(uint64).max;
        fake.runningTotal = SETTLED;
        SignedReceipt memory unsigned = signedWith(fake, keyOf("stranger"), NOW);
        AnchoredEntry memory place = anchored(unsigned.entry, NOW + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_NotSignedByRelay.selector,
                wallet("stranger"),
                uint64(NOW)
            )
        );
        answerSettlement(id, unsigned, place);
        vm.expectRevert(wrongState(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open));
        disputes.answerChallenge(id, place);
    }

    function test_RevertWhen_TheAnswerIsOfAnotherPayerTokenOrVersion() external {
        uint256 id = challenge(_last);
        CallReceipt memory other = receiptOf(6, SETTLED, FAIR);
        other.payer = wallet("another payer");
        bytes memory refused = abi.encodeWithSelector(
            IBillingDisputes.BillingDisputes_NotAChannelCall.selector,
            channelId
        );
        refuseAnswer(id, other, 4, refused);
        other = receiptOf(6, SETTLED, FAIR);
        other.token = address(1);
        refuseAnswer(id, other, 5, refused);
        other = receiptOf(6, SETTLED, FAIR);
        other.version = 2;
        refused = abi.encodeWithSelector(IBillingDisputes.BillingDisputes_VersionUnknown.selector, uint16(2));
        refuseAnswer(id, other, 6, refused);
    }

    function refuseAnswer(uint256 id, CallReceipt memory bad, uint64 logSize, bytes memory refused) private {
        SignedReceipt memory receipt = signed(bad);
        AnchoredEntry memory place = anchoredAmong(logSize, 2, receipt.entry, NOW + 60);
        vm.expectRevert(refused);
        answerSettlement(id, receipt, place);
    }

    function test_RevertWhen_TheAnswerIsNotInTheLog() external {
        uint256 id = challenge(_last);
        SignedReceipt memory receipt = signed(receiptOf(6, SETTLED, FAIR));
        AnchoredEntry memory place = anchored(receipt.entry, NOW + 60);
        place.index = 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_NotInAnchor.selector,
                leafOf(receipt.entry),
                uint64(1)
            )
        );
        answerSettlement(id, receipt, place);
    }

    function test_RevertWhen_TheEntryIsNotInTheLog() external {
        AnchoredEntry memory answer = anchored(_first.entry, NOW);
        uint256 id = challengeLogged();
        answer.index = 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_NotInAnchor.selector,
                leafOf(_first.entry),
                uint64(1)
            )
        );
        disputes.answerChallenge(id, answer);
    }

    function test_RevertWhen_TheAnswerIsForTheOtherChallenge() external {
        uint256 id = challengeLogged();
        SignedReceipt memory receipt = signed(receiptOf(6, SETTLED, FAIR));
        AnchoredEntry memory place = anchored(receipt.entry, READY_AT + 1);
        vm.expectRevert(wrongState(id, DisputeKind.NotInLog, DisputeState.Open));
        answerSettlement(id, receipt, place);
    }

    function test_RevertGiven_TheAnswerWindowIsOver() external {
        uint256 id = challenge(_last);
        SignedReceipt memory receipt = signed(receiptOf(6, SETTLED, FAIR));
        AnchoredEntry memory place = anchored(receipt.entry, ANSWER_BY);
        vm.expectRevert(tooLate(ANSWER_BY));
        answerSettlement(id, receipt, place);
        vm.warp(NOW);
        AnchoredEntry memory answer = anchoredAmong(5, 2, _first.entry, READY_AT - 1);
        id = challengeLogged();
        vm.warp(READY_AT + 24 hours);
        vm.expectRevert(tooLate(READY_AT + 24 hours));
        disputes.answerChallenge(id, answer);
    }

    function test_RevertGiven_TheAnswerWindowIsOpen() external {
        uint256 id = challenge(_last);
        vm.warp(ANSWER_BY - 1);
        vm.expectRevert(tooEarly(ANSWER_BY));
        disputes.upholdChallenge(id);
    }

    function test_RevertWhen_TheChallengerIsNotThePayer() external {
        SignedReceipt memory last = _last;
        vm.expectRevert(notPayer(address(this)));
        disputes.challengeSettlement(channelId, last);
    }

    function test_RevertWhen_TheChannelIsNotTheRelays() external {
        ChannelId other = openChannel(payer, wallet("another payee"), token, DEPOSIT, "b", address(0));
        vm.expectRevert(
            abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotAChannelCall.selector, ChannelId.unwrap(other))
        );
        vm.prank(payer);
        disputes.challengeSettlement(ChannelId.unwrap(other), noReceipt);
    }

    function test_RevertWhen_TheLastReceiptIsOfAnotherChannel() external {
        CallReceipt memory elsewhere = receiptOf(5, 600, FAIR);
        elsewhere.channelId = "another";
        SignedReceipt memory last = signed(elsewhere);
        vm.expectRevert(notComparable());
        vm.prank(payer);
        disputes.challengeSettlement(channelId, last);
    }

    function test_RevertWhen_NothingIsSettledBeyond() external {
        SignedReceipt memory last = signed(receiptOf(5, SETTLED, FAIR));
        vm.expectRevert(noContradiction());
        vm.prank(payer);
        disputes.challengeSettlement(channelId, last);
    }

    function test_RevertGiven_TheSettledTotalWasAskedAbout() external {
        uint256 id = challenge(_last);
        bytes memory refused = alreadyDisputed(DisputeKind.SettledBeyondReceipt, channelId, bytes32(uint256(SETTLED)));
        vm.expectRevert(refused);
        vm.prank(payer);
        disputes.challengeSettlement(channelId, noReceipt);
        SignedReceipt memory receipt = signed(receiptOf(6, SETTLED, FAIR));
        answerSettlement(id, receipt, anchored(receipt.entry, NOW + 60));
        vm.expectRevert(refused);
        vm.prank(payer);
        disputes.challengeSettlement(channelId, noReceipt);
    }

    function test_ChallengeSettlement_ANewOneAsksForWhatWasSettledSince() external {
        challenge(_last);
        collectChecked(SETTLED + 30);
        uint256 id = challenge(_last);
        Dispute memory dispute = disputes.getDispute(id);
        assertEq(dispute.amount, 30, "amount");
        assertEq(dispute.settled, SETTLED + 30, "settled");
    }

    /// @dev What was refunded on other grounds since was part of what is claimed, whatever is settled later.
    function test_UpholdChallenge_PaysOnlyWhatWasNotRefundedSince() external {
        uint256 id = challenge(noReceipt);
        disputes.disputeDuplicateSequence(signed(receiptOf(1, 300, 300)), signed(receiptOf(1, 1, 1)));
        Money memory before = money();
        vm.warp(ANSWER_BY);
        disputes.upholdChallenge(id);
        checkPaid(before, SETTLED - 300, SETTLED / 2, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Upheld, SETTLED, 0, 0);
        assertEq(disputes.refundedOf(channelId), SETTLED, "all that was paid, and no more");
    }

    function test_ChallengeSettlement_ClaimsOnlyWhatWasNotRefunded() external {
        disputes.disputeDuplicateSequence(signed(receiptOf(1, 300, 300)), signed(receiptOf(1, 1, 1)));
        uint256 id = challenge(noReceipt);
        assertEq(disputes.getDispute(id).amount, SETTLED - 300, "amount");
    }

    function challenge(SignedReceipt memory last) private returns (uint256 id) {
        vm.prank(payer);
        return disputes.challengeSettlement(channelId, last);
    }

    /// @dev Whatever the last receipt says and the relay left of its bond: what is settled beyond comes back as far as
    /// the bond has it, the refund before the penalty, and not before the relay had its time.
    function testFuzz_ChallengeSettlement_PaysWhatIsSettledBeyond(uint128 total, uint64 left, uint64 waited) external {
        uint128 lastTotal = uint128(bound(total, 0, SETTLED - 1));
        uint256 bond = bound(left, 1, 2 * SETTLED);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), RELAY_BOND - bond);
        uint256 amount = SETTLED - lastTotal;
        uint256 penalty = amount / 2 < MIN_PENALTY ? MIN_PENALTY : amount / 2;

        uint256 id = challenge(signed(receiptOf(5, lastTotal, 0)));
        uint256 held = bond < amount + penalty ? bond : amount + penalty;
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open, amount, held, 0);
        Money memory before = money();
        uint256 at = NOW + bound(waited, 0, 48 hours);
        vm.warp(at);
        if (at < ANSWER_BY) {
            vm.expectRevert(tooEarly(ANSWER_BY));
            return disputes.upholdChallenge(id);
        }
        disputes.upholdChallenge(id);
        uint256 refund = bond < amount ? bond : amount;
        checkPaid(before, refund, bond - refund < penalty ? bond - refund : penalty, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Upheld, amount, 0, amount - refund);
    }

    /// @dev Of all receipts of the channel those answer that come later, reach what was settled, and leave no gap.
    function testFuzz_AnswerSettlement_OnlyByWhatAccountsForIt(
        uint64 sequence,
        uint128 total,
        uint128 amount
    ) external {
        uint256 id = challenge(_last);
        // Near the edges: each of the three conditions fails and holds in many runs.
        sequence = uint64(bound(sequence, 4, 8));
        total = uint128(bound(total, SETTLED - 2, SETTLED + 2));
        amount = uint128(bound(amount, SETTLED - 604, SETTLED - 596));
        bool isAnswer = sequence > 5 && total >= SETTLED && total >= amount + 600;
        SignedReceipt memory receipt = signed(receiptOf(sequence, total, amount));
        AnchoredEntry memory place = anchored(receipt.entry, NOW + 60);
        Money memory before = money();
        if (!isAnswer) vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotAnAnswer.selector));
        answerSettlement(id, receipt, place);
        if (isAnswer) checkForfeited(before);
        else checkDispute(id, DisputeKind.SettledBeyondReceipt, DisputeState.Open, 400, 600, 0);
    }

    /// @dev A ruling gives what it says of what was claimed, and leaves the rest to be claimed on other grounds.
    function testFuzz_Rule_GivesWhatItSays(uint128 claimed, uint128 ruled) external {
        claimed = uint128(bound(claimed, 1, FAIR));
        ruled = uint128(bound(ruled, 0, 2 * FAIR));
        vm.prank(payer);
        uint256 id = disputes.disputeMetering(_first, claimed);
        Money memory before = money();
        if (ruled > claimed) vm.expectRevert(outOfRange(ruled, claimed));
        vm.prank(governance);
        disputes.rule(id, ruled);
        if (ruled > claimed) return checkDispute(id, DisputeKind.Metering, DisputeState.Open, claimed, claimed, 0);
        assertEq(disputes.claimedOf(channelId, 1), ruled, "claimed");
        if (ruled == 0) checkForfeited(before);
        else checkPaid(before, ruled, 0, CLAIMANT_BOND);
    }

    function test_UpholdChallenge_OfAMissingEntry() external {
        Money memory before = money();
        uint256 id = challengeLogged();
        assertEq(before.payer - token.balanceOf(payer), CLAIMANT_BOND, "claimant's bond");
        checkDispute(id, DisputeKind.NotInLog, DisputeState.Open, FAIR, FAIR + FAIR / 2, 0);
        assertEq(disputes.claimedOf(channelId, 1), FAIR, "claimed");
        before = money();
        vm.warp(READY_AT + 24 hours);
        disputes.upholdChallenge(id);
        checkPaid(before, FAIR, FAIR / 2, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.NotInLog, DisputeState.Upheld, FAIR, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), FAIR, "stays claimed");
    }

    function test_UpholdChallenge_OfAMissingEntryOwesWhatTheChannelHasNotPaid() external {
        SignedReceipt memory receipt = signed(receiptOf(1, SETTLED + 500, SETTLED + 500));
        vm.warp(READY_AT);
        vm.prank(payer);
        uint256 id = disputes.challengeInclusion(receipt);
        Money memory before = money();
        vm.warp(READY_AT + 24 hours);
        disputes.upholdChallenge(id);
        checkPaid(before, SETTLED, (SETTLED + 500) / 2, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.NotInLog, DisputeState.Upheld, SETTLED + 500, 0, 500);
    }

    function test_AnswerChallenge_WithTheVeryEntry() external {
        AnchoredEntry memory answer = anchored(_first.entry, READY_AT - 1);
        uint256 id = challengeLogged();
        Money memory before = money();
        disputes.answerChallenge(id, answer);
        checkForfeited(before);
        checkDispute(id, DisputeKind.NotInLog, DisputeState.Answered, FAIR, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 0, "no longer claimed");
    }

    /// @dev Else a relay could log only what is asked for, and earn the claimants' bonds.
    function test_RevertWhen_TheEntryWasAnchoredWhenAskedFor() external {
        uint256 id = challengeLogged();
        AnchoredEntry memory answer = anchored(_first.entry, READY_AT);
        vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotAnAnswer.selector));
        disputes.answerChallenge(id, answer);
    }

    function test_RevertWhen_TheEntryIsAnother() external {
        AnchoredEntry memory answer = anchored(abi.encode(receiptOf(1, FAIR, FAIR + 1)), NOW);
        uint256 id = challengeLogged();
        vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotAnAnswer.selector));
        disputes.answerChallenge(id, answer);
    }

    function test_RevertGiven_TheMergeDelayIsNotOver() external {
        vm.warp(READY_AT - 1);
        SignedReceipt memory receipt = _first;
        vm.expectRevert(tooEarly(READY_AT));
        vm.prank(payer);
        disputes.challengeInclusion(receipt);
    }

    /// @dev A time of charge that lies far ahead does not put the challenge off.
    function test_ChallengeInclusion_OfAChargeDatedAhead() external {
        CallReceipt memory ahead = receiptOf(1, FAIR, FAIR);
        ahead.chargedAtMs = type(uint64).max;
        SignedReceipt memory receipt = signed(ahead);
        vm.warp(READY_AT - 1);
        vm.expectRevert(tooEarly(READY_AT));
        vm.prank(payer);
        disputes.challengeInclusion(receipt);
        vm.warp(READY_AT);
        vm.prank(payer);
        uint256 id = disputes.challengeInclusion(receipt);
        checkDispute(id, DisputeKind.NotInLog, DisputeState.Open, FAIR, FAIR + FAIR / 2, 0);
    }

    function test_RevertWhen_TheInclusionIsAskedForByAnother() external {
        vm.warp(READY_AT);
        SignedReceipt memory receipt = _first;
        vm.expectRevert(notPayer(address(this)));
        disputes.challengeInclusion(receipt);
    }

    function test_RevertGiven_TheReceiptWasAskedFor() external {
        challengeLogged();
        SignedReceipt memory receipt = _first;
        vm.expectRevert(alreadyDisputed(DisputeKind.NotInLog, leafOf(receipt.entry), 0));
        vm.prank(payer);
        disputes.challengeInclusion(receipt);
    }

    function challengeLogged() private returns (uint256 id) {
        vm.warp(READY_AT);
        vm.prank(payer);
        return disputes.challengeInclusion(_first);
    }

    function test_DisputeMetering_HoldsTheAmountWithoutAPenalty() external {
        Money memory before = money();
        uint256 id = openMetering(100);
        checkOpened(id, before, 100);
        checkDispute(id, DisputeKind.Metering, DisputeState.Open, 100, 100, 0);
        assertEq(disputes.claimedOf(channelId, 1), 100, "claimed");
        assertEq(disputes.getDispute(id).leaf, leafOf(_first.entry), "leaf");
        assertEq(disputes.getDispute(id).sequence, 1, "sequence");
    }

    function test_Rule_RefundsWhatItSays() external {
        uint256 id = openMetering(100);
        Money memory before = money();
        vm.warp(RULE_BY - 1);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeUpheld(id, 70, 0, 0);
        vm.prank(governance);
        disputes.rule(id, 70);
        checkPaid(before, 70, 0, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.Metering, DisputeState.Upheld, 100, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 70, "the rest can be claimed on other grounds");
    }

    function test_Rule_RefundsOneUnit() external {
        uint256 id = openMetering(100);
        Money memory before = money();
        vm.prank(governance);
        disputes.rule(id, 1);
        checkPaid(before, 1, 0, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.Metering, DisputeState.Upheld, 100, 0, 0);
    }

    function test_Rule_RejectsAtTheClaimantsCost() external {
        uint256 id = openMetering(100);
        Money memory before = money();
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeRejected(id);
        vm.prank(governance);
        disputes.rule(id, 0);
        checkForfeited(before);
        checkDispute(id, DisputeKind.Metering, DisputeState.Rejected, 100, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 0, "no longer claimed");
    }

    function test_Expire_GivesEachSideItsOwnBack() external {
        uint256 id = openMetering(100);
        Money memory before = money();
        vm.warp(RULE_BY);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeExpired(id);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.BondReturned(id, payer, address(token), CLAIMANT_BOND, true);
        disputes.expire(id);
        checkPaid(before, 0, 0, CLAIMANT_BOND);
        checkDispute(id, DisputeKind.Metering, DisputeState.Expired, 100, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 0, "no longer claimed");
    }

    function test_RevertWhen_TheJudgeIsNotTheGovernance() external {
        uint256 id = openMetering(100);
        vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotGovernance.selector, relay));
        vm.prank(relay);
        disputes.rule(id, 0);
    }

    function test_RevertWhen_TheRulingIsAboveTheClaim() external {
        uint256 id = openMetering(100);
        vm.expectRevert(outOfRange(101, 100));
        vm.prank(governance);
        disputes.rule(id, 101);
    }

    function test_RevertGiven_TheRulingWindowIsOver() external {
        uint256 id = openMetering(100);
        vm.warp(RULE_BY);
        vm.expectRevert(tooLate(RULE_BY));
        vm.prank(governance);
        disputes.rule(id, 100);
    }

    function test_RevertGiven_TheRulingWindowIsOpen() external {
        uint256 id = openMetering(100);
        vm.warp(RULE_BY - 1);
        vm.expectRevert(tooEarly(RULE_BY));
        disputes.expire(id);
    }

    function test_RevertWhen_TheDisputeIsOfAnotherStyle() external {
        AnchoredEntry memory answer = anchored(_first.entry, NOW);
        uint256 metering = openMetering(100);
        bytes memory refused = wrongState(metering, DisputeKind.Metering, DisputeState.Open);
        vm.expectRevert(refused);
        disputes.answerChallenge(metering, answer);
        vm.expectRevert(refused);
        disputes.upholdChallenge(metering);
        vm.prank(payer);
        uint256 challengeId = disputes.challengeSettlement(channelId, noReceipt);
        refused = wrongState(challengeId, DisputeKind.SettledBeyondReceipt, DisputeState.Open);
        vm.expectRevert(refused);
        vm.prank(governance);
        disputes.rule(challengeId, 0);
        vm.expectRevert(refused);
        disputes.expire(challengeId);
        vm.expectRevert(refused);
        disputes.payOutstanding(challengeId);
    }

    function test_RevertGiven_ThereIsNoSuchDispute() external {
        bytes memory refused = wrongState(7, DisputeKind.None, DisputeState.None);
        vm.expectRevert(refused);
        disputes.expire(7);
        vm.expectRevert(refused);
        disputes.upholdChallenge(7);
        vm.expectRevert(refused);
        disputes.payOutstanding(7);
    }

    function test_RevertGiven_ItIsDecided() external {
        uint256 id = openMetering(100);
        vm.prank(governance);
        disputes.rule(id, 100);
        bytes memory refused = wrongState(id, DisputeKind.Metering, DisputeState.Upheld);
        vm.expectRevert(refused);
        vm.prank(governance);
        disputes.rule(id, 100);
        vm.expectRevert(refused);
        disputes.expire(id);
    }

    function test_RevertWhen_TheClaimIsNothingOrAboveTheReceipt() external {
        SignedReceipt memory receipt = _first;
        vm.expectRevert(outOfRange(0, FAIR));
        vm.prank(payer);
        disputes.disputeMetering(receipt, 0);
        vm.expectRevert(outOfRange(FAIR + 1, FAIR));
        vm.prank(payer);
        disputes.disputeMetering(receipt, FAIR + 1);
        assertEq(disputes.getDispute(openMetering(FAIR)).amount, FAIR, "all of it");
    }

    function test_RevertWhen_TheClaimIsAboveWhatTheChannelPaid() external {
        SignedReceipt memory receipt = signed(receiptOf(1, 2000, 2000));
        vm.expectRevert(outOfRange(SETTLED + 1, SETTLED));
        vm.prank(payer);
        disputes.disputeMetering(receipt, SETTLED + 1);
    }

    function test_RevertWhen_TheClaimIsAboveWhatWasNotRefunded() external {
        disputes.disputeDuplicateSequence(signed(receiptOf(2, 300, 300)), signed(receiptOf(2, 1, 1)));
        SignedReceipt memory receipt = signed(receiptOf(1, 2000, 2000));
        vm.expectRevert(outOfRange(SETTLED - 299, SETTLED - 300));
        vm.prank(payer);
        disputes.disputeMetering(receipt, SETTLED - 299);
    }

    function test_RevertWhen_TheClaimIsAboveWhatIsNotClaimed() external {
        disputes.disputeOvercharge(signed(receiptOf(1, FAIR + 76, FAIR + 76)), proven(0));
        SignedReceipt memory receipt = signed(receiptOf(1, FAIR + 76, FAIR + 76));
        vm.expectRevert(outOfRange(FAIR + 1, FAIR));
        vm.prank(payer);
        disputes.disputeMetering(receipt, FAIR + 1);
    }

    function test_RevertWhen_TheClaimantIsNotThePayer() external {
        SignedReceipt memory receipt = _first;
        vm.expectRevert(notPayer(address(this)));
        disputes.disputeMetering(receipt, 100);
    }

    function test_RevertGiven_TheReceiptIsOrWasInDispute() external {
        uint256 id = openMetering(50);
        SignedReceipt memory receipt = _first;
        bytes memory refused = alreadyDisputed(DisputeKind.Metering, leafOf(receipt.entry), 0);
        vm.expectRevert(refused);
        vm.prank(payer);
        disputes.disputeMetering(receipt, 50);
        vm.warp(RULE_BY);
        disputes.expire(id);
        vm.expectRevert(refused);
        vm.prank(payer);
        disputes.disputeMetering(receipt, 50);
    }

    function openMetering(uint128 amount) private returns (uint256 id) {
        vm.prank(payer);
        return disputes.disputeMetering(_first, amount);
    }
}
