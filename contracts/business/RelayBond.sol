// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Bond, IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";
import {BoundedTransfer} from "../libraries/BoundedTransfer.sol";
import {GuardianStops} from "./GuardianStops.sol";
import {HeldFunds} from "./HeldFunds.sol";

/// @title RelayBond
/// @notice The part of AutoPayLLM that holds the relay's bond: what disputes take refunds and penalties from.
/// @dev For every token `frozen ≤ amount`, after every call.
abstract contract RelayBond is HeldFunds, GuardianStops {
    /// @inheritdoc IAutoPayLLM
    bytes32 public constant DISPUTES_ROLE = keccak256("DISPUTES_ROLE");

    /// @inheritdoc IAutoPayLLM
    address public constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    /// @inheritdoc IAutoPayLLM
    address public bondPayout;

    mapping(address token => Bond bond) private _bonds;

    constructor(address payout) {
        _setBondPayout(payout);
    }

    /// @inheritdoc IAutoPayLLM
    function depositBond(address token, uint256 amount) external nonReentrant {
        // Interaction first: only what arrives can be counted.
        uint256 received = _pull(token, msg.sender, amount);
        require(received != 0, AutoPayLLM_ZeroAmount());

        // Effect: the bond grows.
        Bond storage bond = _bonds[token];
        uint256 total = bond.amount + received;
        require(total <= type(uint128).max, AutoPayLLM_AmountTooLarge(total, type(uint128).max));
        bond.amount = uint128(total);
        emit BondDeposited(token, msg.sender, received, total);
    }

    /// @inheritdoc IAutoPayLLM
    function withdrawBond(address token, uint256 amount) external nonReentrant onlyActiveRelay {
        // Check: neither disputes, nor what they left to be paid, nor unreleased bookings need it.
        require(amount != 0, AutoPayLLM_ZeroAmount());
        Bond storage bond = _bonds[token];
        uint256 free = Math.saturatingSub(_freeOf(bond), bond.owed + _pots[token].unreleased);
        require(amount <= free, AutoPayLLM_BondNotFree(token, amount, free));

        // Effect: the bond falls.
        uint128 left = bond.amount - uint128(amount);
        bond.amount = left;
        address payout = bondPayout;
        emit BondWithdrawn(token, payout, amount, left);

        // Interaction: the payment.
        _pay(token, payout, amount);
    }

    /// @inheritdoc IAutoPayLLM
    function setBondPayout(address payout) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setBondPayout(payout);
    }

    /// @inheritdoc IAutoPayLLM
    function freezeBond(
        address token,
        uint256 amount
    ) external nonReentrant onlyRole(DISPUTES_ROLE) returns (uint256 frozen) {
        Bond storage bond = _bonds[token];
        frozen = Math.min(amount, _freeOf(bond));
        bond.frozen += uint128(frozen);
        emit BondFrozen(token, bond.frozen);
    }

    /// @inheritdoc IAutoPayLLM
    function thawBond(address token, uint256 amount) external nonReentrant onlyRole(DISPUTES_ROLE) {
        Bond storage bond = _bonds[token];
        require(amount <= bond.frozen, AutoPayLLM_BondNotFrozen(token, amount, bond.frozen));
        bond.frozen -= uint128(amount);
        emit BondFrozen(token, bond.frozen);
    }

    /// @inheritdoc IAutoPayLLM
    function slashBond(
        address token,
        address to,
        uint256 refund,
        uint256 penalty
    ) external nonReentrant onlyRole(DISPUTES_ROLE) returns (uint256 refunded, uint256 burned) {
        // Check: only what no other dispute holds; the refund comes first.
        Bond storage bond = _bonds[token];
        uint256 free = _freeOf(bond);
        refunded = Math.min(refund, free);
        burned = Math.min(penalty, free - refunded);

        // Effect: the bond falls, whether or not the pushes work.
        uint128 left = bond.amount - uint128(refunded + burned);
        bond.amount = left;
        emit BondSlashed(token, to, refunded, burned, left);

        // Interaction: neither push can stop the other, or the dispute.
        uint256 balanceBefore = _balance(token);
        uint256 paid = 0;
        if (refunded != 0 && _pushOrKeep(token, to, refunded)) paid = refunded;
        if (burned != 0 && BoundedTransfer.tryTransfer(token, BURN_ADDRESS, burned, REFUND_GAS_LIMIT)) paid += burned;
        _requireSpentAtMost(token, balanceBefore, paid);
    }

    /// @inheritdoc IAutoPayLLM
    function oweBond(address token, uint256 amount) external nonReentrant onlyRole(DISPUTES_ROLE) {
        uint256 owed = _bonds[token].owed + amount;
        _bonds[token].owed = owed;
        emit BondOwed(token, owed);
    }

    /// @inheritdoc IAutoPayLLM
    function settleOwed(address token, uint256 amount) external nonReentrant onlyRole(DISPUTES_ROLE) {
        uint256 owed = _bonds[token].owed;
        require(amount <= owed, AutoPayLLM_BondNotOwed(token, amount, owed));
        _bonds[token].owed = owed - amount;
        emit BondOwed(token, owed - amount);
    }

    /// @inheritdoc IAutoPayLLM
    function bondOf(address token) external view returns (Bond memory) {
        return _bonds[token];
    }

    /// @dev Requires that the bond covers what is booked and not released, besides what disputes hold and are owed.
    function _requireBond(address token, uint256 required) internal view {
        Bond storage bond = _bonds[token];
        uint256 free = Math.saturatingSub(_freeOf(bond), bond.owed);
        require(free >= required, AutoPayLLM_BondTooLow(token, free, required));
    }

    /// @dev Sets where the bond goes back to.
    function _setBondPayout(address payout) private {
        require(payout != address(0), AutoPayLLM_ZeroAddress());
        bondPayout = payout;
        emit BondPayoutSet(payout);
    }

    /// @dev The part of a bond that no dispute holds.
    function _freeOf(Bond storage bond) private view returns (uint256) {
        return bond.amount - bond.frozen;
    }
}
