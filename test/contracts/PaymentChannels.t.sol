// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {PaymentChannels} from "../../contracts/PaymentChannels.sol";
import {Channel, IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ChannelFixture} from "./helpers/ChannelFixture.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";
import {TestToken} from "./mocks/TestToken.sol";
import {
    FeeOnTransferToken,
    GenerousToken,
    LyingToken,
    MoodyToken,
    NoReturnToken,
    OverchargingToken,
    ReentrantToken
} from "./mocks/WeirdTokens.sol";

contract PaymentChannelsOpenTest is ChannelFixture {
    function test_Open_EmitsAndStores() external {
        token.mint(payer, DEPOSIT);
        vm.prank(payer);
        token.approve(address(channels), DEPOSIT);
        ChannelId expected = channels.computeChannelId(payer, payee, address(token), "salt", wallet("session"));
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelOpened(expected, payer, payee, address(token), wallet("session"), "salt", DEPOSIT);
        vm.prank(payer);
        ChannelId channelId = channels.open(payee, address(token), DEPOSIT, "salt", wallet("session"));
        assertTrue(channelId == expected, "id");
        assertEq(channels.getChannel(channelId).authorizedSigner, wallet("session"), "session key");
    }

    function test_ComputeChannelId_IsTheDraftsFormula() external view {
        bytes32 expected = keccak256(
            abi.encode(payer, payee, address(token), bytes32("s"), address(1), address(channels), block.chainid)
        );
        ChannelId actual = channels.computeChannelId(payer, payee, address(token), "s", address(1));
        assertEq(ChannelId.unwrap(actual), expected, "id");
    }

    function test_DomainSeparator_IsTheDraftsDomain() external view {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("EVM Payment Channel"),
                keccak256("1"),
                block.chainid,
                address(channels)
            )
        );
        assertEq(channels.domainSeparator(), expected, "separator");
    }

    function test_Limits_AreThePublishedOnes() external view {
        assertEq(channels.CLOSE_GRACE_PERIOD(), 3600, "grace period");
        assertEq(channels.MAX_CLAIMS(), 256, "claims of a batch");
        assertEq(channels.REFUND_GAS_LIMIT(), 120_000, "gas of a refund");
        assertEq(channels.ERC1271_GAS_LIMIT(), 200_000, "gas of a contract signer");
    }

    function test_GetChannel_OfUnknownIsZero() external view {
        Channel memory channel = channels.getChannel(ChannelId.wrap("unknown"));
        assertEq(keccak256(abi.encode(channel)), keccak256(new bytes(256)), "all zero");
    }

    function test_RevertWhen_DepositIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ZeroDeposit.selector));
        vm.prank(payer);
        channels.open(payee, address(token), 0, "salt", address(0));
    }

    function test_RevertWhen_DepositExceedsRecord() external {
        uint128 deposit = uint128(type(uint96).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.DepositOverflow.selector, deposit, uint256(type(uint96).max))
        );
        vm.prank(payer);
        channels.open(payee, address(token), deposit, "salt", address(0));
    }

    function test_RevertGiven_ChannelExists() external {
        ChannelId channelId = openDefault("salt");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ChannelAlreadyExists.selector, channelId));
        vm.prank(payer);
        channels.open(payee, address(token), DEPOSIT, "salt", address(0));
    }

    function test_RevertGiven_ChannelIsFinalized() external {
        ChannelId channelId = openDefault("salt");
        vm.prank(payee);
        channels.close(channelId, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ChannelAlreadyExists.selector, channelId));
        vm.prank(payer);
        channels.open(payee, address(token), DEPOSIT, "salt", address(0));
    }

    function test_RevertWhen_TokenTakesAFee() external {
        FeeOnTransferToken fee = new FeeOnTransferToken();
        fee.mint(payer, DEPOSIT);
        vm.prank(payer);
        fee.approve(address(channels), DEPOSIT);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.DepositNotReceived.selector, uint256(DEPOSIT - 1), uint256(DEPOSIT))
        );
        vm.prank(payer);
        channels.open(payee, address(fee), DEPOSIT, "salt", address(0));
    }

    function test_RevertWhen_TokenGivesMore() external {
        GenerousToken generous = new GenerousToken();
        generous.mint(payer, DEPOSIT);
        vm.prank(payer);
        generous.approve(address(channels), DEPOSIT);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.DepositNotReceived.selector, uint256(DEPOSIT) + 1, uint256(DEPOSIT))
        );
        vm.prank(payer);
        channels.open(payee, address(generous), DEPOSIT, "salt", address(0));
    }

    function test_Open_WorksWithATokenThatReturnsNothing() external {
        NoReturnToken quiet = new NoReturnToken();
        quiet.mint(payer, DEPOSIT);
        vm.prank(payer);
        quiet.approve(address(channels), DEPOSIT);
        vm.prank(payer);
        ChannelId channelId = channels.open(payee, address(quiet), DEPOSIT, "salt", address(0));
        bytes memory signature = voucher(channelId, 40);
        vm.prank(payee);
        channels.settle(channelId, 40, signature);
        assertEq(quiet.balanceOf(payee), 40, "paid");
    }

    function test_Open_FrontRunWithTheSameTermsIsAnotherChannel() external {
        token.mint(wallet("thief"), DEPOSIT);
        vm.prank(wallet("thief"));
        token.approve(address(channels), DEPOSIT);
        vm.prank(wallet("thief"));
        ChannelId theirs = channels.open(payee, address(token), DEPOSIT, "salt", address(0));
        ChannelId ours = openDefault("salt");
        assertTrue(!(theirs == ours), "the payer is in the identifier");
    }

    function test_RevertWhen_TokenLies() external {
        LyingToken denies = new LyingToken(false);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(denies)));
        vm.prank(payer);
        channels.open(payee, address(denies), DEPOSIT, "salt", address(0));
        LyingToken claims = new LyingToken(true);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.DepositNotReceived.selector, uint256(0), uint256(DEPOSIT))
        );
        vm.prank(payer);
        channels.open(payee, address(claims), DEPOSIT, "salt", address(0));
    }

    function test_RevertWhen_TokenHasNoCode() external {
        // The compiler's own check of the code refuses it, without a name.
        vm.expectRevert("");
        vm.prank(payer);
        channels.open(payee, wallet("no token"), DEPOSIT, "salt", address(0));
    }

    function testFuzz_Open_StoresWhatWasGiven(
        address from,
        address to,
        uint96 deposit,
        bytes32 salt,
        address signer
    ) external {
        if (from == address(0) || from == address(channels)) from = payer;
        openChannel(from, to, token, uint96(bound(deposit, 1, type(uint96).max)), salt, signer);
    }

    function test_RevertWhen_TokenReentersOpen() external {
        ReentrantToken evil = new ReentrantToken();
        evil.mint(payer, 2 * DEPOSIT);
        vm.prank(payer);
        evil.approve(address(channels), DEPOSIT);
        bytes memory inner = abi.encodeCall(channels.open, (payee, address(evil), DEPOSIT, "inner", address(0)));
        evil.arm(address(channels), inner);
        vm.prank(payer);
        channels.open(payee, address(evil), DEPOSIT, "salt", address(0));
        assertTrue(evil.called(), "token did call back");
        assertEq(evil.succeeded(), false, "and was refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
    }
}

