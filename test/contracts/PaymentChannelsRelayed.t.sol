// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {PaymentChannels} from "../../contracts/PaymentChannels.sol";
import {Channel, IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ClaimFault} from "../../contracts/types/Claim.sol";
import {RelayedFixture} from "./helpers/RelayedFixture.sol";
import {
    AuthorizedFeeToken,
    AuthorizedReentrantToken,
    AuthorizedToken,
    GullibleToken
} from "./mocks/AuthorizedTokens.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";

contract PaymentChannelsOpenWithAuthorizationTest is RelayedFixture {
    function test_OpenWithAuthorization_MakesTheSignerThePayer() external {
        coin.mint(payer, DEPOSIT);
        OpenCall memory call = openCall(coin, payer, "salt", wallet("session"), DEPOSIT);
        bytes memory data = signOpen(call, keyOf("payer"));
        ChannelId expected = channels.computeChannelId(payer, payee, address(coin), "salt", wallet("session"));
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelOpened(expected, payer, payee, address(coin), wallet("session"), "salt", DEPOSIT);
        vm.prank(wallet("anyone"));
        ChannelId id = abi.decode(submit(data), (ChannelId));
        assertTrue(id == expected, "id");
        Channel memory channel = channels.getChannel(id);
        assertEq(channel.payer, payer, "payer, not the submitter");
        assertEq(channel.payee, payee, "payee");
        assertEq(channel.token, address(coin), "token");
        assertEq(channel.authorizedSigner, wallet("session"), "authorizedSigner");
        assertEq(channel.deposit, DEPOSIT, "deposit");
        assertEq(coin.balanceOf(address(channels)), DEPOSIT, "escrow");
        assertEq(coin.balanceOf(payer), 0, "payer paid");
    }

    function test_OpenWithAuthorization_IsTheSameChannelAsByOpen() external {
        ChannelId id = openRelayed("salt");
        settleChecked(id, 40);
        coin.mint(payer, DEPOSIT);
        vm.prank(payer);
        coin.approve(address(channels), DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.ChannelAlreadyExists.selector, id));
        vm.prank(payer);
        channels.open(payee, address(coin), DEPOSIT, "salt", address(0));
    }

    function test_OpenWithAuthorization_TakesAContractPayersSignature() external {
        Erc1271Wallet owner = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        coin.mint(address(owner), DEPOSIT);
        OpenCall memory call = openCall(coin, address(owner), "salt", wallet("session"), DEPOSIT);
        call.signature = hex"1234";
        ChannelId id = abi.decode(submit(encodeOpen(call)), (ChannelId));
        assertEq(channels.getChannel(id).payer, address(owner), "payer");
    }

    function test_RevertWhen_RelayedDepositIsZero() external {
        OpenCall memory call = openCall(coin, payer, "salt", address(0), 0);
        expectRefusal(signOpen(call, keyOf("payer")), abi.encodeWithSelector(IPaymentChannels.ZeroDeposit.selector));
    }

    function test_RevertWhen_RelayedDepositExceedsRecord() external {
        uint128 deposit = uint128(type(uint96).max) + 1;
        OpenCall memory call = openCall(coin, payer, "salt", address(0), deposit);
        expectRefusal(
            signOpen(call, keyOf("payer")),
            abi.encodeWithSelector(IPaymentChannels.DepositOverflow.selector, deposit, uint256(type(uint96).max))
        );
    }

    function test_RevertGiven_TheSameWasSubmittedBefore() external {
        // A front-runner that submits the very same call does the payer's work; the second call changes nothing.
        coin.mint(payer, 2 * DEPOSIT);
        bytes memory data = signOpen(openCall(coin, payer, "salt", address(0), DEPOSIT), keyOf("payer"));
        vm.prank(wallet("thief"));
        ChannelId id = abi.decode(submit(data), (ChannelId));
        assertEq(channels.getChannel(id).payer, payer, "the payer's all the same");
        expectRefusal(data, abi.encodeWithSelector(IPaymentChannels.ChannelAlreadyExists.selector, id));
        assertEq(coin.balanceOf(payer), DEPOSIT, "pulled once");
    }

    /// @dev The front-runner changes one term of the channel, with the signed nonce or with the one that fits its term.
    function test_RevertWhen_AFrontRunnerChangesATerm() external {
        coin.mint(payer, DEPOSIT);
        AuthorizedToken otherCoin = new AuthorizedToken();
        otherCoin.mint(payer, DEPOSIT);
        OpenCall memory signed = openCall(coin, payer, "salt", address(0), DEPOSIT);
        signed.signature = authorizationOf(signed, keyOf("payer"));
        for (uint256 term = 0; term < 4; ++term) {
            OpenCall memory changed = copy(signed);
            if (term == 0) changed.payee = wallet("thief");
            if (term == 1) changed.salt = "other";
            if (term == 2) changed.authorizedSigner = wallet("thief");
            if (term == 3) changed.token = otherCoin;
            bytes32 fitting = nonceOf(changed);
            assertTrue(fitting != signed.nonce, "the nonce binds this term");
            expectRefusal(
                encodeOpen(changed),
                abi.encodeWithSelector(IPaymentChannels.NonceMismatch.selector, signed.nonce, fitting)
            );
            changed.nonce = fitting;
            expectRefusal(encodeOpen(changed), abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        }
    }

    function test_RevertWhen_AFrontRunnerChangesWhatTheTokenChecks() external {
        coin.mint(payer, 2 * DEPOSIT);
        OpenCall memory signed = openCall(coin, payer, "salt", address(0), DEPOSIT);
        signed.signature = authorizationOf(signed, keyOf("payer"));
        bytes memory refusal = abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector);
        OpenCall memory changed = copy(signed);
        changed.deposit = DEPOSIT + 1;
        expectRefusal(encodeOpen(changed), refusal);
        changed.deposit = 1;
        expectRefusal(encodeOpen(changed), refusal);
        changed = copy(signed);
        changed.validBefore += 1;
        expectRefusal(encodeOpen(changed), refusal);
        changed = copy(signed);
        changed.validAfter -= 1;
        expectRefusal(encodeOpen(changed), refusal);
        changed = copy(signed);
        changed.from = wallet("rich");
        coin.mint(wallet("rich"), DEPOSIT);
        changed.nonce = nonceOf(changed);
        expectRefusal(encodeOpen(changed), refusal);
    }

    function test_RevertWhen_TheTokenIsAskedPastTheEscrow() external {
        // The authorization names the escrow as its receiver, and only the receiver may use it.
        coin.mint(payer, DEPOSIT);
        OpenCall memory call = openCall(coin, payer, "salt", address(0), DEPOSIT);
        bytes memory signature = authorizationOf(call, keyOf("payer"));
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(channels)));
        vm.prank(wallet("thief"));
        coin.receiveWithAuthorization(
            payer,
            address(channels),
            DEPOSIT,
            call.validAfter,
            call.validBefore,
            call.nonce,
            signature
        );
    }

    function test_RevertGiven_AuthorizationIsOutOfTime() external {
        coin.mint(payer, DEPOSIT);
        OpenCall memory call = openCall(coin, payer, "salt", address(0), DEPOSIT);
        call.validAfter = START;
        bytes memory early = signOpen(call, keyOf("payer"));
        bytes memory refusal = abi.encodeWithSelector(
            ERC3009.ERC3009InvalidAuthorizationTime.selector,
            call.validAfter,
            call.validBefore
        );
        expectRefusal(early, refusal);
        vm.warp(call.validBefore);
        expectRefusal(early, refusal);
        vm.warp(START + 1);
        submit(early);
    }

    function test_RevertWhen_RelayedTokenTakesAFee() external {
        AuthorizedFeeToken fee = new AuthorizedFeeToken();
        fee.mint(payer, DEPOSIT);
        OpenCall memory call = openCall(fee, payer, "salt", address(0), DEPOSIT);
        expectRefusal(
            signOpen(call, keyOf("payer")),
            abi.encodeWithSelector(IPaymentChannels.DepositNotReceived.selector, uint256(DEPOSIT - 1), uint256(DEPOSIT))
        );
    }

    function test_OpenWithAuthorization_CannotBeReentered() external {
        AuthorizedReentrantToken evil = new AuthorizedReentrantToken();
        evil.mint(payer, 2 * DEPOSIT);
        bytes memory outer = signOpen(openCall(evil, payer, "salt", address(0), DEPOSIT), keyOf("payer"));
        bytes memory inner = signOpen(openCall(evil, payer, "inner", address(0), DEPOSIT), keyOf("payer"));
        evil.arm(address(channels), inner);
        submit(outer);
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
        assertEq(evil.balanceOf(address(channels)), DEPOSIT, "one deposit");
    }

    function test_OpenWithAuthorization_NobodysChannelPaysNobody() external {
        // A token that believes anything can make a channel of the zero address, whom a failed recovery seems to name.
        GullibleToken gullible = new GullibleToken();
        bytes32 nonce = keccak256(abi.encode(address(0), payee, address(gullible), bytes32("a"), address(0)));
        ChannelId id = channels.openWithAuthorization(
            payee,
            address(gullible),
            DEPOSIT,
            "a",
            address(0),
            address(0),
            0,
            0,
            nonce,
            ""
        );
        bytes memory claim = abi.encodePacked(
            address(0),
            bytes32("a"),
            address(0),
            uint96(5),
            uint96(5),
            new bytes(64)
        );
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(id, ClaimFault.InvalidSignature);
        vm.prank(payee);
        assertEq(channels.settleBatch(address(gullible), claim), 0, "batch");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, id, address(0)));
        vm.prank(payee);
        channels.settle(id, 5, new bytes(65));
    }

    function testFuzz_OpenWithAuthorization(uint96 deposit, bytes32 salt, address signer, address to) external {
        deposit = uint96(bound(deposit, 1, type(uint96).max));
        coin.mint(payer, deposit);
        OpenCall memory call = openCall(coin, payer, salt, signer, deposit);
        call.payee = to;
        call.nonce = nonceOf(call);
        ChannelId id = abi.decode(submit(signOpen(call, keyOf("payer"))), (ChannelId));
        assertTrue(id == channels.computeChannelId(payer, to, address(coin), salt, signer), "id");
        Channel memory channel = channels.getChannel(id);
        assertEq(channel.deposit, deposit, "deposit");
        assertEq(channel.payee, to, "payee");
        assertEq(channel.authorizedSigner, signer, "signer");
    }
}

