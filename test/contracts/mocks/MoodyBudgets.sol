// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice Budgets that answer as told, and note what they were asked. Of `IModelBudgets` only what AutoPayLLM calls.
contract MoodyBudgets {
    mapping(bytes32 model => bool exhausted) public isExhausted;
    mapping(bytes32 model => mapping(uint32 day => uint256 amount)) public consumed;

    function exhaust(bytes32 model) external {
        isExhausted[model] = true;
    }

    function consume(bytes32 model, uint32 day, address, uint128 amount) external returns (bool withinBudget) {
        if (isExhausted[model]) return false;
        consumed[model][day] += amount;
        return true;
    }
}
