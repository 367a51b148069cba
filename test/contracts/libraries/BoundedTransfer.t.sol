// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {BoundedTransfer} from "../../../contracts/libraries/BoundedTransfer.sol";
import {TestBase} from "../helpers/TestBase.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {MoodyToken, NoReturnToken} from "../mocks/WeirdTokens.sol";

/// @notice Answers every call with the same bytes.
contract Parrot {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return _answer;
    }
}

contract BoundedTransferTest is TestBase {
    uint256 private constant GAS_LIMIT = 120_000;

    address private _to = wallet("recipient");

    function test_TryTransfer_PaysInAnHonestToken() external {
        TestToken token = new TestToken();
        token.mint(address(this), 10);
        assertEq(_try(address(token)), true, "paid");
        assertEq(token.balanceOf(_to), 7, "arrived");
    }

    function test_TryTransfer_PaysInATokenThatReturnsNothing() external {
        NoReturnToken token = new NoReturnToken();
        token.mint(address(this), 10);
        assertEq(_try(address(token)), true, "paid");
        assertEq(token.balanceOf(_to), 7, "arrived");
    }

    function test_TryTransfer_FailsWhereTheTokenFails() external {
        MoodyToken token = new MoodyToken();
        assertEq(_try(address(token)), false, "too little balance");
        token.mint(address(this), 10);
        token.setMood(_to, MoodyToken.Mood.Blocked);
        assertEq(_try(address(token)), false, "it reverts");
        token.setMood(_to, MoodyToken.Mood.BurnsGas);
        assertEq(_try(address(token)), false, "it uses more gas than it may");
        token.setMood(_to, MoodyToken.Mood.ReturnsFalse);
        assertEq(_try(address(token)), false, "it says so");
    }

    function test_TryTransfer_TakesNothingButTrueForAnAnswer() external {
        assertEq(_try(address(new Parrot(abi.encode(1)))), true, "true");
        assertEq(_try(address(new Parrot(abi.encode(1, 2)))), true, "true, and more that is not read");
        assertEq(_try(address(new Parrot(abi.encode(2)))), false, "another number");
        assertEq(_try(address(new Parrot(abi.encode(1 << 255)))), false, "a number that ends in zeros");
        assertEq(_try(address(new Parrot(new bytes(31)))), false, "less than a word");
        assertEq(_try(address(new Parrot(hex"01"))), false, "one byte");
    }

    function test_TryTransfer_FailsWhereThereIsNoCode() external {
        assertEq(_try(wallet("nobody")), false, "nothing was paid");
    }

    function _try(address token) private returns (bool) {
        return BoundedTransfer.tryTransfer(token, _to, 7, GAS_LIMIT);
    }
}
