// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {AuthorizedToken} from "../mocks/AuthorizedTokens.sol";
import {ChannelFixture} from "./ChannelFixture.sol";

/// @notice Opens and tops up by EIP-3009 authorizations. A call is data, so that a test can change one term of it.
abstract contract RelayedFixture is ChannelFixture {
    struct OpenCall {
        address payee;
        AuthorizedToken token;
        uint128 deposit;
        bytes32 salt;
        address authorizedSigner;
        address from;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
        bytes signature;
    }

    struct TopUpCall {
        ChannelId channelId;
        uint128 amount;
        address from;
        bytes32 salt;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
        bytes signature;
    }

    AuthorizedToken internal coin;

    function setUp() public virtual override {
        super.setUp();
        coin = new AuthorizedToken();
    }

    /// @dev An opening for `payee`, unsigned, with the nonce that fits.
    function openCall(
        AuthorizedToken currency,
        address from,
        bytes32 salt,
        address signer,
        uint128 deposit
    ) internal view returns (OpenCall memory call) {
        call = OpenCall(payee, currency, deposit, salt, signer, from, START - 100, START + 100, 0, "");
        call.nonce = nonceOf(call);
    }

    /// @dev A top-up, unsigned, with the nonce that fits.
    function topUpCall(
        ChannelId channelId,
        uint128 amount,
        address from,
        bytes32 salt
    ) internal pure returns (TopUpCall memory call) {
        call = TopUpCall(channelId, amount, from, salt, START - 100, START + 100, 0, "");
        call.nonce = nonceOf(call);
    }

    /// @dev The draft's formula.
    function nonceOf(OpenCall memory call) internal pure returns (bytes32) {
        return keccak256(abi.encode(call.from, call.payee, call.token, call.salt, call.authorizedSigner));
    }

    /// @dev The draft's formula.
    function nonceOf(TopUpCall memory call) internal pure returns (bytes32) {
        return keccak256(abi.encode(call.channelId, call.amount, call.from, call.salt));
    }

    function authorizationOf(OpenCall memory call, uint256 key) internal view returns (bytes memory) {
        bytes32 digest = call.token.hashReceive(
            call.from,
            address(channels),
            call.deposit,
            call.validAfter,
            call.validBefore,
            call.nonce
        );
        return sign(key, digest);
    }

    /// @dev In the channel's token; in `coin` if there is no such channel.
    function authorizationOf(TopUpCall memory call, uint256 key) internal view returns (bytes memory) {
        address currency = channels.getChannel(call.channelId).token;
        if (currency == address(0)) currency = address(coin);
        bytes32 digest = AuthorizedToken(currency).hashReceive(
            call.from,
            address(channels),
            call.amount,
            call.validAfter,
            call.validBefore,
            call.nonce
        );
        return sign(key, digest);
    }

    /// @dev Calldata of the signed opening.
    function signOpen(OpenCall memory call, uint256 key) internal view returns (bytes memory) {
        call.signature = authorizationOf(call, key);
        return encodeOpen(call);
    }

    /// @dev Calldata of the signed top-up.
    function signTopUp(TopUpCall memory call, uint256 key) internal view returns (bytes memory) {
        call.signature = authorizationOf(call, key);
        return encodeTopUp(call);
    }

    function encodeOpen(OpenCall memory call) internal view returns (bytes memory) {
        return
            abi.encodeCall(
                channels.openWithAuthorization,
                (
                    call.payee,
                    address(call.token),
                    call.deposit,
                    call.salt,
                    call.authorizedSigner,
                    call.from,
                    call.validAfter,
                    call.validBefore,
                    call.nonce,
                    call.signature
                )
            );
    }

    function encodeTopUp(TopUpCall memory call) internal view returns (bytes memory) {
        return
            abi.encodeCall(
                channels.topUpWithAuthorization,
                (
                    call.channelId,
                    call.amount,
                    call.from,
                    call.salt,
                    call.validAfter,
                    call.validBefore,
                    call.nonce,
                    call.signature
                )
            );
    }

    /// @dev A copy that can be changed without changing the original.
    function copy(OpenCall memory call) internal pure returns (OpenCall memory) {
        return abi.decode(abi.encode(call), (OpenCall));
    }

    /// @dev A copy that can be changed without changing the original.
    function copy(TopUpCall memory call) internal pure returns (TopUpCall memory) {
        return abi.decode(abi.encode(call), (TopUpCall));
    }

    /// @dev Sends calldata to the escrow, which must accept it.
    function submit(bytes memory data) internal returns (bytes memory answer) {
        bool done;
        (done, answer) = address(channels).call(data);
        if (done) return answer;
        // Passes on why it was refused.
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }

    /// @dev Sends calldata to the escrow, which must refuse it with this error, and take nothing.
    function expectRefusal(bytes memory data, bytes memory refusal) internal {
        uint256 held = coin.balanceOf(address(channels));
        (bool done, bytes memory answer) = address(channels).call(data);
        assertEq(done, false, "refused");
        assertEq(keccak256(answer), keccak256(refusal), "with this error");
        assertEq(coin.balanceOf(address(channels)), held, "nothing was taken");
    }

    /// @dev The payer's usual channel in `coin`, opened by somebody else.
    function openRelayed(bytes32 salt) internal returns (ChannelId channelId) {
        coin.mint(payer, DEPOSIT);
        uint256 held = coin.balanceOf(address(channels));
        channelId = abi.decode(
            submit(signOpen(openCall(coin, payer, salt, address(0), DEPOSIT), keyOf("payer"))),
            (ChannelId)
        );
        assertEq(coin.balanceOf(address(channels)) - held, DEPOSIT, "escrowed deposit");
        assertEq(channels.getChannel(channelId).payer, payer, "payer");
    }
}
