// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {BillingDisputes} from "../../contracts/BillingDisputes.sol";
import {PriceOracle} from "../../contracts/PriceOracle.sol";
import {IAuditLog} from "../../contracts/interfaces/IAuditLog.sol";
import {
    AnchoredEntry,
    BillingDisputesConfig,
    Dispute,
    DisputeKind,
    DisputeState,
    IBillingDisputes,
    ProvenRow,
    SignedReceipt,
    TokenTerms
} from "../../contracts/interfaces/IBillingDisputes.sol";
import {CallReceipt} from "../../contracts/types/CallReceipt.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {DisputeFixture} from "./helpers/DisputeFixture.sol";
import {TestToken} from "./mocks/TestToken.sol";

/// @notice A token with any number of decimals.
contract ManyDecimalsToken is TestToken {
    uint8 private immutable _decimals;

    constructor(uint8 count) {
        _decimals = count;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}

/// @notice A registry to which every key is one of the relay's, nobody's too.
contract GullibleRegistry {
    function isValidAt(address, uint64) external pure returns (bool) {
        return true;
    }
}

/// @notice One-shot disputes, what counts as evidence, and the terms. One contract, because each test contract makes the
/// compiler build all the contracts under test once more.
contract BillingDisputesTest is DisputeFixture {
    bytes private _entry;
    /// @dev A receipt that names prices never published: evidence, but for what is changed in it.
    CallReceipt private _receipt;

    function setUp() public override {
        super.setUp();
        _entry = abi.encode(receiptOf(1, FAIR, FAIR));
        _receipt = receiptOf(1, 300, 300);
        _receipt.priceRoot = "never published";
    }

    function test_DisputeDuplicateSequence_RefundsTheLarger() external {
        CallReceipt memory small = receiptOf(1, FAIR, FAIR);
        CallReceipt memory large = receiptOf(1, 300, 300);
        bytes32 leaf = leafOf(abi.encode(large));
        Dispute memory expected;
        expected.kind = DisputeKind.DuplicateSequence;
        expected.state = DisputeState.Upheld;
        expected.openedAt = uint40(NOW);
        expected.claimant = address(this);
        expected.token = address(token);
        expected.payer = payer;
        expected.channelId = channelId;
        expected.sequence = 1;
        expected.leaf = leaf;
        expected.amount = 300;
        expected.penalty = 150;
        SignedReceipt memory one = signed(small);
        SignedReceipt memory other = signed(large);
        Money memory before = money();

        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeOpened(
            1,
            DisputeKind.DuplicateSequence,
            channelId,
            subjectOf(DisputeKind.DuplicateSequence, leaf, 0),
            expected
        );
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.DisputeUpheld(1, 300, 150, 0);
        assertEq(disputes.disputeDuplicateSequence(one, other), 1, "id");

        checkPaid(before, 300, 150, 0);
        assertEq(keccak256(abi.encode(disputes.getDispute(1))), keccak256(abi.encode(expected)), "record");
        assertEq(disputes.disputeCount(), 1, "count");
        assertEq(disputes.claimedOf(channelId, 1), 300, "claimed");
        assertTrue(disputes.isDisputed(subjectOf(DisputeKind.DuplicateSequence, leaf, 0)), "disputed");
    }

    function test_RevertGiven_ThePairWasShownInEitherOrder() external {
        SignedReceipt memory one = signed(receiptOf(1, FAIR, FAIR));
        SignedReceipt memory other = signed(receiptOf(1, 300, 300));
        disputes.disputeDuplicateSequence(other, one);
        bytes memory refused = alreadyDisputed(DisputeKind.DuplicateSequence, leafOf(other.entry), 0);
        vm.expectRevert(refused);
        disputes.disputeDuplicateSequence(other, one);
        vm.expectRevert(refused);
        disputes.disputeDuplicateSequence(one, other);
    }

    function test_RevertGiven_APairOfEqualAmountsWasShownInEitherOrder() external {
        SignedReceipt memory one = signed(receiptOf(1, FAIR, FAIR));
        SignedReceipt memory other = signed(receiptOf(1, FAIR + 1, FAIR));
        bytes32 leaf = leafOf(one.entry) > leafOf(other.entry) ? leafOf(one.entry) : leafOf(other.entry);
        disputes.disputeDuplicateSequence(one, other);
        vm.expectRevert(alreadyDisputed(DisputeKind.DuplicateSequence, leaf, 0));
        disputes.disputeDuplicateSequence(other, one);
    }

    /// @dev A relay cannot use up the claim by showing a pair of small ones first.
    function test_DisputeDuplicateSequence_ALargerThirdAddsTheDifference() external {
        SignedReceipt memory one = signed(receiptOf(1, 10, 10));
        disputes.disputeDuplicateSequence(one, signed(receiptOf(1, 20, 20)));
        Money memory before = money();
        uint256 id = disputes.disputeDuplicateSequence(one, signed(receiptOf(1, 300, 300)));
        checkPaid(before, 280, 140, 0);
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 280, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 300, "claimed");
    }

    function test_DisputeDuplicateSequence_BurnsAtLeastTheMinimum() external {
        Money memory before = money();
        disputes.disputeDuplicateSequence(signed(receiptOf(1, 10, 10)), signed(receiptOf(1, 20, 20)));
        checkPaid(before, 20, MIN_PENALTY, 0);
    }

    function test_RevertWhen_ItIsTheSameReceipt() external {
        SignedReceipt memory one = signed(receiptOf(1, FAIR, FAIR));
        SignedReceipt memory same = signedWith(receiptOf(1, FAIR, FAIR), keyOf("relay"), CHARGED_AT + 9);
        vm.expectRevert(noContradiction());
        disputes.disputeDuplicateSequence(one, same);
    }

    function test_RevertWhen_ThePlacesDiffer() external {
        SignedReceipt memory one = signed(receiptOf(1, FAIR, FAIR));
        SignedReceipt memory next = signed(receiptOf(2, FAIR, FAIR));
        vm.expectRevert(notComparable());
        disputes.disputeDuplicateSequence(one, next);
        CallReceipt memory elsewhere = receiptOf(1, FAIR, FAIR);
        elsewhere.channelId = "another";
        SignedReceipt memory other = signed(elsewhere);
        vm.expectRevert(notComparable());
        disputes.disputeDuplicateSequence(one, other);
    }

    function test_DisputeRunningTotal_RefundsWhatIsCountedTooMuch() external {
        SignedReceipt memory earlier = signed(receiptOf(4, 500, FAIR));
        SignedReceipt memory later = signed(receiptOf(5, 500 + FAIR + 90, FAIR));
        Money memory before = money();
        uint256 id = disputes.disputeRunningTotal(earlier, later);
        checkPaid(before, 90, 45, 0);
        checkDispute(id, DisputeKind.WrongRunningTotal, DisputeState.Upheld, 90, 0, 0);
        assertEq(disputes.claimedOf(channelId, 5), 0, "beyond the receipt's own amount");
        vm.expectRevert(alreadyDisputed(DisputeKind.WrongRunningTotal, leafOf(later.entry), leafOf(earlier.entry)));
        disputes.disputeRunningTotal(earlier, later);
    }

    function test_DisputeRunningTotal_OfTheFirst() external {
        SignedReceipt memory first = signed(receiptOf(1, FAIR + 1, FAIR));
        Money memory before = money();
        disputes.disputeRunningTotal(noReceipt, first);
        checkPaid(before, 1, MIN_PENALTY, 0);
    }

    /// @dev A key that was retired long ago and then leaked convicts over no honest receipt.
    function test_RevertWhen_TheEarlierIsTooOld() external {
        uint64 today = CHARGED_AT + 30 days + 1;
        vm.prank(relay);
        keys.addKey(wallet("fresh"));
        vm.prank(relay);
        keys.retireKey(relay);
        vm.warp(today);
        SignedReceipt memory forged = signed(receiptOf(99, 0, 0));
        SignedReceipt memory honest = signedWith(receiptOf(100, 1000, FAIR), keyOf("fresh"), today - 10);
        vm.expectRevert(
            abi.encodeWithSelector(IBillingDisputes.BillingDisputes_TooOld.selector, CHARGED_AT, CHARGED_AT + 1)
        );
        disputes.disputeRunningTotal(forged, honest);
    }

    function testFuzz_RevertWhen_NothingIsCountedTooMuch(uint128 total) external {
        total = uint128(bound(total, 0, 500 + FAIR));
        SignedReceipt memory earlier = signed(receiptOf(4, 500, FAIR));
        SignedReceipt memory later = signed(receiptOf(5, total, FAIR));
        vm.expectRevert(noContradiction());
        disputes.disputeRunningTotal(earlier, later);
    }

    function test_RevertWhen_TheRunningTotalIsExact() external {
        SignedReceipt memory earlier = signed(receiptOf(4, 500, FAIR));
        SignedReceipt memory later = signed(receiptOf(5, 500 + FAIR, FAIR));
        vm.expectRevert(noContradiction());
        disputes.disputeRunningTotal(earlier, later);
        SignedReceipt memory first = signed(receiptOf(1, FAIR, FAIR));
        vm.expectRevert(noContradiction());
        disputes.disputeRunningTotal(noReceipt, first);
    }

    function test_RevertWhen_TheReceiptsAreNotNeighbours() external {
        SignedReceipt memory later = signed(receiptOf(5, 900, FAIR));
        bytes memory refused = notComparable();
        vm.expectRevert(refused);
        disputes.disputeRunningTotal(noReceipt, later);
        SignedReceipt memory other = signed(receiptOf(3, 500, FAIR));
        vm.expectRevert(refused);
        disputes.disputeRunningTotal(other, later);
        CallReceipt memory elsewhere = receiptOf(4, 500, FAIR);
        elsewhere.channelId = "another";
        other = signed(elsewhere);
        vm.expectRevert(refused);
        disputes.disputeRunningTotal(other, later);
    }

    function test_RevertWhen_TheEarlierIsNotSigned() external {
        CallReceipt memory earlier = receiptOf(4, 500, FAIR);
        SignedReceipt memory forged = signedWith(earlier, keyOf("stranger"), CHARGED_AT);
        SignedReceipt memory later = signed(receiptOf(5, 900, FAIR));
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_NotSignedByRelay.selector,
                wallet("stranger"),
                CHARGED_AT
            )
        );
        disputes.disputeRunningTotal(forged, later);
    }

    function test_DisputeRewrittenIndex_RefundsTheEarlier() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, "any bytes", NOW + 60);
        Money memory before = money();
        uint256 id = disputes.disputeRewrittenIndex(earlier, later);
        checkPaid(before, FAIR, FAIR / 2, 0);
        checkDispute(id, DisputeKind.RewrittenIndex, DisputeState.Upheld, FAIR, 0, 0);
        vm.expectRevert(alreadyDisputed(DisputeKind.RewrittenIndex, leafOf(_entry), bytes32(uint256(2))));
        disputes.disputeRewrittenIndex(earlier, later);
    }

    /// @dev What counts is when it was rewritten.
    function test_DisputeRewrittenIndex_OfAnOldEntry() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, "any bytes", NOW + 60 days);
        vm.warp(NOW + 90 days);
        Money memory before = money();
        disputes.disputeRewrittenIndex(earlier, later);
        checkPaid(before, FAIR, FAIR / 2, 0);
    }

    function test_RevertWhen_ItWasRewrittenLongAgo() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, "any bytes", NOW + 60);
        vm.warp(NOW + 61 + 30 days);
        vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_TooOld.selector, NOW + 60, NOW + 61));
        disputes.disputeRewrittenIndex(earlier, later);
    }

    function test_RevertWhen_TheEntryStayed() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, _entry, NOW + 60);
        vm.expectRevert(noContradiction());
        disputes.disputeRewrittenIndex(earlier, later);
    }

    function test_RevertWhen_TheAnchorsOrPositionsDoNotFit() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, "any bytes", NOW + 60);
        bytes memory refused = notComparable();
        vm.expectRevert(refused);
        disputes.disputeRewrittenIndex(later, earlier);
        vm.expectRevert(refused);
        disputes.disputeRewrittenIndex(earlier, earlier);
        AnchoredEntry memory elsewhere = anchoredAmong(9, 3, "any bytes", NOW + 120);
        vm.expectRevert(refused);
        disputes.disputeRewrittenIndex(earlier, elsewhere);
    }

    function test_RevertWhen_APathIsWrong() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, "any bytes", NOW + 60);
        bytes32 right = earlier.path[0];
        earlier.path[0] = "wrong";
        bytes4 refused = IBillingDisputes.BillingDisputes_NotInAnchor.selector;
        vm.expectRevert(abi.encodeWithSelector(refused, leafOf(_entry), uint64(2)));
        disputes.disputeRewrittenIndex(earlier, later);
        earlier.path[0] = right;
        later.path[1] = "wrong";
        vm.expectRevert(abi.encodeWithSelector(refused, leafOf("any bytes"), uint64(2)));
        disputes.disputeRewrittenIndex(earlier, later);
    }

    function test_RevertWhen_AnAnchorWasNeverStored() external {
        AnchoredEntry memory earlier = anchored(_entry, NOW);
        AnchoredEntry memory later = anchoredAmong(7, 2, "any bytes", NOW + 60);
        later.anchor.cid = "another";
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_AnchorUnknown.selector, uint64(7)));
        disputes.disputeRewrittenIndex(earlier, later);
    }

    function test_DisputeOvercharge_RefundsTheExcess() external {
        SignedReceipt memory receipt = signed(receiptOf(1, FAIR + 76, FAIR + 76));
        Money memory before = money();
        uint256 id = disputes.disputeOvercharge(receipt, proven(0));
        checkPaid(before, 76, 38, 0);
        checkDispute(id, DisputeKind.Overcharge, DisputeState.Upheld, 76, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 76, "claimed");
        ProvenRow memory row = proven(0);
        vm.expectRevert(alreadyDisputed(DisputeKind.Overcharge, leafOf(receipt.entry), 0));
        disputes.disputeOvercharge(receipt, row);
    }

    function testFuzz_RevertWhen_TheChargeIsNotAboveThePrice(uint128 amount) external {
        amount = uint128(bound(amount, 0, FAIR));
        SignedReceipt memory receipt = signed(receiptOf(1, amount, amount));
        ProvenRow memory row = proven(0);
        vm.expectRevert(noContradiction());
        disputes.disputeOvercharge(receipt, row);
    }

    function test_DisputeOvercharge_InDollarsAtTheRound() external {
        SignedReceipt memory receipt = signed(usdReceiptOf(FAIR_USD + 60, ROUND));
        Money memory before = money();
        disputes.disputeOvercharge(receipt, proven(1));
        checkPaid(before, 60, 30, 0);
    }

    function test_RevertWhen_TheChargeInDollarsIsFair() external {
        SignedReceipt memory receipt = signed(usdReceiptOf(FAIR_USD, ROUND));
        ProvenRow memory row = proven(1);
        vm.expectRevert(noContradiction());
        disputes.disputeOvercharge(receipt, row);
    }

    function test_RevertWhen_TheChargeInDollarsIsFairAtTheLastRoundThereIs() external {
        feed.setRound(type(uint80).max, 1e16, START + 3500);
        SignedReceipt memory receipt = signed(usdReceiptOf(FAIR_USD, type(uint80).max));
        ProvenRow memory row = proven(1);
        vm.expectRevert(noContradiction());
        disputes.disputeOvercharge(receipt, row);
    }

    function test_DisputeOvercharge_RefundsAllForAnotherRound() external {
        uint256[3] memory wrong = [uint256(ROUND - 2), 0, uint256(type(uint80).max) + 1 + ROUND];
        for (uint64 i = 0; i < 3; ++i) {
            CallReceipt memory receipt = usdReceiptOf(FAIR_USD, wrong[i]);
            receipt.sequence = i + 1;
            Money memory before = money();
            disputes.disputeOvercharge(signed(receipt), proven(1));
            checkPaid(before, FAIR_USD, FAIR_USD / 2, 0);
        }
    }

    function test_DisputeOvercharge_RefundsAllForAUsageThatCannotBe() external {
        for (uint64 i = 1; i <= 4; ++i) {
            CallReceipt memory receipt = receiptOf(i, FAIR, FAIR);
            if (i == 1) receipt.usage.cachedPrompt = 24;
            if (i == 2) receipt.usage.cacheWrite = 23;
            if (i == 3) receipt.usage.audioPrompt = type(uint64).max;
            if (i == 4) receipt.usage.audioCompletion = 11;
            Money memory before = money();
            disputes.disputeOvercharge(signed(receipt), proven(0));
            checkPaid(before, FAIR, FAIR / 2, 0);
        }
    }

    /// @dev Parts that fill the whole are possible.
    function test_RevertWhen_ThePartsFillTheWhole() external {
        CallReceipt memory full = receiptOf(1, 1, 1);
        full.usage.cachedPrompt = 23;
        full.usage.audioCompletion = 10;
        SignedReceipt memory receipt = signed(full);
        ProvenRow memory row = proven(0);
        vm.expectRevert(noContradiction());
        disputes.disputeOvercharge(receipt, row);
    }

    function test_RevertWhen_TheRowIsAnothers() external {
        SignedReceipt memory receipt = signed(receiptOf(1, 900, 900));
        ProvenRow memory otherModel = proven(1);
        vm.expectRevert(notComparable());
        disputes.disputeOvercharge(receipt, otherModel);
        ProvenRow memory otherToken = proven(2);
        vm.expectRevert(notComparable());
        disputes.disputeOvercharge(receipt, otherToken);
    }

    function test_RevertWhen_TheRowIsNotInTheTable() external {
        SignedReceipt memory receipt = signed(receiptOf(1, 900, 900));
        ProvenRow memory row = proven(0);
        row.row.request = 0;
        bytes32 leaf = leafOf(abi.encode(row.row));
        vm.expectRevert(
            abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotInPriceTable.selector, leaf, priceRoot)
        );
        disputes.disputeOvercharge(receipt, row);
    }

    function test_DisputeUnpublishedPrices_RefundsAll() external {
        CallReceipt memory receipt = receiptOf(1, FAIR, FAIR);
        receipt.priceRoot = "never published";
        SignedReceipt memory unpublished = signed(receipt);
        Money memory before = money();
        uint256 id = disputes.disputeUnpublishedPrices(unpublished);
        checkPaid(before, FAIR, FAIR / 2, 0);
        checkDispute(id, DisputeKind.UnpublishedPrices, DisputeState.Upheld, FAIR, 0, 0);
        vm.expectRevert(alreadyDisputed(DisputeKind.UnpublishedPrices, leafOf(unpublished.entry), 0));
        disputes.disputeUnpublishedPrices(unpublished);
    }

    /// @dev Judged by what held when the call was admitted, not by what holds now.
    function test_DisputeUnpublishedPrices_ByTheTimeOfAdmission() external {
        CallReceipt memory early = receiptOf(1, FAIR, FAIR);
        early.admittedAtMs = uint64(START) * 1000 - 1;
        vm.prank(governance);
        priceBook.retirePriceRoot(priceRoot, 0);
        SignedReceipt memory honest = signed(receiptOf(2, FAIR, FAIR));
        vm.expectRevert(noContradiction());
        disputes.disputeUnpublishedPrices(honest);
        // Admitted right after the retirement, by a relay that has not heard of it.
        CallReceipt memory inNotice = receiptOf(2, FAIR, FAIR);
        inNotice.admittedAtMs = (NOW + 1) * 1000;
        honest = signed(inNotice);
        vm.expectRevert(noContradiction());
        disputes.disputeUnpublishedPrices(honest);
        Money memory before = money();
        disputes.disputeUnpublishedPrices(signed(early));
        checkPaid(before, FAIR, FAIR / 2, 0);
        CallReceipt memory late = receiptOf(3, FAIR, FAIR);
        late.admittedAtMs = (NOW + 10 minutes) * 1000;
        before = money();
        disputes.disputeUnpublishedPrices(signed(late));
        checkPaid(before, FAIR, FAIR / 2, 0);
    }

    /// @dev All grounds together give back the amount once.
    function test_DisputesOverOneReceipt_RefundItsAmountOnce() external {
        CallReceipt memory receipt = receiptOf(1, 300, 300);
        receipt.admittedAtMs = uint64(START) * 1000 - 1;
        SignedReceipt memory bad = signed(receipt);
        Money memory before = money();
        disputes.disputeOvercharge(bad, proven(0));
        checkPaid(before, 300 - FAIR, (300 - FAIR) / 2, 0);
        before = money();
        disputes.disputeUnpublishedPrices(bad);
        checkPaid(before, FAIR, FAIR / 2, 0);
        before = money();
        uint256 id = disputes.disputeDuplicateSequence(bad, signed(receiptOf(1, 200, 200)));
        checkPaid(before, 0, MIN_PENALTY, 0);
        checkDispute(id, DisputeKind.DuplicateSequence, DisputeState.Upheld, 0, 0, 0);
        assertEq(disputes.claimedOf(channelId, 1), 300, "claimed");
        assertEq(disputes.refundedOf(channelId), 300, "refunded");
    }

    function test_Evidence_OfABatchOfOne() external {
        SignedReceipt memory alone = signed(_receipt);
        alone.batch.root = leafOf(alone.entry);
        alone.batch.size = 1;
        alone.index = 0;
        alone.path = new bytes32[](0);
        alone.signature = sign(keyOf("relay"), autoPay.hashReceiptBatch(alone.batch));
        Money memory before = money();
        disputes.disputeUnpublishedPrices(alone);
        checkPaid(before, 300, 150, 0);
    }

    function test_RevertWhen_TheReceiptIsNotInTheBatch() external {
        bytes32 leaf = leafOf(abi.encode(_receipt));
        bytes memory refused = abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotInBatch.selector, leaf);
        SignedReceipt memory bad = signed(_receipt);
        bad.index = 0;
        refuse(bad, refused);
        bad = signed(_receipt);
        bad.path[1] = "wrong";
        refuse(bad, refused);
        bad = signed(_receipt);
        bad.path = new bytes32[](0);
        refuse(bad, refused);
        bad = signed(_receipt);
        bad.entry = bytes.concat(bad.entry, hex"00");
        refuse(bad, abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotInBatch.selector, leafOf(bad.entry)));
    }

    function test_RevertWhen_AStrangerSigned() external {
        refuse(signedWith(_receipt, keyOf("stranger"), CHARGED_AT), notSigned(wallet("stranger"), CHARGED_AT));
    }

    function test_RevertWhen_TheSignatureIsMalformedOrMalleated() external {
        SignedReceipt memory bad = signed(_receipt);
        bytes memory good = bad.signature;
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := mload(add(good, 0x20))
            s := mload(add(good, 0x40))
            v := byte(0, mload(add(good, 0x60)))
        }
        bad.signature = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        refuse(bad, notSigned(address(0), CHARGED_AT));
        bad.signature = "";
        refuse(bad, notSigned(address(0), CHARGED_AT));
        bad.signature = bytes.concat(good, hex"00");
        refuse(bad, notSigned(address(0), CHARGED_AT));
        // Not even a registry that knows nobody's address would help.
        vm.etch(address(keys), address(new GullibleRegistry()).code);
        refuse(bad, notSigned(address(0), CHARGED_AT));
    }

    /// @dev The signature is bound to the chain, the contract and the time that it names.
    function test_RevertWhen_TheSignatureIsForSomethingElse() external {
        SignedReceipt memory bad = signed(_receipt);
        bytes32 here = autoPay.hashReceiptBatch(bad.batch);
        vm.chainId(CHAIN_ID + 1);
        bad.signature = sign(keyOf("relay"), autoPay.hashReceiptBatch(bad.batch));
        vm.chainId(CHAIN_ID);
        refuse(bad, notSigned(recovered(here, bad.signature), CHARGED_AT));
        bad = signed(_receipt);
        bad.batch.signedAtMs += 1000;
        refuse(bad, notSigned(recovered(autoPay.hashReceiptBatch(bad.batch), bad.signature), CHARGED_AT + 1));
    }

    function test_Evidence_OfAKeyThatWasRetiredLater() external {
        vm.prank(relay);
        keys.retireKey(relay);
        Money memory before = money();
        disputes.disputeUnpublishedPrices(signed(_receipt));
        checkPaid(before, 300, 150, 0);
        // What it dated a little ahead is not wiped out.
        _receipt.sequence = 2;
        before = money();
        disputes.disputeUnpublishedPrices(signedWith(_receipt, keyOf("relay"), NOW + 10));
        checkPaid(before, 300, 150, 0);
        _receipt.sequence = 3;
        refuse(signedWith(_receipt, keyOf("relay"), NOW + 1 hours), notSigned(relay, NOW + 1 hours));
    }

    function test_RevertWhen_TheKeyWasNotYetAdded() external {
        refuse(signedWith(_receipt, keyOf("relay"), uint64(START) - 1), notSigned(relay, uint64(START) - 1));
    }

    function test_RevertWhen_TheVersionIsAnother() external {
        _receipt.version = 2;
        refuse(
            signed(_receipt),
            abi.encodeWithSelector(IBillingDisputes.BillingDisputes_VersionUnknown.selector, uint16(2))
        );
    }

    function test_RevertWhen_ItIsTooOld() external {
        SignedReceipt memory receipt = signed(_receipt);
        vm.warp(CHARGED_AT + 30 days + 1);
        refuse(
            receipt,
            abi.encodeWithSelector(IBillingDisputes.BillingDisputes_TooOld.selector, CHARGED_AT, CHARGED_AT + 1)
        );
    }

    function test_Evidence_OfTheGreatestAge() external {
        SignedReceipt memory receipt = signed(_receipt);
        vm.warp(CHARGED_AT + 30 days);
        Money memory before = money();
        disputes.disputeUnpublishedPrices(receipt);
        checkPaid(before, 300, 150, 0);
    }

    function test_RevertWhen_NoChannelOfTheRelayPaid() external {
        CallReceipt memory free = _receipt;
        free.channelId = 0;
        refuse(signed(free), notAChannelCall(0));
        ChannelId other = openChannel(payer, wallet("another payee"), token, DEPOSIT, "b", address(0));
        free.channelId = ChannelId.unwrap(other);
        refuse(signed(free), notAChannelCall(ChannelId.unwrap(other)));
        CallReceipt memory otherPayer = _receipt;
        otherPayer.channelId = channelId;
        otherPayer.payer = wallet("another payer");
        refuse(signed(otherPayer), notAChannelCall(channelId));
        CallReceipt memory otherToken = _receipt;
        otherToken.payer = payer;
        otherToken.token = address(1);
        refuse(signed(otherToken), notAChannelCall(channelId));
    }

    function test_RevertGiven_TheTokenHasNoTerms() external {
        vm.prank(governance);
        disputes.setTokenTerms(address(token), 0, 0);
        bytes memory refused = abi.encodeWithSelector(
            IBillingDisputes.BillingDisputes_TokenUnknown.selector,
            address(token)
        );
        refuse(signed(_receipt), refused);
        SignedReceipt memory receipt = signed(receiptOf(1, 300, 300));
        ProvenRow memory row = proven(0);
        vm.expectRevert(refused);
        disputes.disputeOvercharge(receipt, row);
        // Before anything is asked of the token itself.
        receipt = signed(receiptOf(1, FAIR, FAIR));
        vm.expectRevert(refused);
        disputes.disputeOvercharge(receipt, row);
        vm.expectRevert(refused);
        vm.prank(payer);
        disputes.challengeSettlement(channelId, noReceipt);
    }

    function test_RevertWhen_TheEntryIsNoReceipt() external {
        SignedReceipt memory bad = signed(_receipt);
        bad.entry = "no receipt";
        bad.batch.root = leafOf(bad.entry);
        bad.batch.size = 1;
        bad.index = 0;
        bad.path = new bytes32[](0);
        bad.signature = sign(keyOf("relay"), autoPay.hashReceiptBatch(bad.batch));
        refuse(bad, "");
    }

    function refuse(SignedReceipt memory receipt, bytes memory expected) private {
        vm.expectRevert(expected);
        disputes.disputeUnpublishedPrices(receipt);
    }

    function notSigned(address signer, uint64 at) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotSignedByRelay.selector, signer, at);
    }

    function notAChannelCall(bytes32 id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotAChannelCall.selector, id);
    }

    function recovered(bytes32 digest, bytes memory signature) private pure returns (address) {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        return ecrecover(digest, v, r, s);
    }

    function test_Constructor_SetsContractsAndTerms() external view {
        assertEq(address(disputes.autoPayLLM()), address(autoPay), "autoPayLLM");
        assertEq(address(disputes.paymentChannels()), address(channels), "paymentChannels");
        assertEq(address(disputes.auditLog()), address(auditLog), "auditLog");
        assertEq(address(disputes.priceBook()), address(priceBook), "priceBook");
        assertEq(address(disputes.keyRegistry()), address(keys), "keyRegistry");
        assertTrue(address(disputes.priceOracle()) != address(0), "priceOracle");
        assertEq(disputes.governance(), governance, "governance");
        assertEq(disputes.maxMergeDelay(), MERGE_DELAY, "maxMergeDelay");
        TokenTerms memory terms = disputes.termsOf(address(token));
        assertEq(terms.claimantBond, CLAIMANT_BOND, "claimantBond");
        assertEq(terms.minPenalty, MIN_PENALTY, "minPenalty");
    }

    function test_Limits_AreThePublishedOnes() external view {
        assertEq(disputes.ANSWER_WINDOW(), 24 hours, "time to answer");
        assertEq(disputes.RULING_WINDOW(), 14 days, "time to rule");
        assertEq(disputes.MAX_RECEIPT_AGE(), 30 days, "age of evidence");
        assertEq(disputes.MAX_TOKEN_DECIMALS(), 36, "decimals of a token");
        assertEq(disputes.BOND_GAS_LIMIT(), 300_000, "gas of a bond's return");
    }

    function test_RevertWhen_GovernanceIsZero() external {
        BillingDisputesConfig memory config = configOf(
            PriceOracle(address(disputes.priceOracle())),
            address(0),
            address(token)
        );
        vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_ZeroAddress.selector));
        BillingDisputes(create("BillingDisputes", abi.encode(config)));
    }

    /// @dev The fixture's delay is the longest; a missing entry can be challenged before its money is released.
    function test_RevertWhen_TheMergeDelayIsOutOfRange() external {
        PriceOracle oracle = PriceOracle(address(disputes.priceOracle()));
        BillingDisputesConfig memory config = configOf(oracle, governance, address(token));
        uint64[3] memory bad = [0, 1 minutes - 1, MERGE_DELAY + 1];
        for (uint256 i = 0; i < bad.length; ++i) {
            config.mergeDelay = bad[i];
            vm.expectRevert(
                abi.encodeWithSelector(
                    IBillingDisputes.BillingDisputes_MergeDelayOutOfRange.selector,
                    bad[i],
                    uint64(1 minutes),
                    uint256(MERGE_DELAY)
                )
            );
            BillingDisputes(create("BillingDisputes", abi.encode(config)));
        }
        config.mergeDelay = 1 minutes;
        BillingDisputes shortest = BillingDisputes(create("BillingDisputes", abi.encode(config)));
        assertEq(shortest.maxMergeDelay(), 1 minutes, "the shortest");
    }

    function test_SetTokenTerms_IsTheGovernances() external {
        vm.expectRevert(abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotGovernance.selector, address(this)));
        disputes.setTokenTerms(address(token), 1, 2);
        vm.expectEmit(address(disputes));
        emit IBillingDisputes.TokenTermsSet(address(token), 1, 2);
        vm.prank(governance);
        disputes.setTokenTerms(address(token), 1, 2);
        assertEq(disputes.termsOf(address(token)).claimantBond, 1, "claimantBond");
        assertEq(disputes.termsOf(address(token)).minPenalty, 2, "minPenalty");
    }

    function test_RevertWhen_TheTokenHasTooManyDecimals() external {
        ManyDecimalsToken many = new ManyDecimalsToken(37);
        vm.expectRevert(
            abi.encodeWithSelector(
                IBillingDisputes.BillingDisputes_TokenDecimals.selector,
                address(many),
                uint256(37),
                uint256(36)
            )
        );
        vm.prank(governance);
        disputes.setTokenTerms(address(many), 1, 1);
        // Taking terms away asks nothing of the token.
        vm.prank(governance);
        disputes.setTokenTerms(address(many), 0, 0);
        assertEq(disputes.termsOf(address(many)).claimantBond, 0, "none");
        many = new ManyDecimalsToken(36);
        vm.prank(governance);
        disputes.setTokenTerms(address(many), 1, 1);
        assertEq(disputes.termsOf(address(many)).claimantBond, 1, "as many as allowed");
    }
}
