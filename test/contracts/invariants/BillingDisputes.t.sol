// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {BillingDisputes} from "../../../contracts/BillingDisputes.sol";
import {Bond} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {
    AnchoredEntry,
    Dispute,
    DisputeKind,
    DisputeState,
    SignedReceipt
} from "../../../contracts/interfaces/IBillingDisputes.sol";
import {CallReceipt} from "../../../contracts/types/CallReceipt.sol";
import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {DisputeFixture} from "../helpers/DisputeFixture.sol";
import {TestBase} from "../helpers/TestBase.sol";

/// @notice Random but valid steps of a relay that errs, two payers, a governance and bystanders; a step that fits nothing
/// does nothing. In this file, because Hardhat's runner calls only contracts of the test files.
contract BillingDisputesHandler is DisputeFixture {
    uint64 private constant SEQUENCES = 24;

    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public forfeited;
    mapping(string step => uint256 count) public done;
    /// @dev The largest amount that the relay signed for a place in a channel.
    mapping(bytes32 channelId => mapping(uint64 sequence => uint256 amount)) public largestOf;

    bytes32[2] private _channels;
    bool private _ready;
    uint64 private _now = NOW + 2 days;
    uint128 private _receipts;

    constructor() {
        setUp();
    }

    /// @dev The runner may call this too: only the first time counts.
    function setUp() public override {
        if (_ready) return;
        _ready = true;
        super.setUp();
        _channels[0] = channelId;
        address other = payerAt(1);
        _channels[1] = ChannelId.unwrap(openChannel(other, address(autoPay), token, DEPOSIT, "a", address(0)));
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(payerAt(i));
            token.approve(address(disputes), type(uint256).max);
        }
        deposited = RELAY_BOND;
    }

    function settle(uint256 which, uint96 amount) external {
        _as(which);
        _settle(amount);
        done["settle"]++;
    }

    function depositBond(uint128 amount) external {
        amount = uint128(bound(amount, 1, 3000));
        depositBondChecked(token, amount);
        deposited += amount;
        done["depositBond"]++;
    }

    function withdrawBond(uint256 amount) external {
        Bond memory bond = autoPay.bondOf(address(token));
        uint256 needed = uint256(bond.frozen) + bond.owed;
        if (bond.amount <= needed) {
            // A relay that wants to withdraw puts up what disputes need first.
            uint128 missing = uint128(needed - bond.amount + 1);
            depositBondChecked(token, missing);
            deposited += missing;
            bond.amount += missing;
        }
        amount = bound(amount, 1, bond.amount - needed);
        vm.prank(relay);
        autoPay.withdrawBond(address(token), amount);
        withdrawn += amount;
        done["withdrawBond"]++;
    }

    function duplicate(uint256 which, uint64 sequence, uint128 one, uint128 other) external {
        _as(which);
        SignedReceipt memory first = _sign(_receipt(sequence, one));
        disputes.disputeDuplicateSequence(first, _sign(_receipt(sequence, other)));
        done["duplicate"]++;
    }

    function overcharge(uint256 which, uint64 sequence, uint128 excess) external {
        _as(which);
        disputes.disputeOvercharge(_sign(_receipt(sequence, FAIR + 1 + (excess % 1000))), proven(0));
        done["overcharge"]++;
    }

    function runningTotal(uint256 which, uint128 amount, uint128 excess) external {
        _as(which);
        CallReceipt memory receipt = _receipt(0, amount);
        receipt.runningTotal = receipt.amount + uint128(bound(excess, 1, 500));
        disputes.disputeRunningTotal(noReceipt, _sign(receipt));
        done["runningTotal"]++;
    }

    function challengeSettlement(uint256 which, uint128 known) external {
        _as(which);
        uint256 settled = channels.getChannel(ChannelId.wrap(channelId)).settled;
        if (settled == 0) return;
        if (disputes.isDisputed(subjectOf(DisputeKind.SettledBeyondReceipt, channelId, bytes32(settled)))) return;
        CallReceipt memory last = _receipt(0, 1);
        last.runningTotal = uint128(known % settled);
        _payClaimantBond();
        SignedReceipt memory signedLast = _sign(last);
        vm.prank(payer);
        disputes.challengeSettlement(channelId, signedLast);
        done["challengeSettlement"]++;
    }

    function challengeInclusion(uint256 which, uint64 sequence, uint128 amount) external {
        _as(which);
        _challengeInclusion(sequence, amount, false);
        done["challengeInclusion"]++;
    }

    function metering(uint256 which, uint64 sequence, uint128 amount, uint128 claim) external {
        _as(which);
        if (_metering(sequence, amount, claim) != 0) done["metering"]++;
    }

    /// @dev Answers a challenge of a settlement, or else one of an inclusion, for which the log has the entry.
    function answer(uint256 which, uint256 seed, uint64 sequence, uint128 amount) external {
        _as(which);
        uint256 id = _find(DisputeKind.SettledBeyondReceipt, seed, 24 hours);
        if (id != 0) {
            _answerSettlement(id);
        } else {
            AnchoredEntry memory entry;
            (id, entry) = _challengeInclusion(sequence, amount, true);
            disputes.answerChallenge(id, entry);
        }
        forfeited += CLAIMANT_BOND;
        done["answer"]++;
    }

    function uphold(uint256 which, uint256 seed, uint64 sequence, uint128 amount) external {
        _as(which);
        uint256 id = _find(
            seed % 2 == 0 ? DisputeKind.SettledBeyondReceipt : DisputeKind.NotInLog,
            seed,
            type(uint64).max
        );
        if (id == 0) (id, ) = _challengeInclusion(sequence, amount, false);
        _warpTo(disputes.getDispute(id).openedAt + 24 hours);
        disputes.upholdChallenge(id);
        done["uphold"]++;
    }

    function rule(uint256 which, uint256 seed, uint128 amount) external {
        _as(which);
        uint256 id = _find(DisputeKind.Metering, seed, 14 days);
        if (id == 0) id = _metering(uint64(seed), amount, uint128(seed));
        if (id == 0) return;
        uint128 refund = uint128(seed % (uint256(disputes.getDispute(id).amount) + 1));
        vm.prank(governance);
        disputes.rule(id, refund);
        if (refund == 0) forfeited += CLAIMANT_BOND;
        done["rule"]++;
    }

    function expire(uint256 which, uint256 seed, uint128 amount) external {
        _as(which);
        uint256 id = _find(DisputeKind.Metering, seed, type(uint64).max);
        if (id == 0) id = _metering(uint64(seed), amount, uint128(seed));
        if (id == 0) return;
        _warpTo(disputes.getDispute(id).openedAt + 14 days);
        disputes.expire(id);
        done["expire"]++;
    }

    function payOutstanding(uint256 seed) external {
        Bond memory bond = autoPay.bondOf(address(token));
        if (bond.amount == bond.frozen) return;
        uint256 count = disputes.disputeCount();
        for (uint256 i = 0; i < count; ++i) {
            uint256 id = (((seed % count) + i) % count) + 1;
            Dispute memory dispute = disputes.getDispute(id);
            uint256 settled = channels.getChannel(ChannelId.wrap(dispute.channelId)).settled;
            bool isPayable = dispute.outstanding != 0 && settled != disputes.refundedOf(dispute.channelId);
            if (!isPayable && (dispute.outstanding != 0 || dispute.penaltyOutstanding == 0)) continue;
            disputes.payOutstanding(id);
            done["payOutstanding"]++;
            return;
        }
    }

    function payerAt(uint256 which) public pure returns (address) {
        return wallet(_nameOf(which));
    }

    function channelAt(uint256 which) external view returns (bytes32) {
        return _channels[which];
    }

    function settledAt(uint256 which) public view returns (uint256) {
        return channels.getChannel(ChannelId.wrap(_channels[which])).settled;
    }

    function contractUnderTest() external view returns (BillingDisputes) {
        return disputes;
    }

    function relaysBond() external view returns (Bond memory) {
        return autoPay.bondOf(address(token));
    }

    function deposit() external pure returns (uint256) {
        return DEPOSIT;
    }

    function burned() external view returns (uint256) {
        return token.balanceOf(autoPay.BURN_ADDRESS());
    }

    function balanceOf(address holder) external view returns (uint256) {
        return token.balanceOf(holder);
    }

    function balances() external view returns (uint256 escrow, uint256 business, uint256 unbooked) {
        return (
            token.balanceOf(address(channels)),
            token.balanceOf(address(autoPay)),
            autoPay.unbooked(address(token))
        );
    }

    /// @dev An open dispute of a kind that was opened within a time; 0 if there is none.
    function _find(DisputeKind kind, uint256 seed, uint64 within) private view returns (uint256) {
        uint256 count = disputes.disputeCount();
        for (uint256 i = 0; i < count; ++i) {
            uint256 id = (((seed % count) + i) % count) + 1;
            Dispute memory dispute = disputes.getDispute(id);
            bool isOpen = dispute.state == DisputeState.Open && dispute.kind == kind;
            if (isOpen && _now - dispute.openedAt < within) return id;
        }
        return 0;
    }

    /// @dev With the least that answers.
    function _answerSettlement(uint256 id) private {
        Dispute memory dispute = disputes.getDispute(id);
        (channelId, payer) = (dispute.channelId, dispute.payer);
        SignedReceipt memory later = _sign(receiptOf(dispute.sequence + 1, dispute.settled, 0));
        answerSettlement(id, later, anchoredAmong(auditLog.latestSize() + 3, 2, later.entry, _now));
    }

    /// @dev Collects some more of the channel, if there is any.
    function _settle(uint96 amount) private {
        uint128 settled = channels.getChannel(ChannelId.wrap(channelId)).settled;
        if (settled == DEPOSIT) return;
        uint96 total = uint96(settled + 1 + (amount % 3000));
        if (total > DEPOSIT) total = uint96(DEPOSIT);
        bytes memory claim = packClaim(
            keyOf(_nameOf(payer == payerAt(0) ? 0 : 1)),
            payer,
            "a",
            address(0),
            total,
            total
        );
        vm.prank(relay);
        autoPay.collect(address(token), claim);
    }

    /// @dev Asks for a receipt of more than a day ago, which the log has or not.
    function _challengeInclusion(
        uint64 sequence,
        uint128 amount,
        bool isLogged
    ) private returns (uint256 id, AnchoredEntry memory entry) {
        CallReceipt memory receipt = _receipt(sequence, amount);
        receipt.chargedAtMs = (_now - 25 hours) * 1000;
        SignedReceipt memory asked = signedWith(receipt, keyOf("relay"), _now - 25 hours);
        if (isLogged) entry = anchoredAmong(auditLog.latestSize() + 3, 2, asked.entry, _now);
        _warpTo(_now + 7);
        _payClaimantBond();
        vm.prank(payer);
        id = disputes.challengeInclusion(asked);
    }

    /// @dev Opens a metering dispute; 0 if nothing of the receipt is left to claim.
    function _metering(uint64 sequence, uint128 amount, uint128 claim) private returns (uint256) {
        CallReceipt memory receipt = _receipt(sequence, amount);
        uint256 claimed = disputes.claimedOf(channelId, receipt.sequence);
        if (claimed >= receipt.amount) return 0;
        if (_paid() == 0) _settle(500);
        uint256 most = receipt.amount - claimed;
        if (most > _paid()) most = _paid();
        if (most == 0) return 0;
        SignedReceipt memory disputed = _sign(receipt);
        _payClaimantBond();
        vm.prank(payer);
        return disputes.disputeMetering(disputed, uint128(bound(claim, 1, most)));
    }

    /// @dev What the channel paid and did not get back.
    function _paid() private view returns (uint256) {
        return channels.getChannel(ChannelId.wrap(channelId)).settled - disputes.refundedOf(channelId);
    }

    /// @dev Lets the helpers work for one of the payers.
    function _as(uint256 which) private {
        _warpTo(_now + 7);
        payer = payerAt(which);
        channelId = _channels[which % 2];
    }

    /// @dev A new receipt, unlike all before, at one of a few places of the channel.
    function _receipt(uint64 sequence, uint128 amount) private returns (CallReceipt memory receipt) {
        amount = uint128(bound(amount, 0, 1500));
        receipt = receiptOf(1 + (sequence % SEQUENCES), amount, amount);
        receipt.callId = bytes16(++_receipts);
        receipt.chargedAtMs = _now * 1000;
        uint256 largest = largestOf[channelId][receipt.sequence];
        if (amount > largest) largestOf[channelId][receipt.sequence] = amount;
    }

    function _sign(CallReceipt memory receipt) private view returns (SignedReceipt memory) {
        return signedWith(receipt, keyOf("relay"), _now);
    }

    function _payClaimantBond() private {
        token.mint(payer, CLAIMANT_BOND);
    }

    function _warpTo(uint64 at) private {
        if (at > _now) _now = at;
        vm.warp(_now);
    }

    function _nameOf(uint256 which) private pure returns (string memory) {
        return which % 2 == 0 ? "payer" : "second payer";
    }
}

