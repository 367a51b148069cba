// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice A contract signer whose answer to `isValidSignature` can be chosen.
contract Erc1271Wallet {
    enum Mode {
        Accepts,
        Refuses,
        Reverts,
        BurnsGas,
        ReturnBomb,
        ShortAnswer
    }

    Mode public mode;

    constructor(Mode initialMode) {
        mode = initialMode;
    }

    function setMode(Mode newMode) external {
        mode = newMode;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (mode == Mode.Refuses) return 0xffffffff;
        // Foreign wallets revert with strings, and loop.
        // solhint-disable-next-line gas-custom-errors
        if (mode == Mode.Reverts) revert("no");
        // solhint-disable-next-line no-empty-blocks
        if (mode == Mode.BurnsGas) while (true) {}
        if (mode == Mode.ReturnBomb) {
            assembly ("memory-safe") {
                return(0x00, 60000)
            }
        }
        if (mode == Mode.ShortAnswer) {
            bytes4 magic = this.isValidSignature.selector;
            assembly ("memory-safe") {
                mstore(0x00, magic)
                return(0x00, 4)
            }
        }
        return this.isValidSignature.selector;
    }
}
