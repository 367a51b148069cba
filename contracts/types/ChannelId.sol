// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice Identifier of one payment channel: binds payer, payee, token, salt, signer, escrow contract and chain.
/// In the ABI it is a plain `bytes32`.
type ChannelId is bytes32;

using {equals as ==} for ChannelId global;

/// @dev Equality of two ids, bound to the operator `==`.
function equals(ChannelId a, ChannelId b) pure returns (bool) {
    return ChannelId.unwrap(a) == ChannelId.unwrap(b);
}

/// @title ChannelIds
/// @notice Derivation of a channel's identifier and of the digest that its vouchers sign.
/// @dev Source: draft-evm-session-00, sections "Channel State" and "Voucher Signing Format".
library ChannelIds {
    /// @dev EIP-712 type hash of a voucher.
    bytes32 internal constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 cumulativeAmount)");

    /// @notice Derives the identifier of a channel of the calling escrow on this chain.
    /// @param payer Wallet that deposits
    /// @param payee Address that may settle
    /// @param token ERC-20 token of the channel
    /// @param salt Chosen by the payer
    /// @param authorizedSigner Key that signs vouchers; zero means the payer itself
    /// @return channelId The identifier
    function derive(
        address payer,
        address payee,
        address token,
        bytes32 salt,
        address authorizedSigner
    ) internal view returns (ChannelId channelId) {
        // keccak256(abi.encode(…)) without allocating: in a batch of 100 the growing memory alone costs 100 gas per
        // claim.
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, shr(96, shl(96, payer)))
            mstore(add(words, 0x20), shr(96, shl(96, payee)))
            mstore(add(words, 0x40), shr(96, shl(96, token)))
            mstore(add(words, 0x60), salt)
            mstore(add(words, 0x80), shr(96, shl(96, authorizedSigner)))
            mstore(add(words, 0xa0), address())
            mstore(add(words, 0xc0), chainid())
            channelId := keccak256(words, 0xe0)
        }
    }

    /// @notice The EIP-712 struct hash of a voucher for this channel.
    /// @param channelId Channel that the voucher draws on
    /// @param cumulativeAmount Highest total that the payee may have settled, atomic units
    /// @return structHash The hash, to be combined with the escrow's domain separator
    function hashVoucher(ChannelId channelId, uint128 cumulativeAmount) internal pure returns (bytes32 structHash) {
        bytes32 typeHash = VOUCHER_TYPEHASH;
        // keccak256(abi.encode(…)) without allocating, as above.
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typeHash)
            mstore(add(words, 0x20), channelId)
            mstore(add(words, 0x40), shr(128, shl(128, cumulativeAmount)))
            structHash := keccak256(words, 0x60)
        }
    }
}
