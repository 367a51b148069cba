// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title ITransferWithAuthorization
/// @notice What the desk asks of a token with EIP-3009, in the overload that takes the signature as bytes (as USDC 2.2
/// and AGPT have it): what x402 `exact` and MPP `charge` sign.
/// @dev Warning: `transferWithAuthorization` admits any caller, so whoever sees the signature can submit it first.
interface ITransferWithAuthorization {
    /// @notice Moves tokens by the signature of their owner.
    /// @param from Whose tokens they are, and who signed
    /// @param to The receiver
    /// @param value Atomic units
    /// @param validAfter Unix seconds after which the authorization holds
    /// @param validBefore Unix seconds before which it holds
    /// @param nonce Used once by `from`
    /// @param signature The signature over `TransferWithAuthorization`; 65 bytes, or what the owner's ERC-1271 contract
    /// takes
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Whether a nonce was used, by a transfer or by a cancellation.
    /// @param authorizer The owner of the tokens
    /// @param nonce The nonce
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);

    /// @notice EIP-712 domain separator of the token.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
