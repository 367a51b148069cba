// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PermitTransferFrom} from "./IPermit2.sol";

/// @notice What the payer signs with the permit.
struct UptoWitness {
    /// @dev The receiver
    address to;
    /// @dev Who alone may settle, and says how much
    address facilitator;
    /// @dev Unix seconds from which the permit holds
    uint256 validAfter;
}

/// @title IX402UptoPermit2Proxy
/// @notice The part of x402's `x402UptoPermit2Proxy` that is used here: the spender of permits of the scheme `upto`.
/// Its ABI and address are published in x402's npm package for EVM chains.
interface IX402UptoPermit2Proxy {
    /// @notice Moves an amount from the permit's owner to the witness's `to`. The caller must be the witness's
    /// `facilitator`.
    /// @param permit The permit
    /// @param amount Atomic units, at most what is permitted
    /// @param owner Who signed
    /// @param witness Signed with the permit
    /// @param signature Over both
    function settle(
        PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        UptoWitness calldata witness,
        bytes calldata signature
    ) external;
}
