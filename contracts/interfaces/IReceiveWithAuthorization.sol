// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title IReceiveWithAuthorization
/// @notice The one function of EIP-3009 that the escrow calls, in the overload that takes the signature as bytes (as
/// USDC 2.2 and AGPT have it). It admits the receiver as its only caller, so that nobody can use an authorization past
/// the escrow.
interface IReceiveWithAuthorization {
    /// @notice Moves tokens by the signature of their owner; the caller must be `to`.
    /// @param from Whose tokens they are, and who signed
    /// @param to The receiver
    /// @param value Atomic units
    /// @param validAfter Unix seconds after which the authorization holds
    /// @param validBefore Unix seconds before which it holds
    /// @param nonce Used once by `from`
    /// @param signature The signature over `ReceiveWithAuthorization`; 65 bytes, or what the owner's ERC-1271 contract
    /// takes
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
