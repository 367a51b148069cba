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
    InvalidSignature
}

/// @title ClaimCodec
/// @notice Reads packed claims from calldata, field by field. A claim is one channel's part of a batch settlement.
/// @dev 160 bytes, big-endian, without padding; payee and token are the batch's:
///
/// payer 20, salt 32, authorizedSigner 20 (zero means the payer): the channel's terms
/// maximum 12: what the voucher signs, the highest cumulative amount, atomic units
/// claimed 12: what the payee takes, the new cumulative amount, atomic units; never above `maximum`
/// r 32, yParityAndS 32: the voucher's signature in the compact form of EIP-2098
///
/// Assembly, because slices with their bounds checks and a struct in memory cost 700 gas more per claim
/// (gas goal of DESIGN.md §3, measured in test/contracts/life-of-money.spec.ts). The caller has checked that `index` lies within the batch.
library ClaimCodec {
    /// @dev Size of one packed claim, bytes
    uint256 internal constant CLAIM_BYTES = 160;

    /// @notice The terms that identify the channel.
    /// @param claims Packed claims, a multiple of `CLAIM_BYTES`
    /// @param index Position, from 0
    function termsAt(
        bytes calldata claims,
        uint256 index
    ) internal pure returns (address payer, bytes32 salt, address authorizedSigner) {
        assembly ("memory-safe") {
            let at := add(claims.offset, mul(index, 160))
            payer := shr(96, calldataload(at))
            salt := calldataload(add(at, 20))
            authorizedSigner := shr(96, calldataload(add(at, 52)))
        }
    }

    /// @notice What the voucher allows and what is claimed, atomic units.
    /// @param claims Packed claims, a multiple of `CLAIM_BYTES`
    /// @param index Position, from 0
    function amountsAt(bytes calldata claims, uint256 index) internal pure returns (uint96 maximum, uint96 claimed) {
        assembly ("memory-safe") {
            let at := add(claims.offset, mul(index, 160))
            maximum := shr(160, calldataload(add(at, 72)))
            claimed := shr(160, calldataload(add(at, 84)))
        }
    }

    /// @notice The voucher's signature in compact form.
    /// @param claims Packed claims, a multiple of `CLAIM_BYTES`
    /// @param index Position, from 0
    function signatureAt(bytes calldata claims, uint256 index) internal pure returns (bytes32 r, bytes32 yParityAndS) {
        assembly ("memory-safe") {
            let at := add(claims.offset, mul(index, 160))
            r := calldataload(add(at, 96))
            yParityAndS := calldataload(add(at, 128))
        }
    }
}
