// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {SignedPayment} from "../interfaces/IPaymentDesk.sol";

/// @title PaymentHashes
/// @notice EIP-712 struct hashes of what a wallet signed to pay the calling contract.
library PaymentHashes {
    /// @dev EIP-3009.
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    /// @dev Permit2, and the witness of x402's scheme `exact`.
    bytes32 private constant PERMIT_TYPEHASH = keccak256(
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)"
    );
    bytes32 private constant TOKEN_PERMISSIONS_TYPEHASH = keccak256("TokenPermissions(address token,uint256 amount)");
    bytes32 private constant WITNESS_TYPEHASH = keccak256("Witness(address to,uint256 validAfter)");

    /// @notice Hash of an EIP-3009 `TransferWithAuthorization` to the calling contract.
    /// @param payment The payment
    function hashAuthorization(SignedPayment calldata payment) internal view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    TRANSFER_TYPEHASH,
                    payment.from,
                    address(this),
                    payment.amount,
                    payment.validAfter,
                    payment.validBefore,
                    payment.nonce
                )
            );
    }

    /// @notice Hash of a Permit2 `PermitWitnessTransferFrom` whose witness names the calling contract.
    /// @param payment The payment
    /// @param spender x402's exact proxy
    function hashExactPermit(SignedPayment calldata payment, address spender) internal view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    PERMIT_TYPEHASH,
                    keccak256(abi.encode(TOKEN_PERMISSIONS_TYPEHASH, payment.token, payment.amount)),
                    spender,
                    payment.nonce,
                    payment.validBefore,
                    keccak256(abi.encode(WITNESS_TYPEHASH, address(this), payment.validAfter))
                )
            );
    }
}
