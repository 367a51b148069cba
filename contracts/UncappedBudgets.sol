// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IModelBudgets} from "./interfaces/IModelBudgets.sol";

/// @title UncappedBudgets
/// @notice Budgets of a deployment without governance: every spend is within budget, and nothing is counted.
contract UncappedBudgets is IModelBudgets {
    /// @inheritdoc IModelBudgets
    function consume(bytes32, uint32, address, uint128) external pure returns (bool withinBudget) {
        return true;
    }
}
