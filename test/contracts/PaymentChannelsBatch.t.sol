// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {PaymentChannels} from "../../contracts/PaymentChannels.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ClaimFault} from "../../contracts/types/Claim.sol";
import {ChannelFixture} from "./helpers/ChannelFixture.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";
import {OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

contract PaymentChannelsBatchTest is ChannelFixture {
    function test_SettleBatch_PaysAllWithOneTransfer() external {
        ChannelId[] memory ids = new ChannelId[](3);
        ids[0] = openDefault("a");
        ids[1] = openChannel(payer, payee, token, DEPOSIT, "b", wallet("session"));
        ids[2] = openChannel(wallet("second"), payee, token, DEPOSIT, "a", address(0));
        bytes memory claims = bytes.concat(
            defaultClaim("a", 500, 100),
            packClaim(keyOf("session"), payer, "b", wallet("session"), 20, 20),
            packClaim(keyOf("second"), wallet("second"), "a", address(0), uint96(DEPOSIT), uint96(DEPOSIT))
        );
        uint96[3] memory settled = [uint96(100), 20, uint96(DEPOSIT)];
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchSettled(
            payee,
            address(token),
            120 + DEPOSIT,
            abi.encodePacked(ids[0], settled[0], ids[1], settled[1], ids[2], settled[2])
        );
        vm.prank(payee);
        uint256 total = channels.settleBatch(address(token), claims);
        assertEq(total, 120 + DEPOSIT, "total");
        assertEq(token.balanceOf(payee), total, "paid");
        for (uint256 i = 0; i < 3; ++i) assertEq(channels.getChannel(ids[i]).settled, settled[i], "settled");
    }

    function test_SettleBatch_SameVoucherServesAgainUpToItsMaximum() external {
        ChannelId id = openDefault("a");
        bytes memory claims = bytes.concat(
            defaultClaim("a", 500, 100),
            defaultClaim("a", 500, 100),
            defaultClaim("a", 500, 500)
        );
        _expectSkip(id, ClaimFault.AmountNotIncreasing);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchSettled(
            payee,
            address(token),
            500,
            abi.encodePacked(id, uint96(100), id, uint96(500))
        );
        assertEq(_settle(claims), 500, "total");
        assertEq(channels.getChannel(id).settled, 500, "settled");
    }

    function test_SettleBatch_SkipsWithItsReason() external {
        ChannelId id = openDefault("a");
        _assertOnlySkip(
            packClaim(keyOf("payer"), payer, "unopened", address(0), 1, 1),
            channels.computeChannelId(payer, payee, address(token), "unopened", address(0)),
            ClaimFault.ChannelNotFound
        );
        _assertOnlySkip(defaultClaim("a", 1, 0), id, ClaimFault.AmountNotIncreasing);
        _assertOnlySkip(defaultClaim("a", 1, 2), id, ClaimFault.ClaimExceedsVoucher);
        _assertOnlySkip(defaultClaim("a", uint96(DEPOSIT) + 1, 1), id, ClaimFault.AmountExceedsDeposit);
        _assertOnlySkip(packClaim(keyOf("thief"), payer, "a", address(0), 2, 1), id, ClaimFault.InvalidSignature);
        vm.prank(payee);
        channels.close(id, 0, "");
        _assertOnlySkip(defaultClaim("a", 1, 1), id, ClaimFault.ChannelFinalized);
    }

    function test_SettleBatch_RefusesHighS() external {
        ChannelId id = openDefault("a");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), channels.hashVoucher(id, 5));
        // The compact form has 255 bits for s: a high s must spill into yParity, and recover another address.
        bytes32 high = bytes32((CURVE_ORDER - uint256(s)) | (uint256(28 - v) << 255));
        bytes memory claim = abi.encodePacked(payer, bytes32("a"), address(0), uint96(5), uint96(5), r, high);
        _assertOnlySkip(claim, id, ClaimFault.InvalidSignature);
    }

    /// @dev Whatever stands in memory where nothing is recovered must be nobody's address.
    function test_SettleBatch_RefusesWhatRecoversNobody() external {
        for (uint160 i = 1; i <= 3; ++i) {
            ChannelId id = openChannel(payer, payee, token, DEPOSIT, "a", address(i));
            bytes memory claim = abi.encodePacked(payer, bytes32("a"), address(i), uint96(5), uint96(5), new bytes(64));
            _assertOnlySkip(claim, id, ClaimFault.InvalidSignature);
        }
    }

    function test_SettleBatch_NeverAsksAContractSigner() external {
        Erc1271Wallet signer = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "a", address(signer));
        _assertOnlySkip(packClaim(keyOf("payer"), payer, "a", address(signer), 5, 5), id, ClaimFault.InvalidSignature);
    }

    function test_SettleBatch_AcceptsAWalletThatGotCode() external {
        // EIP-7702: code that refuses every signature does not take a signed voucher back.
        openDefault("a");
        bytes memory claim = defaultClaim("a", 5, 5);
        vm.etch(payer, address(new Erc1271Wallet(Erc1271Wallet.Mode.Accepts)).code);
        Erc1271Wallet(payer).setMode(Erc1271Wallet.Mode.Refuses);
        assertEq(_settle(claim), 5, "paid");
    }

    function test_SettleBatch_RefusesVouchersOfElsewhere() external {
        ChannelId id = openDefault("a");
        PaymentChannels foreign = PaymentChannels(create("PaymentChannels", ""));
        _assertOnlySkip(_claimSigned(foreign.hashVoucher(id, 5)), id, ClaimFault.InvalidSignature);
        vm.chainId(CHAIN_ID + 1);
        bytes32 digest = channels.hashVoucher(id, 5);
        vm.chainId(CHAIN_ID);
        _assertOnlySkip(_claimSigned(digest), id, ClaimFault.InvalidSignature);
        _assertOnlySkip(_claimSigned(channels.hashVoucher(openDefault("b"), 5)), id, ClaimFault.InvalidSignature);
        assertEq(_settle(_claimSigned(channels.hashVoucher(id, 5))), 5, "the right one is paid");
    }

    function test_SettleBatch_OnAForkedChainHasOtherChannels() external {
        openDefault("a");
        bytes memory claim = defaultClaim("a", 5, 5);
        vm.chainId(CHAIN_ID + 1);
        ChannelId there = channels.computeChannelId(payer, payee, address(token), "a", address(0));
        _expectSkip(there, ClaimFault.ChannelNotFound);
        assertEq(_settle(claim), 0, "nothing");
        vm.chainId(CHAIN_ID);
    }

    function test_SettleBatch_OneBadClaimAmongAHundredBlocksNone() external {
        bytes memory claims;
        for (uint256 i = 0; i < 100; ++i) {
            openDefault(bytes32(i));
            uint256 key = keyOf(i == 50 ? "thief" : "payer");
            claims = bytes.concat(claims, packClaim(key, payer, bytes32(i), address(0), 10, 10));
        }
        _expectSkip(
            channels.computeChannelId(payer, payee, address(token), bytes32(uint256(50)), address(0)),
            ClaimFault.InvalidSignature
        );
        assertEq(_settle(claims), 990, "the other 99");
        assertEq(token.balanceOf(payee), 990, "paid");
    }

    function test_SettleBatch_TakesAsManyClaimsAsAllowed() external {
        openDefault("a");
        bytes memory claims;
        for (uint96 i = 1; i <= channels.MAX_CLAIMS(); ++i) {
            claims = bytes.concat(claims, defaultClaim("a", uint96(DEPOSIT), 2 * i));
        }
        assertEq(_settle(claims), 512, "total");
        assertEq(token.balanceOf(payee), 512, "paid");
    }

    function test_RevertWhen_BatchTokenOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        evil.arm();
        bytes memory claim = packClaimIn(address(evil), keyOf("payer"), payer, "a", 10, 10);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(11), uint256(10)));
        vm.prank(payee);
        channels.settleBatch(address(evil), claim);
    }

    function test_SettleBatch_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        openChannel(payer, payee, evil, DEPOSIT, "a", address(0));
        bytes memory claim = packClaimIn(address(evil), keyOf("payer"), payer, "a", 10, 10);
        evil.arm(address(channels), abi.encodeCall(channels.settleBatch, (address(evil), claim)));
        vm.prank(payee);
        channels.settleBatch(address(evil), claim);
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
        assertEq(evil.balanceOf(payee), 10, "paid once");
    }

    /// @dev The batch makes its own hashes in memory of its own; they must be those of `computeChannelId` and
    /// `hashVoucher`.
    function testFuzz_SettleBatch_AgreesWithSettle(
        uint256 key,
        bytes32 salt,
        bool hasSessionKey,
        address to,
        uint96 deposit,
        uint96 maximum,
        uint96 claimed
    ) external {
        if (to == address(0) || to == address(channels)) to = payee;
        key = bound(key, 1, CURVE_ORDER - 1);
        deposit = uint96(bound(deposit, 1, type(uint96).max));
        maximum = uint96(bound(maximum, 1, deposit));
        claimed = uint96(bound(claimed, 1, maximum));
        address from = hasSessionKey ? payer : vm.addr(key);
        address signer = hasSessionKey ? vm.addr(key) : address(0);
        ChannelId id = openChannel(from, to, token, deposit, salt, signer);
        bytes memory claim = packClaimFor(to, key, from, salt, signer, maximum, claimed);
        uint256 had = token.balanceOf(to);
        vm.prank(to);
        assertEq(channels.settleBatch(address(token), claim), claimed, "batch");
        assertEq(channels.getChannel(id).settled, claimed, "settled");
        uint256 rest = maximum - claimed;
        if (rest != 0) {
            bytes memory signature = sign(key, channels.hashVoucher(id, maximum));
            vm.prank(to);
            channels.settle(id, maximum, signature);
        }
        assertEq(token.balanceOf(to) - had, maximum, "both take the same voucher");
    }

    /// @dev One flipped bit anywhere in a claim: another channel, another voucher or another signature. It never takes
    /// more.
    function testFuzz_SettleBatch_AFlippedBitTakesNothingMore(uint256 bit) external {
        ChannelId id = openDefault("a");
        bytes memory claim = defaultClaim("a", 1023, 512);
        bit = bound(bit, 0, 8 * claim.length - 1);
        claim[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        uint256 total = _settle(claim);
        // Only what is claimed is not signed: there a flip may be valid, within what is signed.
        if (bit / 8 >= 84 && bit / 8 < 96) assertTrue(total <= 1023, "within the voucher");
        else assertEq(total, 0, "refused");
        assertEq(channels.getChannel(id).settled, total, "settled");
    }

    function test_SettleBatch_GivesAnotherPayeeNothing() external {
        openDefault("a");
        bytes memory claims = defaultClaim("a", 5, 5);
        ChannelId theirs = channels.computeChannelId(payer, wallet("thief"), address(token), "a", address(0));
        _expectSkip(theirs, ClaimFault.ChannelNotFound);
        vm.prank(wallet("thief"));
        assertEq(channels.settleBatch(address(token), claims), 0, "nothing");
    }

    function test_SettleBatch_OfNothingPaysNothing() external {
        vm.recordLogs();
        assertEq(_settle(""), 0, "total");
        assertEq(vm.getRecordedLogs().length, 0, "no event");
    }

    function test_SettleBatch_OfOneClaim() external {
        ChannelId id = openDefault("a");
        bytes memory claim = defaultClaim("a", 255, 255);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.BatchSettled(payee, address(token), 255, abi.encodePacked(id, uint96(255)));
        assertEq(_settle(claim), 255, "total");
    }

    function test_SettleBatch_JudgesEachClaimOnce() external {
        openDefault("a");
        bytes memory claims = bytes.concat(defaultClaim("a", 5, 5), defaultClaim("b", 5, 5));
        vm.recordLogs();
        assertEq(_settle(claims), 5, "total");
        assertEq(vm.getRecordedLogs().length, 3, "ClaimSkipped, BatchSettled and one transfer");
    }

    function test_RevertWhen_ClaimsAreTorn() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ClaimsMalformed.selector, uint256(159)));
        channels.settleBatch(address(token), new bytes(159));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ClaimsMalformed.selector, uint256(161)));
        channels.settleBatch(address(token), new bytes(161));
    }

    function test_RevertWhen_ClaimsAreTooMany() external {
        uint256 maximum = channels.MAX_CLAIMS();
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TooManyClaims.selector, maximum + 1, maximum));
        channels.settleBatch(address(token), new bytes(160 * (maximum + 1)));
    }

    function testFuzz_SettleBatch_PaysExactlyTheGoodClaims(uint96[8] calldata amounts, uint8 badMask) external {
        bytes memory claims;
        uint256 expected = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            openDefault(bytes32(i));
            uint96 claimed = uint96(bound(amounts[i], 1, DEPOSIT));
            bool bad = (badMask >> i) & 1 == 1;
            claims = bytes.concat(
                claims,
                packClaim(keyOf(bad ? "thief" : "payer"), payer, bytes32(i), address(0), uint96(DEPOSIT), claimed)
            );
            if (!bad) expected += claimed;
        }
        assertEq(_settle(claims), expected, "total");
        assertEq(token.balanceOf(payee), expected, "paid");
        assertEq(token.balanceOf(address(channels)), 8 * uint256(DEPOSIT) - expected, "escrow keeps the rest");
    }

    function testFuzz_SettleBatch_GarbageTakesNothing(bytes32[5] calldata words, uint8 count) external {
        openDefault("a");
        bytes memory claims;
        for (uint256 i = 0; i < count % 4; ++i) claims = bytes.concat(claims, abi.encodePacked(words));
        assertEq(_settle(claims), 0, "nothing");
        assertEq(token.balanceOf(address(channels)), DEPOSIT, "escrow untouched");
    }

    /// @dev A claim of 5 on the default channel, with a signature over something else.
    function _claimSigned(bytes32 digest) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), digest);
        bytes32 yParityAndS = bytes32(uint256(s) | (uint256(v - 27) << 255));
        return abi.encodePacked(payer, bytes32("a"), address(0), uint96(5), uint96(5), r, yParityAndS);
    }

    function _settle(bytes memory claims) private returns (uint256) {
        vm.prank(payee);
        return channels.settleBatch(address(token), claims);
    }

    function _expectSkip(ChannelId id, ClaimFault fault) private {
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(id, fault);
    }

    function _assertOnlySkip(bytes memory claim, ChannelId id, ClaimFault fault) private {
        uint256 held = token.balanceOf(address(channels));
        _expectSkip(id, fault);
        assertEq(_settle(claim), 0, "pays nothing");
        assertEq(token.balanceOf(address(channels)), held, "escrow untouched");
    }
}