contract PaymentChannelsSettleTest is ChannelFixture {
    ChannelId private _id;

    function setUp() public override {
        super.setUp();
        _id = openDefault("salt");
    }

    function test_Settle_PaysTheDifference() external {
        settleChecked(_id, 300);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelSettled(_id, 450, 750);
        settleChecked(_id, 750);
        settleChecked(_id, DEPOSIT);
        assertEq(token.balanceOf(address(channels)), 0, "escrow is empty");
    }

    function test_Settle_TakesTheSessionKeysVoucherOnly() external {
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "session", wallet("session"));
        bytes32 digest = channels.hashVoucher(id, 10);
        _expectInvalid(id, 10, sign(keyOf("payer"), digest), wallet("session"));
        bytes memory good = sign(keyOf("session"), digest);
        vm.prank(payee);
        channels.settle(id, 10, good);
        assertEq(token.balanceOf(payee), 10, "paid");
    }

    function test_Settle_IsPossibleWhileACloseIsPending() external {
        vm.prank(payer);
        channels.requestClose(_id);
        settleChecked(_id, 5);
    }

    function testFuzz_Settle_AnyIncreasingSequence(uint96[6] calldata steps) external {
        uint256 settled = 0;
        for (uint256 i = 0; i < steps.length; ++i) {
            if (settled == DEPOSIT) break;
            settled = bound(steps[i], settled + 1, DEPOSIT);
            settleChecked(_id, uint128(settled));
        }
        assertEq(token.balanceOf(payee), settled, "sum of differences");
    }

    function test_RevertWhen_ChannelIsUnknown() external {
        ChannelId unknown = ChannelId.wrap("unknown");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ChannelNotFound.selector, unknown));
        vm.prank(payee);
        channels.settle(unknown, 1, "");
    }

    function test_RevertWhen_CallerIsNotPayee() external {
        bytes memory signature = voucher(_id, 1);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotPayee.selector, payer, payee));
        vm.prank(payer);
        channels.settle(_id, 1, signature);
    }

    function test_RevertGiven_ChannelIsFinalized() external {
        vm.prank(payee);
        channels.close(_id, 0, "");
        bytes memory signature = voucher(_id, 1);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ChannelFinalized.selector, _id));
        vm.prank(payee);
        channels.settle(_id, 1, signature);
    }

    function test_RevertWhen_VoucherIsReplayed() external {
        settleChecked(_id, 100);
        _expectNotIncreasing(100);
        _expectNotIncreasing(99);
        _expectNotIncreasing(0);
    }

    function test_RevertWhen_AmountExceedsDeposit() external {
        bytes memory signature = voucher(_id, DEPOSIT + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.AmountExceedsDeposit.selector,
                uint256(DEPOSIT + 1),
                uint256(DEPOSIT)
            )
        );
        vm.prank(payee);
        channels.settle(_id, DEPOSIT + 1, signature);
    }

    function test_RevertWhen_SignerIsAnother() external {
        _expectInvalid(_id, 10, sign(keyOf("thief"), channels.hashVoucher(_id, 10)), payer);
    }

    function test_RevertWhen_AmountIsNotTheSignedOne() external {
        _expectInvalid(_id, 11, voucher(_id, 10), payer);
    }

    function test_RevertWhen_SIsHigh() external {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), channels.hashVoucher(_id, 10));
        bytes memory flipped = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _expectInvalid(_id, 10, flipped, payer);
    }

    function test_RevertWhen_SignatureHasAnotherLength() external {
        _expectInvalid(_id, 10, "", payer);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), channels.hashVoucher(_id, 10));
        _expectInvalid(_id, 10, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))), payer);
        _expectInvalid(_id, 10, abi.encodePacked(r, s, v, uint8(0)), payer);
    }

    function test_RevertWhen_VoucherIsForAnotherChannel() external {
        ChannelId other = openDefault("other");
        _expectInvalid(_id, 10, voucher(other, 10), payer);
    }

    function test_RevertWhen_VoucherIsForAnotherEscrow() external {
        PaymentChannels foreign = PaymentChannels(create("PaymentChannels", ""));
        _expectInvalid(_id, 10, sign(keyOf("payer"), foreign.hashVoucher(_id, 10)), payer);
    }

    function test_RevertWhen_VoucherIsForAnotherChain() external {
        vm.chainId(CHAIN_ID + 1);
        bytes32 digest = channels.hashVoucher(_id, 10);
        vm.chainId(CHAIN_ID);
        assertTrue(digest != channels.hashVoucher(_id, 10), "digests differ by chain");
        _expectInvalid(_id, 10, sign(keyOf("payer"), digest), payer);
    }

    function testFuzz_RevertWhen_SignatureIsRandom(bytes32 r, bytes32 s, uint8 v) external {
        _expectInvalid(_id, 10, abi.encodePacked(r, s, v), payer);
    }

    function test_Settle_AcceptsAWalletThatGotCode() external {
        // EIP-7702: the payer's address now has code that refuses every signature.
        bytes memory signature = voucher(_id, 10);
        vm.etch(payer, address(new Erc1271Wallet(Erc1271Wallet.Mode.Accepts)).code);
        Erc1271Wallet(payer).setMode(Erc1271Wallet.Mode.Refuses);
        vm.prank(payee);
        channels.settle(_id, 10, signature);
        assertEq(token.balanceOf(payee), 10, "paid");
    }

    function test_Settle_AcceptsAContractSigner() external {
        Erc1271Wallet signer = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "contract", address(signer));
        vm.prank(payee);
        channels.settle(id, 10, hex"1234");
        assertEq(token.balanceOf(payee), 10, "paid");
    }

    function test_RevertGiven_ContractSignerChangedItsMind() external {
        Erc1271Wallet signer = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "contract", address(signer));
        vm.prank(payee);
        channels.settle(id, 10, hex"1234");
        signer.setMode(Erc1271Wallet.Mode.Refuses);
        _expectInvalid(id, 20, hex"1234", address(signer));
        vm.prank(payee);
        channels.close(id, 10, "");
        assertEq(token.balanceOf(payee), 10, "what was settled stays settled");
    }

    function test_Settle_AcceptsAContractPayersOwnSignature() external {
        Erc1271Wallet owner = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        ChannelId id = openChannel(address(owner), payee, token, DEPOSIT, "contract", address(0));
        vm.prank(payee);
        channels.settle(id, 10, hex"1234");
        assertEq(token.balanceOf(payee), 10, "paid");
    }

    function test_RevertWhen_ContractSignerDoesNotAccept() external {
        Erc1271Wallet signer = new Erc1271Wallet(Erc1271Wallet.Mode.Refuses);
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "contract", address(signer));
        for (uint256 mode = 1; mode <= uint256(type(Erc1271Wallet.Mode).max); ++mode) {
            signer.setMode(Erc1271Wallet.Mode(mode));
            uint256 gasBefore = gasleft();
            _expectInvalid(id, 10, hex"1234", address(signer));
            assertTrue(gasBefore - gasleft() < channels.ERC1271_GAS_LIMIT() + 100_000, "bounded gas");
        }
    }

    function test_RevertWhen_TokenOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "salt", address(0));
        evil.arm();
        bytes memory signature = voucher(id, 10);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(11), uint256(10)));
        vm.prank(payee);
        channels.settle(id, 10, signature);
    }

    function test_RevertWhen_TokenReturnsFalse() external {
        MoodyToken moody = new MoodyToken();
        ChannelId id = openChannel(payer, payee, moody, DEPOSIT, "salt", address(0));
        moody.setMood(payee, MoodyToken.Mood.ReturnsFalse);
        bytes memory signature = voucher(id, 10);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(moody)));
        vm.prank(payee);
        channels.settle(id, 10, signature);
        assertEq(channels.getChannel(id).settled, 0, "nothing settled");
    }

    function test_Settle_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "salt", address(0));
        evil.arm(address(channels), abi.encodeCall(channels.settle, (id, 10, voucher(id, 10))));
        bytes memory signature = voucher(id, 10);
        vm.prank(payee);
        channels.settle(id, 10, signature);
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
        assertEq(evil.balanceOf(payee), 10, "paid once");
    }

    function _expectNotIncreasing(uint128 amount) private {
        bytes memory signature = voucher(_id, amount);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.AmountNotIncreasing.selector, uint256(amount), uint256(100))
        );
        vm.prank(payee);
        channels.settle(_id, amount, signature);
    }

    function _expectInvalid(ChannelId id, uint128 amount, bytes memory signature, address signer) private {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, id, signer));
        vm.prank(payee);
        channels.settle(id, amount, signature);
    }
}

