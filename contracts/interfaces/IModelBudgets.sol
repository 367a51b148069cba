// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title IModelBudgets
/// @notice What each model may spend per UTC day.
interface IModelBudgets {
    /// @notice Counts a spend against a model's budget of a day.
    /// @dev Called by `AutoPayLLM.book` only, never while money leaves escrow: a budget governs what may be done with money
    /// already collected.
    /// @param model Identifier of the model, keccak256 of its name
    /// @param day UTC day, unix seconds / 86400
    /// @param token ERC-20 token of the amount
    /// @param amount What was spent, atomic units
    /// @return withinBudget Whether it fitted; if not, nothing was counted
    function consume(bytes32 model, uint32 day, address token, uint128 amount) external returns (bool withinBudget);
}
