// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PermitTransferFrom, SignatureTransferDetails} from "../interfaces/IPermit2.sol";
import {ExactWitness, IX402ExactPermit2Proxy} from "../interfaces/IX402ExactPermit2Proxy.sol";
import {X402Permit2Proxy} from "./X402Permit2Proxy.sol";

/// @title X402ExactPermit2Proxy
/// @notice A stand-in for x402's proxy of the scheme `exact`; see `X402Permit2Proxy`.
contract X402ExactPermit2Proxy is IX402ExactPermit2Proxy, X402Permit2Proxy {
    /// @notice The types of the witness, as Permit2 wants them.
    string public constant WITNESS_TYPE_STRING =
        "Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)";

    /// @notice EIP-712 type hash of the witness.
    bytes32 public constant WITNESS_TYPEHASH = keccak256("Witness(address to,uint256 validAfter)");

    /// @notice The permit is for nothing.
    error InvalidAmount();

    /// @inheritdoc IX402ExactPermit2Proxy
    function settle(
        PermitTransferFrom calldata permit,
        address owner,
        ExactWitness calldata witness,
        bytes calldata signature
    ) external nonReentrant {
        _settleExactly(permit, owner, witness, signature);
        emit Settled();
    }

    /// @notice As `settle`, after an EIP-2612 permit for Permit2.
    function settleWithPermit(
        EIP2612Permit calldata permit2612,
        PermitTransferFrom calldata permit,
        address owner,
        ExactWitness calldata witness,
        bytes calldata signature
    ) external nonReentrant {
        _tryPermit(permit, owner, permit2612);
        _settleExactly(permit, owner, witness, signature);
        emit SettledWithPermit();
    }

    /// @dev Moves all that is permitted.
    function _settleExactly(
        PermitTransferFrom calldata permit,
        address owner,
        ExactWitness calldata witness,
        bytes calldata signature
    ) private {
        require(permit.permitted.amount != 0, InvalidAmount());
        _settle(
            permit,
            SignatureTransferDetails(witness.to, permit.permitted.amount),
            owner,
            witness.validAfter,
            keccak256(abi.encode(WITNESS_TYPEHASH, witness)),
            WITNESS_TYPE_STRING,
            signature
        );
    }
}
