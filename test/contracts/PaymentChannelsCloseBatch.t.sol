// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Channel, IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {BoundedTransfer} from "../../contracts/libraries/BoundedTransfer.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ClaimFault} from "../../contracts/types/Claim.sol";
import {ChannelFixture} from "./helpers/ChannelFixture.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";
import {MoodyToken, NoReturnToken, OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

contract PaymentChannelsCloseBatchTest is ChannelFixture {
    function test_CloseBatch_PaysThePayeeOnceAndEachPayerTheRest() external {
        ChannelId first = openDefault("a");
        ChannelId second = openChannel(payer, payee, token, DEPOSIT, "b", wallet("session"));
        ChannelId third = openChannel(wallet("second"), payee, token, DEPOSIT, "a", address(0));
        bytes memory claims = bytes.concat(
            defaultClaim("a", 500, 100),
            packClaim(keyOf("session"), payer, "b", wallet("session"), 20, 20),
            packClaim(keyOf("second"), wallet("second"), "a", address(0), uint96(DEPOSIT), uint96(DEPOSIT))
        );
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchClosed(
            payee,
            address(token),
            120 + DEPOSIT,
            abi.encodePacked(
                abi.encodePacked(first, uint96(100), uint96(DEPOSIT - 100)),
                abi.encodePacked(second, uint96(20), uint96(DEPOSIT - 20)),
                abi.encodePacked(third, uint96(DEPOSIT), uint96(0))
            )
        );
        assertEq(_close(claims), 120 + DEPOSIT, "total");
        assertEq(token.balanceOf(payee), 120 + DEPOSIT, "payee");
        assertEq(token.balanceOf(payer), 2 * DEPOSIT - 120, "payer");
        assertEq(token.balanceOf(wallet("second")), 0, "a payer of whom all is taken");
        assertEq(token.balanceOf(address(channels)), 0, "escrow is empty");
        _assertFinalized(first, 100);
        _assertFinalized(second, 20);
        _assertFinalized(third, DEPOSIT);
    }

    function test_CloseBatch_OfWholeDepositsRefundsNothing() external {
        bytes memory claims;
        bytes memory closures;
        for (uint256 i = 0; i < 8; ++i) {
            bytes32 salt = bytes32(i);
            ChannelId id = openDefault(salt);
            claims = bytes.concat(claims, defaultClaim(salt, uint96(DEPOSIT), uint96(DEPOSIT)));
            closures = bytes.concat(closures, abi.encodePacked(id, uint96(DEPOSIT), uint96(0)));
        }
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchClosed(payee, address(token), 8 * uint256(DEPOSIT), closures);
        vm.recordLogs();
        assertEq(_close(claims), 8 * uint256(DEPOSIT), "total");
        assertEq(vm.getRecordedLogs().length, 2, "BatchClosed and one transfer");
        assertEq(token.balanceOf(payer), 0, "payer");
    }

    function test_CloseBatch_ForfeitsWithoutAVoucher() external {
        ChannelId id = openDefault("a");
        settleChecked(id, 70);
        vm.prank(payer);
        channels.requestClose(id);
        bytes memory unsigned = abi.encodePacked(payer, bytes32("a"), address(0), uint96(0), uint96(70), new bytes(64));
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchClosed(
            payee,
            address(token),
            0,
            abi.encodePacked(id, uint96(70), uint96(DEPOSIT - 70))
        );
        assertEq(_close(unsigned), 0, "nothing more is taken");
        assertEq(token.balanceOf(payer), DEPOSIT - 70, "payer");
        _assertFinalized(id, 70);
        assertEq(channels.getChannel(id).closeRequestedAt, 0, "no close pends any more");
    }

    function test_CloseBatch_OfNothingDoesNothing() external {
        vm.recordLogs();
        assertEq(_close(""), 0, "total");
        assertEq(vm.getRecordedLogs().length, 0, "no event");
    }

    function test_CloseBatch_SkipsWithItsReason() external {
        ChannelId id = openDefault("a");
        _assertOnlySkip(
            packClaim(keyOf("payer"), payer, "unopened", address(0), 1, 1),
            channels.computeChannelId(payer, payee, address(token), "unopened", address(0)),
            ClaimFault.ChannelNotFound
        );
        _assertOnlySkip(defaultClaim("a", 1, 2), id, ClaimFault.ClaimExceedsVoucher);
        _assertOnlySkip(defaultClaim("a", uint96(DEPOSIT) + 1, 1), id, ClaimFault.AmountExceedsDeposit);
        _assertOnlySkip(packClaim(keyOf("thief"), payer, "a", address(0), 2, 1), id, ClaimFault.InvalidSignature);
        assertEq(channels.getChannel(id).finalized, false, "still open");
        _close(defaultClaim("a", 1, 1));
        _assertOnlySkip(defaultClaim("a", 2, 2), id, ClaimFault.ChannelFinalized);
        _assertOnlySkip(defaultClaim("a", 1, 0), id, ClaimFault.ChannelFinalized);
    }

    function test_CloseBatch_NeverAsksAContractSigner() external {
        Erc1271Wallet signer = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "a", address(signer));
        _assertOnlySkip(packClaim(keyOf("payer"), payer, "a", address(signer), 5, 5), id, ClaimFault.InvalidSignature);
    }

    function test_CloseBatch_ClosesAChannelOnceOnly() external {
        ChannelId id = openDefault("a");
        openDefault("b");
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(id, ClaimFault.ChannelFinalized);
        assertEq(_close(bytes.concat(defaultClaim("a", 9, 5), defaultClaim("a", 9, 9))), 5, "the first claim counts");
        assertEq(token.balanceOf(payer), DEPOSIT - 5, "refunded once");
        assertEq(token.balanceOf(address(channels)), DEPOSIT, "the other channel is untouched");
    }

    function test_CloseBatch_GivesAnotherPayeeNothing() external {
        ChannelId id = openDefault("a");
        bytes memory claims = defaultClaim("a", 5, 5);
        ChannelId theirs = channels.computeChannelId(payer, wallet("thief"), address(token), "a", address(0));
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(theirs, ClaimFault.ChannelNotFound);
        vm.prank(wallet("thief"));
        assertEq(channels.closeBatch(address(token), claims), 0, "nothing");
        assertEq(channels.getChannel(id).finalized, false, "still open");
    }

    function test_CloseBatch_WorksWithATokenThatReturnsNothing() external {
        NoReturnToken quiet = new NoReturnToken();
        quiet.mint(payer, DEPOSIT);
        vm.prank(payer);
        quiet.approve(address(channels), DEPOSIT);
        vm.prank(payer);
        ChannelId id = channels.open(payee, address(quiet), DEPOSIT, "a", address(0));
        bytes memory claim = packClaimIn(address(quiet), keyOf("payer"), payer, "a", 40, 40);
        vm.prank(payee);
        assertEq(channels.closeBatch(address(quiet), claim), 40, "total");
        assertEq(quiet.balanceOf(payee), 40, "payee");
        assertEq(quiet.balanceOf(payer), DEPOSIT - 40, "payer");
        _assertFinalized(id, 40);
    }

    function test_RevertWhen_CloseClaimsAreTorn() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ClaimsMalformed.selector, uint256(161)));
        channels.closeBatch(address(token), new bytes(161));
    }

    function test_RevertWhen_CloseClaimsAreTooMany() external {
        uint256 maximum = channels.MAX_CLAIMS();
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TooManyClaims.selector, maximum + 1, maximum));
        channels.closeBatch(address(token), new bytes(160 * (maximum + 1)));
    }

    function testFuzz_CloseBatch_NobodyLoses(uint96[6] calldata amounts, uint8 badMask) external {
        bytes memory claims;
        uint256 taken = 0;
        uint256 kept = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            ChannelId id = openDefault(bytes32(i));
            if (i % 2 == 1) settleChecked(id, 1000);
            uint96 claimed = uint96(bound(amounts[i], 0, DEPOSIT));
            uint256 already = i % 2 == 1 ? 1000 : 0;
            bool bad = (badMask >> i) & 1 == 1 && claimed > already;
            uint256 key = keyOf(bad ? "thief" : "payer");
            claims = bytes.concat(claims, packClaim(key, payer, bytes32(i), address(0), uint96(DEPOSIT), claimed));
            if (bad) kept += DEPOSIT - already;
            else if (claimed > already) taken += claimed - already;
        }
        uint256 before = token.balanceOf(payee);
        assertEq(_close(claims), taken, "total");
        assertEq(token.balanceOf(payee) - before, taken, "payee");
        assertEq(token.balanceOf(address(channels)), kept, "escrow keeps what is still open");
        assertEq(token.balanceOf(payer), 6 * uint256(DEPOSIT) - before - taken - kept, "payer");
    }

    function _close(bytes memory claims) private returns (uint256) {
        vm.prank(payee);
        return channels.closeBatch(address(token), claims);
    }

    function _assertFinalized(ChannelId id, uint256 settled) private view {
        Channel memory channel = channels.getChannel(id);
        assertEq(channel.finalized, true, "finalized");
        assertEq(channel.settled, settled, "settled");
        assertEq(channel.payer, payer == channel.payer ? payer : wallet("second"), "the record stays");
    }

    function _assertOnlySkip(bytes memory claim, ChannelId id, ClaimFault fault) private {
        uint256 held = token.balanceOf(address(channels));
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(id, fault);
        assertEq(_close(claim), 0, "pays nothing");
        assertEq(token.balanceOf(address(channels)), held, "escrow untouched");
    }
}

