// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {Channel} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {TestBase} from "./TestBase.sol";

/// @notice An escrow, a token, and helpers that act and check what they did.
abstract contract ChannelFixture is TestBase {
    uint128 internal constant DEPOSIT = 1_000_000;

    /// @dev Time and chain at the start. Constants, because the optimizer reads `block.timestamp` anew after a
    /// `vm.warp`.
    uint256 internal constant START = 1_760_000_000;
    uint256 internal constant CHAIN_ID = 31337;

    PaymentChannels internal channels;
    TestToken internal token;
    address internal payer;
    address internal payee;

    function setUp() public virtual {
        vm.warp(START);
        channels = PaymentChannels(create("PaymentChannels", ""));
        token = new TestToken();
        payer = wallet("payer");
        payee = wallet("payee");
    }

    /// @dev Mints, approves and opens; checks that the deposit arrived and the record is right.
    function openChannel(
        address from,
        address to,
        TestToken currency,
        uint128 deposit,
        bytes32 salt,
        address signer
    ) internal returns (ChannelId channelId) {
        currency.mint(from, deposit);
        vm.prank(from);
        currency.approve(address(channels), deposit);
        uint256 held = currency.balanceOf(address(channels));
        vm.prank(from);
        channelId = channels.open(to, address(currency), deposit, salt, signer);
        assertEq(currency.balanceOf(address(channels)) - held, deposit, "escrowed deposit");
        Channel memory channel = channels.getChannel(channelId);
        assertEq(channel.payer, from, "payer");
        assertEq(channel.payee, to, "payee");
        assertEq(channel.token, address(currency), "token");
        assertEq(channel.authorizedSigner, signer, "authorizedSigner");
        assertEq(channel.deposit, deposit, "deposit");
        assertEq(channel.settled, 0, "settled");
        assertEq(channel.closeRequestedAt, 0, "closeRequestedAt");
        assertEq(channel.finalized, false, "finalized");
    }

    /// @dev The usual channel: payer's own key, test token.
    function openDefault(bytes32 salt) internal returns (ChannelId) {
        return openChannel(payer, payee, token, DEPOSIT, salt, address(0));
    }

    /// @dev A voucher of the payer.
    function voucher(ChannelId channelId, uint128 amount) internal view returns (bytes memory) {
        return sign(keyOf("payer"), channels.hashVoucher(channelId, amount));
    }

    /// @dev Settles as the payee; checks that exactly the difference moved.
    function settleChecked(ChannelId channelId, uint128 amount) internal {
        Channel memory before = channels.getChannel(channelId);
        uint256 had = IERC20(before.token).balanceOf(before.payee);
        bytes memory signature = voucher(channelId, amount);
        vm.prank(before.payee);
        channels.settle(channelId, amount, signature);
        assertEq(IERC20(before.token).balanceOf(before.payee) - had, amount - before.settled, "paid difference");
        assertEq(channels.getChannel(channelId).settled, amount, "settled");
    }

    /// @dev One packed claim (160 bytes) on a channel of `payee` and `token`, signed with `key`.
    function packClaim(
        uint256 key,
        address from,
        bytes32 salt,
        address signer,
        uint96 maximum,
        uint96 claimed
    ) internal view returns (bytes memory) {
        return packClaimFor(payee, key, from, salt, signer, maximum, claimed);
    }

    /// @dev As `packClaim`, for another payee.
    function packClaimFor(
        address to,
        uint256 key,
        address from,
        bytes32 salt,
        address signer,
        uint96 maximum,
        uint96 claimed
    ) internal view returns (bytes memory) {
        ChannelId channelId = channels.computeChannelId(from, to, address(token), salt, signer);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, channels.hashVoucher(channelId, maximum));
        bytes32 yParityAndS = bytes32(uint256(s) | (uint256(v - 27) << 255));
        return abi.encodePacked(from, salt, signer, maximum, claimed, r, yParityAndS);
    }

    /// @dev As `packClaim`, for another token.
    function packClaimIn(
        address currency,
        uint256 key,
        address from,
        bytes32 salt,
        uint96 maximum,
        uint96 claimed
    ) internal view returns (bytes memory) {
        ChannelId channelId = channels.computeChannelId(from, payee, currency, salt, address(0));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, channels.hashVoucher(channelId, maximum));
        bytes32 yParityAndS = bytes32(uint256(s) | (uint256(v - 27) << 255));
        return abi.encodePacked(from, salt, address(0), maximum, claimed, r, yParityAndS);
    }

    /// @dev A claim of the default payer's own key.
    function defaultClaim(bytes32 salt, uint96 maximum, uint96 claimed) internal view returns (bytes memory) {
        return packClaim(keyOf("payer"), payer, salt, address(0), maximum, claimed);
    }
}
