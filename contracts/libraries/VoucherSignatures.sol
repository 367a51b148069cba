// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title VoucherSignatures
/// @notice Judges voucher signatures of wallets and of contracts.
/// @dev ECDSA is tried first, whatever code the signer has: with EIP-7702 any wallet can carry code, and gain or lose
/// it after signing. OpenZeppelin's `SignatureChecker` would ask the code, and so make a signed voucher revocable.
library VoucherSignatures {
    /// @notice Whether the signature is the signer's, by ECDSA (65 bytes, low s) or else by ERC-1271.
    /// @dev A contract signer gets at most `gasLimit` gas, and one word of its answer is read.
    /// @param signer Wallet or contract
    /// @param digest What was signed
    /// @param signature The signature
    /// @param gasLimit Gas for the contract's answer
    function isValid(
        address signer,
        bytes32 digest,
        bytes calldata signature,
        uint256 gasLimit
    ) internal view returns (bool) {
        (address recovered, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length != 0 && _isValidErc1271(signer, digest, signature, gasLimit);
    }

    /// @dev Assembly, because a high-level call copies all returndata: a hostile signer could make that cost any
    /// amount.
    function _isValidErc1271(
        address signer,
        bytes32 digest,
        bytes calldata signature,
        uint256 gasLimit
    ) private view returns (bool) {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bool answered;
        uint256 answerBytes;
        bytes32 answer;
        assembly ("memory-safe") {
            answered := staticcall(gasLimit, signer, add(question, 0x20), mload(question), 0x00, 0x20)
            answerBytes := returndatasize()
            answer := mload(0x00)
        }
        return answered && answerBytes >= 32 && answer == bytes32(IERC1271.isValidSignature.selector);
    }
}
