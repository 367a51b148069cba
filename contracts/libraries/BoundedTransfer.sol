// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title BoundedTransfer
/// @notice A token transfer that cannot stop its caller: bounded gas, one word of returndata, a bool instead of a
/// revert.
library BoundedTransfer {
    /// @dev For what happens between the look at `gasleft()` and the call: its own price included, with a cold token.
    uint256 private constant CALL_RESERVE_GAS = 4_000;

    /// @notice The transaction has too little gas left to give the token what it may use; send more.
    error BoundedTransfer_GasTooLow(uint256 gasLeft, uint256 required);

    /// @notice Tries to transfer.
    /// @dev Success means what OpenZeppelin's `SafeERC20` means by it: the call did not fail, and it returned true, or
    /// nothing at all from an address with code. Errors: `BoundedTransfer_GasTooLow`, because a call gets at most 63/64
    /// of the gas that is left (EIP-150), and whoever sends the transaction must not be able to starve a transfer on
    /// purpose.
    /// @param token ERC-20 token
    /// @param to Recipient
    /// @param amount Atomic units
    /// @param gasLimit Gas for the token
    /// @return success Whether the token says that it paid
    function tryTransfer(address token, address to, uint256 amount, uint256 gasLimit) internal returns (bool success) {
        bytes memory question = abi.encodeCall(IERC20.transfer, (to, amount));
        uint256 required = gasLimit + gasLimit / 63 + CALL_RESERVE_GAS;
        uint256 gasLeft = gasleft();
        require(gasLeft >= required, BoundedTransfer_GasTooLow(gasLeft, required));
        uint256 answerBytes;
        uint256 answer;
        // Assembly, because a high-level call copies all returndata, which a hostile token can make arbitrarily dear.
        assembly ("memory-safe") {
            success := call(gasLimit, token, 0, add(question, 0x20), mload(question), 0x00, 0x20)
            answerBytes := returndatasize()
            answer := mload(0x00)
        }
        if (!success) return false;
        return answerBytes == 0 ? token.code.length != 0 : answerBytes >= 32 && answer == 1;
    }
}
