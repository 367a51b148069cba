// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice Which token, and how much of it at most, a permit of Permit2 is for.
struct TokenPermissions {
    /// @dev ERC-20 token
    address token;
    /// @dev Atomic units
    uint256 amount;
}

/// @notice What the owner of tokens signs for Permit2, without its witness.
struct PermitTransferFrom {
    /// @dev Token and maximum
    TokenPermissions permitted;
    /// @dev Any number; used once by its owner
    uint256 nonce;
    /// @dev Unix seconds until which it holds, itself included
    uint256 deadline;
}

/// @notice Where a permit's tokens go, as its spender says.
struct SignatureTransferDetails {
    /// @dev The receiver
    address to;
    /// @dev Atomic units, at most what is permitted
    uint256 requestedAmount;
}

/// @title IPermit2
/// @notice The part of Uniswap's Permit2 (`ISignatureTransfer`, MIT) that is used here.
interface IPermit2 {
    /// @notice Moves tokens by the signature of their owner, whose spender is the caller.
    /// @param permit The permit
    /// @param transferDetails Where the tokens go
    /// @param owner Who signed
    /// @param witness EIP-712 hash of the struct that was signed with the permit
    /// @param witnessTypeString The types from `Witness witness)` on, in alphabetical order
    /// @param signature 65 or 64 bytes, or what the owner's ERC-1271 contract takes
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;

    /// @notice 256 nonces of an owner: a bit is set if its nonce was used, by a transfer or by a cancellation.
    /// @param owner The owner
    /// @param wordPosition The nonces' upper 248 bits
    function nonceBitmap(address owner, uint256 wordPosition) external view returns (uint256);

    /// @notice EIP-712 domain separator of Permit2.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
