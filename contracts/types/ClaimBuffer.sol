// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChannelId, ChannelIds} from "./ChannelId.sol";
import {Claim} from "./Claim.sol";

/// @notice Memory in which the hashes of one claim after another are made. The value is its position.
/// @dev Seventeen words, each written once per batch (B) or once per claim (C):
///
/// 0x000 payer C, payee B, token B, salt C, authorizedSigner C, escrow B, chain B: the preimage of the channel's id
/// 0x0e0 type hash B, channel's id C, maximum C: the preimage of the voucher's struct hash
/// 0x140 "\x19\x01" B (the last 2 bytes), domain separator B, struct hash C: the preimage of the digest
/// 0x1a0 digest C, v C, r C, s C: what `ecrecover` is asked
type ClaimBuffer is uint256;

using ClaimBuffers for ClaimBuffer global;

/// @title ClaimBuffers
/// @notice Identifies the channel of a claim and checks its voucher.
/// @dev The same as `ChannelIds` and OpenZeppelin's `ECDSA` (a fuzz test compares them), in memory that is laid out
/// once: preparing it anew for each claim costs 350 gas more per claim.
library ClaimBuffers {
    /// @dev Half of the order of secp256k1: signatures with a higher s are another form of ones with a lower.
    uint256 private constant MAX_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @notice Lays out the memory for a batch.
    /// @param payee Payee of all claims
    /// @param token Token of all claims
    /// @param domainSeparator The escrow's EIP-712 domain separator
    function create(address payee, address token, bytes32 domainSeparator) internal view returns (ClaimBuffer buffer) {
        bytes32 typeHash = ChannelIds.VOUCHER_TYPEHASH;
        assembly ("memory-safe") {
            buffer := mload(0x40)
            mstore(0x40, add(buffer, 0x220))
            mstore(add(buffer, 0x020), shr(96, shl(96, payee)))
            mstore(add(buffer, 0x040), shr(96, shl(96, token)))
            mstore(add(buffer, 0x0a0), address())
            mstore(add(buffer, 0x0c0), chainid())
            mstore(add(buffer, 0x0e0), typeHash)
            mstore(add(buffer, 0x140), 0x1901)
            mstore(add(buffer, 0x160), domainSeparator)
        }
    }

    /// @notice The identifier of the claim's channel.
    function channelIdOf(ClaimBuffer buffer, Claim claim) internal pure returns (ChannelId channelId) {
        assembly ("memory-safe") {
            mstore(buffer, shr(96, calldataload(claim)))
            mstore(add(buffer, 0x60), calldataload(add(claim, 20)))
            mstore(add(buffer, 0x80), shr(96, calldataload(add(claim, 52))))
            channelId := keccak256(buffer, 0xe0)
            mstore(add(buffer, 0x100), channelId)
        }
    }

    /// @notice Whether the claim's voucher is signed by the channel's signer: ECDSA, low s.
    /// @dev To be asked right after `channelIdOf` for the same claim, which leaves the identifier in the buffer.
    function isVoucherSigned(ClaimBuffer buffer, Claim claim) internal view returns (bool isSigned) {
        assembly ("memory-safe") {
            mstore(add(buffer, 0x120), shr(160, calldataload(add(claim, 72))))
            mstore(add(buffer, 0x180), keccak256(add(buffer, 0xe0), 0x60))
            mstore(add(buffer, 0x1a0), keccak256(add(buffer, 0x15e), 0x42))
            let yParityAndS := calldataload(add(claim, 128))
            let s := shr(1, shl(1, yParityAndS))
            mstore(add(buffer, 0x1c0), add(27, shr(255, yParityAndS)))
            mstore(add(buffer, 0x1e0), calldataload(add(claim, 96)))
            mstore(add(buffer, 0x200), s)
            let signer := shr(96, calldataload(add(claim, 52)))
            if iszero(signer) {
                signer := shr(96, calldataload(claim))
            }
            // Where nothing can be recovered, `ecrecover` returns nothing and leaves the word as it was: zero, nobody's
            // address.
            mstore(0x00, 0)
            isSigned := staticcall(gas(), 1, add(buffer, 0x1a0), 0x80, 0x00, 0x20)
            let recovered := mload(0x00)
            isSigned := and(and(isSigned, eq(recovered, signer)), and(iszero(gt(s, MAX_S)), iszero(iszero(recovered))))
        }
    }
}
