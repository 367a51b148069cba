// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Vm} from "./Vm.sol";

/// @notice Cheat codes and assertions shared by all Solidity tests.
abstract contract TestBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Fuzzed values are folded into this range of the secp256k1 order.
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    error NotEqual(string what, bytes32 actual, bytes32 expected);
    error NotTrue(string what);

    function assertEq(uint256 actual, uint256 expected, string memory what) internal pure {
        require(actual == expected, NotEqual(what, bytes32(actual), bytes32(expected)));
    }

    function assertEq(address actual, address expected, string memory what) internal pure {
        assertEq(uint256(uint160(actual)), uint256(uint160(expected)), what);
    }

    function assertEq(bytes32 actual, bytes32 expected, string memory what) internal pure {
        require(actual == expected, NotEqual(what, actual, expected));
    }

    function assertEq(bool actual, bool expected, string memory what) internal pure {
        assertEq(actual ? uint256(1) : 0, expected ? uint256(1) : 0, what);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        require(condition, NotTrue(what));
    }

    /// @dev Folds a fuzzed value into a closed range.
    function bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        return minimum + (value % (maximum - minimum + 1));
    }

    /// @dev A deterministic private key of its own for each name.
    function keyOf(string memory name) internal pure returns (uint256) {
        return (uint256(keccak256(bytes(name))) % (CURVE_ORDER - 1)) + 1;
    }

    /// @dev The wallet of that key.
    function wallet(string memory name) internal pure returns (address) {
        return vm.addr(keyOf(name));
    }

    /// @dev 65 bytes r ‖ s ‖ v.
    function sign(uint256 privateKey, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Deploys a compiled contract, by its artifact. A test that says `new` has the contract's code compiled into its own,
    /// and optimised once more: minutes for each test contract.
    function create(string memory name, bytes memory arguments) internal returns (address payable deployed) {
        bytes memory code = bytes.concat(vm.getCode(name), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
            if iszero(deployed) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }
}