contract PaymentChannelsRefundTest is ChannelFixture {
    MoodyToken private _moody;
    address private _other;
    ChannelId private _first;
    ChannelId private _second;

    function setUp() public override {
        super.setUp();
        _moody = new MoodyToken();
        _other = wallet("other");
        _first = openChannel(payer, payee, _moody, DEPOSIT, "a", address(0));
        _second = openChannel(_other, payee, _moody, DEPOSIT, "a", address(0));
    }

    function test_CloseBatch_ARefundThatFailsLeavesTheChannelSettledAndOpen() external {
        MoodyToken.Mood[5] memory moods = [
            MoodyToken.Mood.Blocked,
            MoodyToken.Mood.ReturnsFalse,
            MoodyToken.Mood.BurnsGas,
            MoodyToken.Mood.RevertBomb,
            MoodyToken.Mood.Blocked
        ];
        vm.prank(payer);
        channels.requestClose(_first);
        for (uint256 i = 0; i < moods.length; ++i) {
            _moody.setMood(payer, moods[i]);
            uint96 claimed = uint96(10 * (i + 1));
            vm.expectEmit(address(channels));
            emit IPaymentChannels.ChannelSettled(_first, 10, claimed);
            vm.expectEmit(address(channels));
            emit IPaymentChannels.ClaimSkipped(_first, ClaimFault.RefundFailed);
            vm.expectEmit(address(channels));
            emit IPaymentChannels.BatchClosed(payee, address(_moody), 10, "");
            assertEq(_close(_claims(claimed, 0)), 10, "what the payee took");
            Channel memory channel = channels.getChannel(_first);
            assertEq(channel.settled, claimed, "settled");
            assertEq(channel.finalized, false, "open");
            assertEq(channel.closeRequestedAt, START, "the payer's request still pends");
        }
        assertEq(_moody.balanceOf(payee), 50, "payee");
        _moody.setMood(payer, MoodyToken.Mood.Good);
        vm.warp(START + 3600);
        vm.prank(payer);
        channels.withdraw(_first);
        assertEq(_moody.balanceOf(payer), DEPOSIT - 50, "the payer gets the rest itself");
    }

    function test_CloseBatch_ARefundThatFailsStopsNoOther() external {
        _moody.setMood(payer, MoodyToken.Mood.Blocked);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchClosed(
            payee,
            address(_moody),
            37,
            abi.encodePacked(_second, uint96(7), uint96(DEPOSIT - 7))
        );
        assertEq(_close(_claims(30, 7)), 37, "total");
        assertEq(_moody.balanceOf(_other), DEPOSIT - 7, "the other payer");
        assertEq(channels.getChannel(_second).finalized, true, "the other channel");
    }

    function test_CloseBatch_AFailedRefundThatTookNothingChangesNothing() external {
        _moody.setMood(payer, MoodyToken.Mood.Blocked);
        bytes memory claim = abi.encodePacked(payer, bytes32("a"), address(0), new bytes(88));
        vm.recordLogs();
        assertEq(_close(bytes.concat(claim, claim)), 0, "total");
        assertEq(vm.getRecordedLogs().length, 2, "ClaimSkipped twice, nothing else");
        Channel memory channel = channels.getChannel(_first);
        assertEq(channel.settled, 0, "settled");
        assertEq(channel.finalized, false, "open");
    }

    function test_CloseBatch_SurvivesAReturnBomb() external {
        _moody.setMood(payer, MoodyToken.Mood.ReturnBomb);
        assertEq(_close(_claims(30, 7)), 37, "total");
        assertEq(_moody.balanceOf(payer), DEPOSIT - 30, "refunded");
        assertEq(channels.getChannel(_first).finalized, true, "closed");
    }

    function test_RevertWhen_ARefundIsPaidAndDenied() external {
        // A token that pays and says that it did not: the refund would be owed once more.
        _moody.setMood(payer, MoodyToken.Mood.FailsAfterPaying);
        bytes memory claim = abi.encodePacked(payer, bytes32("a"), address(0), new bytes(88));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(DEPOSIT), uint256(0)));
        _close(claim);
    }

    function test_RevertWhen_RefundsOvercharge() external {
        OverchargingToken evil = new OverchargingToken();
        openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        openChannel(payer, payee, evil, DEPOSIT, "b", address(0));
        evil.arm();
        bytes memory claim = packClaimIn(address(evil), keyOf("payer"), payer, "a", 10, 10);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(DEPOSIT) + 2, uint256(DEPOSIT))
        );
        vm.prank(payee);
        channels.closeBatch(address(evil), claim);
    }

    function test_RevertWhen_ASkippedClaimHidesAnOvercharge() external {
        // What is skipped allows for nothing: the one unit too much is another channel's.
        OverchargingToken evil = new OverchargingToken();
        openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        openChannel(payer, payee, evil, DEPOSIT, "b", address(0));
        evil.arm();
        bytes memory claims = bytes.concat(
            packClaimIn(address(evil), keyOf("payer"), payer, "a", uint96(DEPOSIT), uint96(DEPOSIT)),
            packClaimIn(address(evil), keyOf("thief"), payer, "b", 1, 1)
        );
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(DEPOSIT) + 1, uint256(DEPOSIT))
        );
        vm.prank(payee);
        channels.closeBatch(address(evil), claims);
    }

    function test_RevertGiven_ThePayeeIsBlocked() external {
        _moody.setMood(payee, MoodyToken.Mood.Blocked);
        bytes memory claims = _claims(30, 7);
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "blocked"));
        _close(claims);
        assertEq(channels.getChannel(_first).finalized, false, "nothing happened");
    }

    function test_RevertWhen_GasIsTooLowForARefund() external {
        bytes memory claims = _claims(30, 7);
        vm.prank(payee);
        (bool done, bytes memory answer) = address(channels).call{gas: 130_000}(
            abi.encodeCall(channels.closeBatch, (address(_moody), claims))
        );
        assertEq(done, false, "refused");
        assertEq(bytes32(answer), bytes32(BoundedTransfer.BoundedTransfer_GasTooLow.selector), "by name");
        (uint256 gasLeft, uint256 required) = this.decodeGas(answer);
        assertEq(required, channels.REFUND_GAS_LIMIT() + channels.REFUND_GAS_LIMIT() / 63 + 4_000, "what is needed");
        assertTrue(gasLeft < required, "less was there");
    }

    function test_CloseBatch_ExactlyEnoughGasForARefundIsEnough() external {
        bytes memory call = abi.encodeCall(channels.closeBatch, (address(_moody), _claims(30, 0)));
        vm.prank(payee);
        (bool done, bytes memory answer) = address(channels).call{gas: 130_000}(call);
        assertEq(done, false, "refused");
        (uint256 gasLeft, uint256 required) = this.decodeGas(answer);
        vm.prank(payee);
        (done, answer) = address(channels).call{gas: 130_000 + required - gasLeft}(call);
        assertEq(done, true, "exactly what is required");
        assertEq(_moody.balanceOf(payer), DEPOSIT - 30, "refunded");
    }

    /// @dev Whatever gas the payee sends: it all reverts, or both payers are paid.
    function testFuzz_CloseBatch_GasCannotMakeARefundFail(uint256 gasLimit) external {
        gasLimit = bound(gasLimit, 20_000, 700_000);
        bytes memory claims = _claims(30, 7);
        vm.prank(payee);
        (bool done, ) = address(channels).call{gas: gasLimit}(
            abi.encodeCall(channels.closeBatch, (address(_moody), claims))
        );
        assertEq(_moody.balanceOf(payer), done ? DEPOSIT - 30 : 0, "payer");
        assertEq(_moody.balanceOf(_other), done ? DEPOSIT - 7 : 0, "other payer");
        assertEq(channels.getChannel(_first).finalized, done, "first");
        assertEq(channels.getChannel(_second).finalized, done, "second");
        if (gasLimit > 500_000) assertTrue(done, "enough gas is enough");
    }

    function test_CloseBatch_CannotBeReenteredByARefund() external {
        ReentrantToken evil = new ReentrantToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        openChannel(payer, payee, evil, DEPOSIT, "b", address(0));
        bytes memory claim = packClaimIn(address(evil), keyOf("payer"), payer, "a", 10, 10);
        evil.arm(address(channels), abi.encodeCall(channels.closeBatch, (address(evil), claim)));
        vm.prank(payee);
        channels.closeBatch(address(evil), claim);
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
        assertEq(evil.balanceOf(payer), DEPOSIT - 10, "refunded once");
        assertEq(evil.balanceOf(address(channels)), DEPOSIT, "the other channel is untouched");
        assertEq(channels.getChannel(id).finalized, true, "closed");
    }

    function test_CloseBatch_IsFinalWhileTheRefundIsPaid() external {
        // What another contract reads in the middle of a refund is not more than what is left.
        ReentrantToken evil = new ReentrantToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        evil.arm(address(channels), abi.encodeCall(channels.requestClose, (id)));
        bytes memory claim = packClaimIn(address(evil), keyOf("payer"), payer, "a", 10, 10);
        vm.prank(payee);
        channels.closeBatch(address(evil), claim);
        assertEq(
            keccak256(evil.answer()),
            keccak256(abi.encodeWithSelector(IPaymentChannels.ChannelFinalized.selector, id)),
            "requestClose is refused, too"
        );
    }

    /// @dev External, so that the answer can be sliced.
    function decodeGas(bytes calldata answer) external pure returns (uint256 gasLeft, uint256 required) {
        return abi.decode(answer[4:], (uint256, uint256));
    }

    function _claims(uint96 first, uint96 second) private view returns (bytes memory claims) {
        claims = packClaimIn(address(_moody), keyOf("payer"), payer, "a", first, first);
        if (second == 0) return claims;
        return bytes.concat(claims, packClaimIn(address(_moody), keyOf("other"), _other, "a", second, second));
    }

    function _close(bytes memory claims) private returns (uint256) {
        vm.prank(payee);
        return channels.closeBatch(address(_moody), claims);
    }
}