contract PaymentChannelsCloseTest is ChannelFixture {
    ChannelId private _id;

    function setUp() public override {
        super.setUp();
        _id = openDefault("salt");
    }

    function test_TopUp_AddsAndCancelsThePendingClose() external {
        vm.prank(payer);
        channels.requestClose(_id);
        token.mint(payer, 7);
        vm.prank(payer);
        token.approve(address(channels), 7);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelToppedUp(_id, 7, DEPOSIT + 7);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.CloseRequestCancelled(_id);
        vm.prank(payer);
        channels.topUp(_id, 7);
        Channel memory channel = channels.getChannel(_id);
        assertEq(channel.deposit, DEPOSIT + 7, "deposit");
        assertEq(channel.closeRequestedAt, 0, "close cancelled");
        assertEq(token.balanceOf(address(channels)), DEPOSIT + 7, "escrow");
    }

    function test_RevertWhen_TopUpIsNotThePayers() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotPayer.selector, payee, payer));
        vm.prank(payee);
        channels.topUp(_id, 1);
    }

    function test_RevertWhen_TopUpIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ZeroDeposit.selector));
        vm.prank(payer);
        channels.topUp(_id, 0);
    }

    function test_RevertWhen_TopUpOverflows() external {
        uint256 maximum = type(uint96).max;
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.DepositOverflow.selector, maximum + 1, maximum));
        vm.prank(payer);
        channels.topUp(_id, uint128(maximum + 1 - DEPOSIT));
        vm.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.DepositOverflow.selector,
                uint256(type(uint128).max) + DEPOSIT,
                maximum
            )
        );
        vm.prank(payer);
        channels.topUp(_id, type(uint128).max);
    }

    function test_TopUp_ToWhatARecordHolds() external {
        uint128 amount = type(uint96).max - DEPOSIT;
        token.mint(payer, amount);
        vm.prank(payer);
        token.approve(address(channels), amount);
        vm.prank(payer);
        channels.topUp(_id, amount);
        assertEq(channels.getChannel(_id).deposit, type(uint96).max, "deposit");
    }

    function test_RevertWhen_TopUpTokenTakesAFee() external {
        OverchargingToken harmless = new OverchargingToken();
        ChannelId id = openChannel(payer, payee, harmless, DEPOSIT, "fee", address(0));
        vm.etch(address(harmless), address(new FeeOnTransferToken()).code);
        harmless.mint(payer, 10);
        vm.prank(payer);
        harmless.approve(address(channels), 10);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.DepositNotReceived.selector, uint256(9), uint256(10)));
        vm.prank(payer);
        channels.topUp(id, 10);
    }

    function test_Close_PaysBothSides() external {
        settleChecked(_id, 100);
        bytes memory signature = voucher(_id, 250);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelClosed(_id, 150, 250, DEPOSIT - 250);
        vm.prank(payee);
        channels.close(_id, 250, signature);
        assertEq(token.balanceOf(payee), 250, "payee");
        assertEq(token.balanceOf(payer), DEPOSIT - 250, "payer");
        _assertFinalized(250);
    }

    function test_Close_ForfeitsWithoutASignature() external {
        settleChecked(_id, 100);
        vm.prank(payee);
        channels.close(_id, 100, "");
        assertEq(token.balanceOf(payee), 100, "payee keeps what it had");
        assertEq(token.balanceOf(payer), DEPOSIT - 100, "payer");
        _assertFinalized(100);
    }

    function test_Close_OfTheWholeDepositRefundsNothing() external {
        bytes memory signature = voucher(_id, DEPOSIT);
        vm.recordLogs();
        vm.prank(payee);
        channels.close(_id, DEPOSIT, signature);
        assertEq(vm.getRecordedLogs().length, 2, "ChannelClosed and one transfer");
        assertEq(token.balanceOf(payee), DEPOSIT, "payee");
        assertEq(token.balanceOf(payer), 0, "payer");
        _assertFinalized(DEPOSIT);
    }

    function test_Close_RefundsTheLastUnit() external {
        bytes memory signature = voucher(_id, DEPOSIT - 1);
        vm.prank(payee);
        channels.close(_id, DEPOSIT - 1, signature);
        assertEq(token.balanceOf(payee), DEPOSIT - 1, "payee");
        assertEq(token.balanceOf(payer), 1, "payer");
        _assertFinalized(DEPOSIT - 1);
    }

    function test_RevertWhen_CloseIsNotThePayees() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotPayee.selector, payer, payee));
        vm.prank(payer);
        channels.close(_id, 0, "");
    }

    function test_RevertWhen_CloseLacksASignature() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, _id, payer));
        vm.prank(payee);
        channels.close(_id, 1, "");
    }

    function test_RevertWhen_CloseExceedsDeposit() external {
        bytes memory signature = voucher(_id, DEPOSIT + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.AmountExceedsDeposit.selector,
                uint256(DEPOSIT + 1),
                uint256(DEPOSIT)
            )
        );
        vm.prank(payee);
        channels.close(_id, DEPOSIT + 1, signature);
    }

    function test_RequestClose_KeepsTheFirstTime() external {
        vm.expectEmit(address(channels));
        emit IPaymentChannels.CloseRequested(_id, START);
        vm.prank(payer);
        channels.requestClose(_id);
        vm.warp(START + 100);
        vm.prank(payer);
        channels.requestClose(_id);
        assertEq(channels.getChannel(_id).closeRequestedAt, START, "first request counts");
    }

    /// @dev The parts of a channel's state share one word, and none touches another.
    function test_RequestClose_BesideTheLargestAmounts() external {
        uint96 most = type(uint96).max;
        _id = openChannel(payer, payee, token, most, "largest", address(0));
        settleChecked(_id, most);
        Channel memory channel = channels.getChannel(_id);
        assertEq(channel.deposit, most, "deposit");
        assertEq(channel.closeRequestedAt, 0, "no close pends");
        uint256 latest = type(uint64).max >> 1;
        vm.warp(latest);
        vm.prank(payer);
        channels.requestClose(_id);
        channel = channels.getChannel(_id);
        assertEq(channel.closeRequestedAt, latest, "the latest time that a record holds");
        assertEq(channel.deposit, most, "deposit stays");
        assertEq(channel.settled, most, "settled stays");
        assertEq(channel.finalized, false, "open");
    }

    function test_RevertWhen_RequestCloseIsNotThePayers() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotPayer.selector, payee, payer));
        vm.prank(payee);
        channels.requestClose(_id);
    }

    function test_Withdraw_ReturnsTheRest() external {
        settleChecked(_id, 100);
        vm.prank(payer);
        channels.requestClose(_id);
        vm.warp(START + channels.CLOSE_GRACE_PERIOD());
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelWithdrawn(_id, DEPOSIT - 100);
        vm.prank(payer);
        channels.withdraw(_id);
        assertEq(token.balanceOf(payer), DEPOSIT - 100, "payer");
        _assertFinalized(100);
    }

    function test_Withdraw_ReturnsTheLastUnit() external {
        settleChecked(_id, DEPOSIT - 1);
        _withdraw();
        assertEq(token.balanceOf(payer), 1, "payer");
        _assertFinalized(DEPOSIT - 1);
    }

    function test_Withdraw_OfNothingTransfersNothing() external {
        settleChecked(_id, DEPOSIT);
        vm.recordLogs();
        _withdraw();
        assertEq(vm.getRecordedLogs().length, 2, "CloseRequested and ChannelWithdrawn");
        _assertFinalized(DEPOSIT);
    }

    function testFuzz_Close_PaysBothSides(uint96 first, uint96 last) external {
        first = uint96(bound(first, 1, DEPOSIT));
        last = uint96(bound(last, 0, DEPOSIT));
        settleChecked(_id, first);
        bytes memory signature = voucher(_id, last);
        vm.prank(payee);
        channels.close(_id, last, signature);
        uint96 settled = last > first ? last : first;
        assertEq(token.balanceOf(payee), settled, "payee");
        assertEq(token.balanceOf(payer), DEPOSIT - settled, "payer");
        _assertFinalized(settled);
    }

    function testFuzz_TopUp_Adds(uint96 amount, bool closePends) external {
        amount = uint96(bound(amount, 1, type(uint96).max - DEPOSIT));
        if (closePends) {
            vm.prank(payer);
            channels.requestClose(_id);
        }
        token.mint(payer, amount);
        vm.prank(payer);
        token.approve(address(channels), amount);
        vm.prank(payer);
        channels.topUp(_id, amount);
        assertEq(channels.getChannel(_id).deposit, uint256(DEPOSIT) + amount, "deposit");
        assertEq(channels.getChannel(_id).closeRequestedAt, 0, "no close pends");
        assertEq(token.balanceOf(address(channels)), uint256(DEPOSIT) + amount, "escrow");
    }

    function testFuzz_Withdraw_OnlyAfterTheGracePeriod(uint256 waited, uint96 settled) external {
        waited = bound(waited, 0, 7200);
        settled = uint96(bound(settled, 1, DEPOSIT));
        settleChecked(_id, settled);
        vm.prank(payer);
        channels.requestClose(_id);
        vm.warp(START + waited);
        if (waited < 3600) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.CloseNotReady.selector, START, START + 3600));
        }
        vm.prank(payer);
        channels.withdraw(_id);
        assertEq(token.balanceOf(payer), waited < 3600 ? 0 : DEPOSIT - settled, "payer");
        assertEq(channels.getChannel(_id).finalized, waited >= 3600, "finalized");
    }

    function test_RevertGiven_TheCloseWasCancelled() external {
        vm.prank(payer);
        channels.requestClose(_id);
        token.mint(payer, 7);
        vm.prank(payer);
        token.approve(address(channels), 7);
        vm.prank(payer);
        channels.topUp(_id, 7);
        vm.warp(START + 3600);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.CloseNotReady.selector, uint256(0), uint256(3600)));
        vm.prank(payer);
        channels.withdraw(_id);
    }

    function test_RevertGiven_NoCloseWasRequested() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.CloseNotReady.selector, uint256(0), uint256(3600)));
        vm.prank(payer);
        channels.withdraw(_id);
    }

    function test_RevertGiven_GracePeriodRuns() external {
        vm.prank(payer);
        channels.requestClose(_id);
        vm.warp(START + 3599);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.CloseNotReady.selector, START, START + 3600));
        vm.prank(payer);
        channels.withdraw(_id);
    }

    function test_RevertWhen_WithdrawIsNotThePayers() external {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotPayer.selector, payee, payer));
        vm.prank(payee);
        channels.withdraw(_id);
    }

    function test_RevertWhen_WithdrawTokenOvercharges() external {
        OverchargingToken evil = new OverchargingToken();
        ChannelId id = openChannel(payer, payee, evil, DEPOSIT, "salt", address(0));
        evil.mint(address(channels), 5);
        evil.arm();
        vm.prank(payer);
        channels.requestClose(id);
        vm.warp(START + 3600);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PayoutExceeded.selector, uint256(DEPOSIT + 1), uint256(DEPOSIT))
        );
        vm.prank(payer);
        channels.withdraw(id);
    }

    function test_RevertGiven_Finalized_Everything() external {
        vm.prank(payee);
        channels.close(_id, 0, "");
        bytes memory finalized = abi.encodeWithSelector(IPaymentChannels.ChannelFinalized.selector, _id);
        vm.expectRevert(finalized);
        vm.prank(payer);
        channels.topUp(_id, 1);
        vm.expectRevert(finalized);
        vm.prank(payer);
        channels.requestClose(_id);
        vm.expectRevert(finalized);
        vm.prank(payer);
        channels.withdraw(_id);
        vm.expectRevert(finalized);
        vm.prank(payee);
        channels.close(_id, 0, "");
    }

    function test_RevertWhen_ChannelIsUnknown_Everything() external {
        ChannelId unknown = ChannelId.wrap("unknown");
        bytes memory notFound = abi.encodeWithSelector(IPaymentChannels.ChannelNotFound.selector, unknown);
        vm.expectRevert(notFound);
        channels.topUp(unknown, 1);
        vm.expectRevert(notFound);
        channels.requestClose(unknown);
        vm.expectRevert(notFound);
        channels.withdraw(unknown);
        vm.expectRevert(notFound);
        channels.close(unknown, 0, "");
    }

    function _withdraw() private {
        vm.prank(payer);
        channels.requestClose(_id);
        vm.warp(START + 3600);
        vm.prank(payer);
        channels.withdraw(_id);
    }

    function _assertFinalized(uint128 settled) private view {
        Channel memory channel = channels.getChannel(_id);
        assertEq(channel.finalized, true, "finalized");
        assertEq(channel.settled, settled, "settled");
        assertEq(channel.deposit, DEPOSIT, "the deposit stays on record");
        assertEq(channel.payer, payer, "the record stays");
        assertEq(token.balanceOf(address(channels)), 0, "escrow is empty");
    }
}