contract BillingDisputesInvariantTest is TestBase {
    BillingDisputesHandler private _handler;

    function setUp() external {
        _handler = new BillingDisputesHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        string[14] memory steps = [
            "settle",
            "depositBond",
            "withdrawBond",
            "duplicate",
            "overcharge",
            "runningTotal",
            "challengeSettlement",
            "challengeInclusion",
            "metering",
            "answer",
            "uphold",
            "rule",
            "expire",
            "payOutstanding"
        ];
        for (uint256 i = 0; i < steps.length; ++i) {
            assertTrue(_handler.done(steps[i]) > 0, string.concat(steps[i], " never ran"));
        }
    }

    function invariant_D1_AChannelIsNeverRefundedMoreThanItPaid() external view {
        BillingDisputes disputes = _handler.contractUnderTest();
        for (uint256 i = 0; i < 2; ++i) {
            assertTrue(disputes.refundedOf(_handler.channelAt(i)) <= _handler.settledAt(i), "refunded <= settled");
        }
    }

    function invariant_D2_AReceiptIsNeverClaimedMoreThanOnce() external view {
        BillingDisputes disputes = _handler.contractUnderTest();
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 id = _handler.channelAt(i);
            for (uint64 sequence = 1; sequence <= 24; ++sequence) {
                assertTrue(disputes.claimedOf(id, sequence) <= _handler.largestOf(id, sequence), "claimed <= amount");
            }
        }
    }

    function invariant_D3_WhatIsHeldBelongsToOpenDisputes() external view {
        (uint256 frozen, uint256 bonds) = _open();
        assertEq(_handler.relaysBond().frozen, frozen, "held in AutoPayLLM");
        assertTrue(_handler.relaysBond().frozen <= _handler.relaysBond().amount, "within the bond");
        assertEq(_handler.balanceOf(address(_handler.contractUnderTest())), bonds, "claimants' bonds");
    }

    function invariant_D4_RefundsAndPenaltiesComeFromTheBondAlone() external view {
        BillingDisputes disputes = _handler.contractUnderTest();
        uint256 refunded = disputes.refundedOf(_handler.channelAt(0)) + disputes.refundedOf(_handler.channelAt(1));
        uint256 bond = _handler.relaysBond().amount;
        uint256 putUp = _handler.deposited() + _handler.forfeited();
        assertEq(putUp, bond + refunded + _handler.burned() + _handler.withdrawn(), "the bond's books");
        (uint256 escrow, uint256 business, uint256 unbooked) = _handler.balances();
        uint256 settled = _handler.settledAt(0) + _handler.settledAt(1);
        assertEq(escrow, 2_000_000 - settled, "escrow");
        assertEq(unbooked, settled, "what was collected is still there");
        assertEq(business, unbooked + bond, "AutoPayLLM holds both");
    }

    function invariant_D5_WhatIsStillDueIsKeptOfTheBond() external view {
        BillingDisputes disputes = _handler.contractUnderTest();
        uint256 owed;
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 channel = _handler.channelAt(i);
            uint256 due;
            for (uint256 id = 1; id <= disputes.disputeCount(); ++id) {
                Dispute memory dispute = disputes.getDispute(id);
                if (dispute.channelId == channel) due += dispute.outstanding;
                bool isUpheld = dispute.state == DisputeState.Upheld;
                assertTrue(dispute.penaltyOutstanding <= (isUpheld ? dispute.penalty : 0), "penalty");
            }
            uint256 most = _handler.deposit() - disputes.refundedOf(channel);
            owed += due < most ? due : most;
        }
        assertEq(_handler.relaysBond().owed, owed, "kept for the payers");
    }

    /// @dev What open disputes hold of both sides; those that ended hold nothing.
    function _open() private view returns (uint256 frozen, uint256 bonds) {
        BillingDisputes disputes = _handler.contractUnderTest();
        for (uint256 id = 1; id <= disputes.disputeCount(); ++id) {
            Dispute memory dispute = disputes.getDispute(id);
            if (dispute.state == DisputeState.Open) (frozen, bonds) = (frozen + dispute.frozen, bonds + dispute.bond);
            else assertEq(dispute.frozen, 0, "an ended dispute holds nothing");
        }
    }
}