contract PaymentChannelsTopUpWithAuthorizationTest is RelayedFixture {
    ChannelId private _id;

    function setUp() public override {
        super.setUp();
        _id = openRelayed("salt");
        vm.prank(payer);
        channels.requestClose(_id);
        coin.mint(payer, 100);
        coin.mint(wallet("stranger"), 100);
    }

    function test_TopUpWithAuthorization_OfThePayerCancelsThePendingClose() external {
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ChannelToppedUp(_id, 7, DEPOSIT + 7);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.CloseRequestCancelled(_id);
        vm.prank(wallet("anyone"));
        submit(signTopUp(topUpCall(_id, 7, payer, "t"), keyOf("payer")));
        Channel memory channel = channels.getChannel(_id);
        assertEq(channel.deposit, DEPOSIT + 7, "deposit");
        assertEq(channel.closeRequestedAt, 0, "close cancelled");
        assertEq(coin.balanceOf(address(channels)), DEPOSIT + 7, "escrow");
        assertEq(coin.balanceOf(payer), 93, "the payer's money");
    }

    function test_TopUpWithAuthorization_OfAnotherOnlyAdds() external {
        vm.recordLogs();
        submit(signTopUp(topUpCall(_id, 7, wallet("stranger"), "t"), keyOf("stranger")));
        assertEq(vm.getRecordedLogs().length, 3, "the token's two events and ChannelToppedUp");
        Channel memory channel = channels.getChannel(_id);
        assertEq(channel.deposit, DEPOSIT + 7, "deposit");
        assertEq(channel.closeRequestedAt, START, "the close still pends");
        vm.warp(START + 3600);
        vm.prank(payer);
        channels.withdraw(_id);
        assertEq(coin.balanceOf(payer), 100 + DEPOSIT + 7, "and the payer gets that, too");
    }

    function test_TopUpWithAuthorization_WithoutAPendingCloseSaysNothingOfOne() external {
        submit(signTopUp(topUpCall(_id, 1, payer, "t"), keyOf("payer")));
        vm.recordLogs();
        submit(signTopUp(topUpCall(_id, 1, payer, "u"), keyOf("payer")));
        assertEq(vm.getRecordedLogs().length, 3, "no CloseRequestCancelled");
    }

    function test_RevertGiven_TheTopUpWasSubmittedBefore() external {
        TopUpCall memory call = topUpCall(_id, 7, payer, "t");
        bytes memory data = signTopUp(call, keyOf("payer"));
        vm.prank(wallet("thief"));
        submit(data);
        expectRefusal(data, abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, call.nonce));
        assertEq(channels.getChannel(_id).deposit, DEPOSIT + 7, "added once");
    }

    function test_RevertWhen_AFrontRunnerChangesTheTopUp() external {
        ChannelId other = openRelayed("other");
        TopUpCall memory signed = topUpCall(_id, 7, payer, "t");
        signed.signature = authorizationOf(signed, keyOf("payer"));
        for (uint256 term = 0; term < 4; ++term) {
            TopUpCall memory changed = copy(signed);
            if (term == 0) changed.channelId = other;
            if (term == 1) changed.amount = 8;
            if (term == 2) changed.from = wallet("stranger");
            if (term == 3) changed.salt = "u";
            bytes32 fitting = nonceOf(changed);
            assertTrue(fitting != signed.nonce, "the nonce binds this term");
            expectRefusal(
                encodeTopUp(changed),
                abi.encodeWithSelector(IPaymentChannels.NonceMismatch.selector, signed.nonce, fitting)
            );
            changed.nonce = fitting;
            expectRefusal(encodeTopUp(changed), abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        }
    }

    function test_RevertWhen_AnAuthorizationToOpenIsUsedToTopUp() external {
        OpenCall memory open = openCall(coin, payer, "fresh", address(0), 7);
        TopUpCall memory call = topUpCall(_id, 7, payer, "fresh");
        bytes32 fitting = call.nonce;
        call.nonce = open.nonce;
        call.signature = authorizationOf(open, keyOf("payer"));
        expectRefusal(
            encodeTopUp(call),
            abi.encodeWithSelector(IPaymentChannels.NonceMismatch.selector, open.nonce, fitting)
        );
    }

    function test_RevertWhen_AuthorizationIsForAnotherEscrowOrChain() external {
        TopUpCall memory call = topUpCall(_id, 7, payer, "t");
        bytes memory refusal = abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector);
        bytes32 digest = coin.hashReceive(
            payer,
            address(PaymentChannels(create("PaymentChannels", ""))),
            7,
            call.validAfter,
            call.validBefore,
            call.nonce
        );
        call.signature = sign(keyOf("payer"), digest);
        expectRefusal(encodeTopUp(call), refusal);
        vm.chainId(CHAIN_ID + 1);
        bytes memory foreign = signTopUp(call, keyOf("payer"));
        vm.chainId(CHAIN_ID);
        expectRefusal(foreign, refusal);
    }

    function test_RevertWhen_RelayedTopUpIsZeroOrOverflows() external {
        expectRefusal(
            signTopUp(topUpCall(_id, 0, payer, "t"), keyOf("payer")),
            abi.encodeWithSelector(IPaymentChannels.ZeroDeposit.selector)
        );
        expectRefusal(
            signTopUp(topUpCall(_id, type(uint128).max, payer, "t"), keyOf("payer")),
            abi.encodeWithSelector(
                IPaymentChannels.DepositOverflow.selector,
                uint256(type(uint128).max) + DEPOSIT,
                uint256(type(uint96).max)
            )
        );
    }

    function test_RevertWhen_RelayedTopUpIsForNoOpenChannel() external {
        ChannelId unknown = ChannelId.wrap("unknown");
        expectRefusal(
            signTopUp(topUpCall(unknown, 7, payer, "t"), keyOf("payer")),
            abi.encodeWithSelector(IPaymentChannels.ChannelNotFound.selector, unknown)
        );
        vm.prank(payee);
        channels.close(_id, 0, "");
        expectRefusal(
            signTopUp(topUpCall(_id, 7, payer, "t"), keyOf("payer")),
            abi.encodeWithSelector(IPaymentChannels.ChannelFinalized.selector, _id)
        );
    }

    function test_RevertWhen_RelayedTopUpTokenTakesAFee() external {
        vm.etch(address(coin), address(new AuthorizedFeeToken()).code);
        expectRefusal(
            signTopUp(topUpCall(_id, 7, payer, "t"), keyOf("payer")),
            abi.encodeWithSelector(IPaymentChannels.DepositNotReceived.selector, uint256(6), uint256(7))
        );
    }

    function test_TopUpWithAuthorization_CannotBeReentered() external {
        AuthorizedReentrantToken evil = new AuthorizedReentrantToken();
        evil.mint(payer, DEPOSIT + 20);
        ChannelId id = abi.decode(
            submit(signOpen(openCall(evil, payer, "evil", address(0), DEPOSIT), keyOf("payer"))),
            (ChannelId)
        );
        evil.arm(address(channels), signTopUp(topUpCall(id, 7, payer, "inner"), keyOf("payer")));
        submit(signTopUp(topUpCall(id, 7, payer, "t"), keyOf("payer")));
        assertTrue(evil.called() && !evil.succeeded(), "call back refused");
        assertEq(
            bytes32(evil.answer()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the guard"
        );
        assertEq(channels.getChannel(id).deposit, DEPOSIT + 7, "added once");
    }

    function testFuzz_TopUpWithAuthorization(uint96 amount, bool isPayers, bytes32 salt) external {
        amount = uint96(bound(amount, 1, type(uint96).max - DEPOSIT));
        address from = isPayers ? payer : wallet("stranger");
        coin.mint(from, amount);
        submit(signTopUp(topUpCall(_id, amount, from, salt), keyOf(isPayers ? "payer" : "stranger")));
        Channel memory channel = channels.getChannel(_id);
        assertEq(channel.deposit, uint256(DEPOSIT) + amount, "deposit");
        assertEq(channel.closeRequestedAt, isPayers ? 0 : START, "only the payer's money keeps the channel open");
        assertEq(coin.balanceOf(address(channels)), uint256(DEPOSIT) + amount, "escrow");
    }
}
