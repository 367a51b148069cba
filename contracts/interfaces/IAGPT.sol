// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title IAGPT
/// @notice AgentGPT: pays for calls, and votes. What it has beyond ERC-20, ERC-2612 (permit), ERC-5805 (votes) and ERC-3009
/// as OpenZeppelin implements them: the ERC-3009 calls with the signature as bytes, as USDC v2.2 has them and the escrow uses them.
/// @dev 18 decimals. The whole supply is minted at deployment; nobody can mint, burn, pause or take.
/// @dev One EIP-712 domain ("AgentGPT", "1") for permits, delegations and authorizations. Votes count by unix seconds (ERC-6372).
/// @dev Warning: a signature by ECDSA is valid whatever code the signer has (EIP-7702); any other is asked of the signer by
/// ERC-1271, and so can be revoked until it is used.
interface IAGPT {
    /// @notice Executes a transfer that `from` signed (`TransferWithAuthorization`).
    /// @dev Warning: whoever sees the signature can submit it; contracts take money by `receiveWithAuthorization`.
    /// Errors: `ERC3009InvalidSignature`, `ERC3009InvalidAuthorizationTime`, `ERC3009UsedAuthorization`, those of ERC-20.
    /// @param from Who pays
    /// @param to Who is paid
    /// @param value AGPT wei
    /// @param validAfter Unix seconds after which it holds
    /// @param validBefore Unix seconds before which it holds
    /// @param nonce Any value that `from` has not used yet
    /// @param signature 65 bytes r ‖ s ‖ v, or what the ERC-1271 contract `from` accepts
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Takes a transfer that `from` signed (`ReceiveWithAuthorization`); only the payee can.
    /// @dev Errors: as `transferWithAuthorization`, and `ERC20InvalidReceiver`.
    /// @param from Who pays
    /// @param to Who is paid; the caller
    /// @param value AGPT wei
    /// @param validAfter Unix seconds after which it holds
    /// @param validBefore Unix seconds before which it holds
    /// @param nonce Any value that `from` has not used yet
    /// @param signature 65 bytes r ‖ s ‖ v, or what the ERC-1271 contract `from` accepts
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Uses up a nonce, so that what was signed with it no longer holds (`CancelAuthorization`).
    /// @dev Errors: `ERC3009InvalidSignature`, `ERC3009UsedAuthorization`.
    /// @param authorizer Who signed
    /// @param nonce The nonce
    /// @param signature 65 bytes r ‖ s ‖ v, or what the ERC-1271 contract `authorizer` accepts
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;
}
