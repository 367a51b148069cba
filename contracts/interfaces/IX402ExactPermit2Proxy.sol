// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PermitTransferFrom} from "./IPermit2.sol";

/// @notice What the payer signs with the permit.
struct ExactWitness {
    /// @dev The receiver
    address to;
    /// @dev Unix seconds from which the permit holds
    uint256 validAfter;
}

/// @title IX402ExactPermit2Proxy
/// @notice The part of x402's `x402ExactPermit2Proxy` that is used here: the spender of permits of the scheme `exact`.
/// Its ABI and address are published in x402's npm package for EVM chains.
/// @dev Warning: it admits any caller, so whoever sees the signature can submit it first. The money goes where the payer
/// said all the same.
interface IX402ExactPermit2Proxy {
    /// @notice Moves exactly what was permitted from its owner to the witness's `to`.
    /// @param permit The permit
    /// @param owner Who signed
    /// @param witness Signed with the permit
    /// @param signature Over both
    function settle(
        PermitTransferFrom calldata permit,
        address owner,
        ExactWitness calldata witness,
        bytes calldata signature
    ) external;
}
