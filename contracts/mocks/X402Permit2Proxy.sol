// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPermit2, PermitTransferFrom, SignatureTransferDetails} from "../interfaces/IPermit2.sol";

/// @title X402Permit2Proxy
/// @notice What the stand-ins for x402's two Permit2 proxies share. They are for local chains and tests, which lack the
/// real ones; they were written from the ABIs that the x402 npm package for EVM chains (2.27.0) publishes (names, arguments, events,
/// errors, witness types) and are no copy of the deployed code. Where the real ones are deployed these are not used.
/// @dev Without immutables and storage, so that the compiled runtime code can be set at the canonical addresses.
abstract contract X402Permit2Proxy is ReentrancyGuardTransient {
    /// @notice A wallet's EIP-2612 permit for Permit2.
    struct EIP2612Permit {
        uint256 value;
        uint256 deadline;
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    /// @notice Permit2's canonical address.
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    /// @notice A payment was settled.
    event Settled();

    /// @notice A payment was settled after a permit for Permit2 had been tried.
    event SettledWithPermit();

    /// @notice The owner is the zero address.
    error InvalidOwner();
    /// @notice The receiver is the zero address.
    error InvalidDestination();
    /// @notice The permit does not hold yet.
    error PaymentTooEarly();
    /// @notice The EIP-2612 permit is for another amount.
    error Permit2612AmountMismatch();

    /// @dev Moves tokens by Permit2.
    function _settle(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails memory details,
        address owner,
        uint256 validAfter,
        bytes32 witness,
        string memory witnessTypeString,
        bytes calldata signature
    ) internal {
        require(owner != address(0), InvalidOwner());
        require(details.to != address(0), InvalidDestination());
        require(block.timestamp >= validAfter, PaymentTooEarly());
        PERMIT2.permitWitnessTransferFrom(permit, details, owner, witness, witnessTypeString, signature);
    }

    /// @dev Tries a permit for Permit2; if it fails, an approval may be there already.
    function _tryPermit(PermitTransferFrom calldata permit, address owner, EIP2612Permit calldata approval) internal {
        require(approval.value == permit.permitted.amount, Permit2612AmountMismatch());
        // solhint-disable no-empty-blocks
        try
            IERC20Permit(permit.permitted.token).permit(
                owner,
                address(PERMIT2),
                approval.value,
                approval.deadline,
                approval.v,
                approval.r,
                approval.s
            )
        {} catch {}
        // solhint-enable no-empty-blocks
    }
}
