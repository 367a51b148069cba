// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";
import {BoundedTransfer} from "../libraries/BoundedTransfer.sol";

/// @title HeldFunds
/// @notice The part of AutoPayLLM through which all its money goes out: payments, refunds that are pushed, and refunds
/// that wait.
/// @dev Every way out is measured: the balance falls by what is paid and no more, so no payment costs anyone else
/// anything.
abstract contract HeldFunds is IAutoPayLLM, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev What is collected but not yet anyone's. One slot, because a booking writes both.
    struct Pot {
        uint128 unbooked;
        uint128 unreleased;
    }

    /// @inheritdoc IAutoPayLLM
    uint256 public constant REFUND_GAS_LIMIT = 120_000;

    /// @inheritdoc IAutoPayLLM
    mapping(address token => mapping(address to => uint256 amount)) public claimableRefunds;

    mapping(address token => Pot pot) internal _pots;

    /// @inheritdoc IAutoPayLLM
    function claimRefund(address token, address to) external nonReentrant returns (uint256 amount) {
        // Check: something waits.
        amount = claimableRefunds[token][to];
        require(amount != 0, AutoPayLLM_NothingToWithdraw());

        // Effect: it waits no longer.
        claimableRefunds[token][to] = 0;
        emit RefundClaimed(token, to, amount);

        // Interaction: the refund.
        _pay(token, to, amount);
    }

    /// @inheritdoc IAutoPayLLM
    function unbooked(address token) external view returns (uint256) {
        return _pots[token].unbooked;
    }

    /// @inheritdoc IAutoPayLLM
    function unreleased(address token) external view returns (uint256) {
        return _pots[token].unreleased;
    }

    /// @dev Counts money that arrived and is not anyone's yet; answers the new total.
    function _addUnbooked(address token, uint256 amount) internal returns (uint256 total) {
        total = _pots[token].unbooked + amount;
        require(total <= type(uint128).max, AutoPayLLM_AmountTooLarge(total, type(uint128).max));
        _pots[token].unbooked = uint128(total);
    }

    /// @dev Pays out.
    function _pay(address token, address to, uint256 amount) internal {
        uint256 balanceBefore = _balance(token);
        IERC20(token).safeTransfer(to, amount);
        _requireSpentAtMost(token, balanceBefore, amount);
    }

    /// @dev Pulls from an account that has approved this contract, and says what arrived.
    function _pull(address token, address from, uint256 amount) internal returns (uint256 received) {
        uint256 balanceBefore = _balance(token);
        IERC20(token).safeTransferFrom(from, address(this), amount);
        return _balance(token) - balanceBefore;
    }

    /// @dev Tries to pay a refund; one that fails waits in `claimableRefunds`, and stops nothing else. The caller
    /// measures what its pushes took.
    function _pushOrKeep(address token, address to, uint256 amount) internal returns (bool pushed) {
        pushed = BoundedTransfer.tryTransfer(token, to, amount, REFUND_GAS_LIMIT);
        if (!pushed) claimableRefunds[token][to] += amount;
    }

    /// @dev Conservation: the balance fell by no more than what was paid.
    function _requireSpentAtMost(address token, uint256 balanceBefore, uint256 amount) internal view {
        uint256 balanceAfter = _balance(token);
        require(
            balanceAfter + amount >= balanceBefore,
            AutoPayLLM_PayoutExceeded(token, balanceBefore - balanceAfter, amount)
        );
    }

    /// @dev What this contract holds.
    function _balance(address token) internal view returns (uint256) {
        return IERC20(token).balanceOf(address(this));
    }
}
