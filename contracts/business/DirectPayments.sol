// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAutoPayLLM, Refund} from "../interfaces/IAutoPayLLM.sol";
import {GuardianStops} from "./GuardianStops.sol";
import {HeldFunds} from "./HeldFunds.sol";

/// @title DirectPayments
/// @notice The part of AutoPayLLM that takes payments for single calls, and knows how much of them may go back.
/// @dev For every token and wallet: what was refunded plus `refundableOf` is what that wallet paid here. So no relay can
/// refund what came from escrow, or what somebody else paid.
abstract contract DirectPayments is HeldFunds, GuardianStops {
    /// @inheritdoc IAutoPayLLM
    bytes32 public constant DESK_ROLE = keccak256("DESK_ROLE");

    /// @inheritdoc IAutoPayLLM
    mapping(address token => mapping(address wallet => uint256 amount)) public refundableOf;

    /// @inheritdoc IAutoPayLLM
    function creditPayment(
        address token,
        address from,
        uint256 amount
    ) external nonReentrant onlyRole(DESK_ROLE) returns (uint256 received) {
        // Interaction first: only what arrives can be counted.
        received = _pull(token, msg.sender, amount);
        require(received != 0, AutoPayLLM_ZeroAmount());

        // Effect: it can be booked, or go back to who paid.
        refundableOf[token][from] += received;
        emit PaymentCredited(token, from, received, _addUnbooked(token, received));
    }

    /// @dev Takes refunds from what their wallets paid, and says what they are together.
    function _useRefundable(address token, Refund[] calldata refunds) internal returns (uint256 total) {
        for (uint256 i = 0; i < refunds.length; ++i) {
            (address to, uint256 amount) = (refunds[i].to, refunds[i].amount);
            uint256 refundable = refundableOf[token][to];
            require(amount <= refundable, AutoPayLLM_NotRefundable(token, to, amount, refundable));
            refundableOf[token][to] = refundable - amount;
            total += amount;
        }
    }
}
