// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {TestToken} from "./TestToken.sol";

/// @notice Burns one unit of every transfer: the recipient gets less.
contract FeeOnTransferToken is TestToken {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), 1);
    }
}

/// @notice Adds one unit to every transfer: the recipient gets more.
contract GenerousToken is TestToken {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(address(0), to, 1);
    }
}

/// @notice Takes one unit more than asked from whoever sends.
contract OverchargingToken is TestToken {
    bool public armed;

    function arm() external {
        armed = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (armed && from != address(0) && to != address(0)) super._update(from, address(0), 1);
    }
}

/// @notice Moves balances, but returns nothing (as USDT does).
contract NoReturnToken {
    mapping(address owner => uint256 amount) public balanceOf;
    mapping(address owner => mapping(address spender => uint256 amount)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Can be told how `transfer` to one address goes wrong.
contract MoodyToken is TestToken {
    enum Mood {
        Good,
        Blocked,
        ReturnsFalse,
        BurnsGas,
        ReturnBomb,
        RevertBomb,
        FailsAfterPaying
    }

    mapping(address to => Mood mood) public moodTowards;

    function setMood(address to, Mood mood) external {
        moodTowards[to] = mood;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        Mood mood = moodTowards[to];
        require(mood != Mood.Blocked, "blocked");
        if (mood == Mood.ReturnsFalse) return false;
        if (mood == Mood.FailsAfterPaying) return !super.transfer(to, amount);
        if (mood == Mood.BurnsGas) while (true) {}
        if (mood == Mood.ReturnBomb) {
            super.transfer(to, amount);
            assembly ("memory-safe") {
                mstore(0x00, 1)
                return(0x00, 60000)
            }
        }
        if (mood == Mood.RevertBomb) {
            assembly ("memory-safe") {
                revert(0x00, 60000)
            }
        }
        return super.transfer(to, amount);
    }
}

/// @notice Calls back in the middle of every transfer once it is armed, and keeps what the call said.
contract ReentrantToken is TestToken {
    address public target;
    bytes public payload;
    bool public called;
    bool public succeeded;
    bytes public answer;

    function arm(address newTarget, bytes calldata newPayload) external {
        target = newTarget;
        payload = newPayload;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        address armedTarget = target;
        if (armedTarget == address(0)) return;
        target = address(0);
        called = true;
        (succeeded, answer) = armedTarget.call(payload);
    }
}

/// @notice Can be paused: then nothing moves.
contract PausableToken is TestToken {
    bool public paused;

    function setPaused(bool isPaused) external {
        paused = isPaused;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!paused, "paused");
        super._update(from, to, value);
    }
}

/// @notice Can shrink or grow one balance by itself.
contract RebasingToken is TestToken {
    function rebase(address owner, uint256 balance) external {
        uint256 had = balanceOf(owner);
        if (balance > had) _mint(owner, balance - had);
        else _burn(owner, had - balance);
    }
}

/// @notice Moves nothing, and answers `transferFrom` as told.
contract LyingToken is TestToken {
    bool public immutable answer;

    constructor(bool fixedAnswer) {
        answer = fixedAnswer;
    }

    function transferFrom(address, address, uint256) public view override returns (bool) {
        return answer;
    }
}
