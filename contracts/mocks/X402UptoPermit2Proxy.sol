// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PermitTransferFrom, SignatureTransferDetails} from "../interfaces/IPermit2.sol";
import {IX402UptoPermit2Proxy, UptoWitness} from "../interfaces/IX402UptoPermit2Proxy.sol";
import {X402Permit2Proxy} from "./X402Permit2Proxy.sol";

/// @title X402UptoPermit2Proxy
/// @notice A stand-in for x402's proxy of the scheme `upto`; see `X402Permit2Proxy`.
contract X402UptoPermit2Proxy is IX402UptoPermit2Proxy, X402Permit2Proxy {
    /// @notice The types of the witness, as Permit2 wants them.
    string public constant WITNESS_TYPE_STRING =
        "Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,address facilitator,uint256 validAfter)";

    /// @notice EIP-712 type hash of the witness.
    bytes32 public constant WITNESS_TYPEHASH = keccak256("Witness(address to,address facilitator,uint256 validAfter)");

    /// @notice More was asked for than is permitted.
    error AmountExceedsPermitted();
    /// @notice The caller is not the witness's facilitator.
    error UnauthorizedFacilitator();

    /// @inheritdoc IX402UptoPermit2Proxy
    function settle(
        PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        UptoWitness calldata witness,
        bytes calldata signature
    ) external nonReentrant {
        _settleUpTo(permit, amount, owner, witness, signature);
        emit Settled();
    }

    /// @notice As `settle`, after an EIP-2612 permit for Permit2.
    function settleWithPermit(
        EIP2612Permit calldata permit2612,
        PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        UptoWitness calldata witness,
        bytes calldata signature
    ) external nonReentrant {
        _tryPermit(permit, owner, permit2612);
        _settleUpTo(permit, amount, owner, witness, signature);
        emit SettledWithPermit();
    }

    /// @dev Moves what the facilitator says.
    function _settleUpTo(
        PermitTransferFrom calldata permit,
        uint256 amount,
        address owner,
        UptoWitness calldata witness,
        bytes calldata signature
    ) private {
        require(amount <= permit.permitted.amount, AmountExceedsPermitted());
        require(msg.sender == witness.facilitator, UnauthorizedFacilitator());
        _settle(
            permit,
            SignatureTransferDetails(witness.to, amount),
            owner,
            witness.validAfter,
            keccak256(abi.encode(WITNESS_TYPEHASH, witness)),
            WITNESS_TYPE_STRING,
            signature
        );
    }
}
