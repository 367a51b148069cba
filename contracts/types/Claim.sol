// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice Why a claim of a batch was skipped.
enum ClaimFault {
    None,
    ChannelNotFound,
    ChannelFinalized,
    AmountNotIncreasing,
    ClaimExceedsVoucher,
    AmountExceedsDeposit,
    InvalidSignature,
    RefundFailed
}

/// @notice One packed claim in calldata: one channel's part of a batch. The value is its position, in bytes.
/// @dev 160 bytes, big-endian, without padding; payee and token are the batch's:
///
/// payer 20, salt 32, authorizedSigner 20 (zero means the payer): the channel's terms
/// maximum 12: what the voucher signs, the highest cumulative amount, atomic units
/// claimed 12: what the payee takes, the new cumulative amount, atomic units; never above `maximum`
/// r 32, yParityAndS 32: the voucher's signature in the compact form of EIP-2098
type Claim is uint256;

using Claims for Claim global;

/// @title Claims
/// @notice Reads packed claims from calldata, field by field.
/// @dev Assembly, because slices with their bounds checks and a struct in memory cost 700 gas more per claim (gas goal
/// of DESIGN.md §3). The batch has checked that the claim lies within calldata.
library Claims {
    /// @dev Size of one packed claim, bytes
    uint256 internal constant CLAIM_BYTES = 160;

    /// @notice The claim at a position of a batch.
    /// @param claims Packed claims, a multiple of `CLAIM_BYTES`
    /// @param index Position, from 0, within the batch
    function at(bytes calldata claims, uint256 index) internal pure returns (Claim claim) {
        assembly ("memory-safe") {
            claim := add(claims.offset, mul(index, 160))
        }
    }

    /// @notice The wallet that deposited.
    function payer(Claim claim) internal pure returns (address value) {
        assembly ("memory-safe") {
            value := shr(96, calldataload(claim))
        }
    }

    /// @notice What the payee takes: the new cumulative amount, atomic units.
    function claimed(Claim claim) internal pure returns (uint96 value) {
        assembly ("memory-safe") {
            value := shr(160, calldataload(add(claim, 84)))
        }
    }

    /// @notice What the voucher allows: the highest cumulative amount, atomic units.
    function maximum(Claim claim) internal pure returns (uint96 value) {
        assembly ("memory-safe") {
            value := shr(160, calldataload(add(claim, 72)))
        }
    }
}
