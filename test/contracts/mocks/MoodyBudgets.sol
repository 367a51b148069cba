// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IModelBudgets} from "../../../contracts/interfaces/IModelBudgets.sol";

/// @notice Budgets that answer as told, and note what they were asked.
contract MoodyBudgets is IModelBudgets {
    bool public broken;
    mapping(bytes32 model => bool exhausted) public isExhausted;
    mapping(bytes32 model => mapping(uint32 day => uint256 amount)) public consumed;

    function breakDown() external {
        broken = true;
    }

    function exhaust(bytes32 model) external {
        isExhausted[model] = true;
    }

    function consume(bytes32 model, uint32 day, address, uint128 amount) external returns (bool withinBudget) {
        require(!broken, "budgets are broken");
        if (isExhausted[model]) return false;
        consumed[model][day] += amount;
        return true;
    }
}
