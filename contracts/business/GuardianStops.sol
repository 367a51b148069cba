// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";

/// @title GuardianStops
/// @notice The part of AutoPayLLM that a guardian can stop for a time: what is done with collected money, never
/// custody.
abstract contract GuardianStops is IAutoPayLLM, AccessControl {
    /// @dev What every call of a relay looks at. One slot: the single suspensions are read only while one may be
    /// running.
    struct Stops {
        uint64 frozenUntil;
        uint64 nextFreezeAt;
        uint64 lastSuspensionEndsAt;
    }

    /// @dev A relay's suspension.
    struct Suspension {
        uint64 until;
        uint64 nextAt;
    }

    /// @inheritdoc IAutoPayLLM
    bytes32 public constant RELAY_ROLE = keccak256("RELAY_ROLE");

    /// @inheritdoc IAutoPayLLM
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// @inheritdoc IAutoPayLLM
    uint64 public constant MAX_GUARDIAN_STOP = 7 days;

    /// @inheritdoc IAutoPayLLM
    uint64 public constant GUARDIAN_PERIOD = 30 days;

    Stops private _stops;
    mapping(address relay => Suspension suspension) private _suspensions;

    /// @dev A relay that is not suspended, while nothing is frozen.
    modifier onlyActiveRelay() {
        _checkRole(RELAY_ROLE);
        Stops memory stops = _stops;
        _requireNotFrozen(stops);
        _requireNotSuspended(stops);
        _;
    }

    /// @inheritdoc IAutoPayLLM
    function freeze(uint64 durationSeconds) external onlyRole(GUARDIAN_ROLE) {
        (uint64 until, uint64 nextAt) = _planStop(durationSeconds, _stops.nextFreezeAt);
        _stops.frozenUntil = until;
        _stops.nextFreezeAt = nextAt;
        emit Frozen(until);
    }

    /// @inheritdoc IAutoPayLLM
    function unfreeze() external {
        _checkMayLift();
        _stops.frozenUntil = 0;
        emit Frozen(0);
    }

    /// @inheritdoc IAutoPayLLM
    function suspendRelay(address relay, uint64 durationSeconds) external onlyRole(GUARDIAN_ROLE) {
        (uint64 until, uint64 nextAt) = _planStop(durationSeconds, _suspensions[relay].nextAt);
        _suspensions[relay] = Suspension(until, nextAt);
        if (until > _stops.lastSuspensionEndsAt) _stops.lastSuspensionEndsAt = until;
        emit RelaySuspended(relay, until);
    }

    /// @inheritdoc IAutoPayLLM
    function reinstateRelay(address relay) external {
        _checkMayLift();
        _suspensions[relay].until = 0;
        emit RelaySuspended(relay, 0);
    }

    /// @inheritdoc IAutoPayLLM
    function frozenUntil() external view returns (uint64) {
        return _stops.frozenUntil;
    }

    /// @inheritdoc IAutoPayLLM
    function suspendedUntil(address relay) external view returns (uint64) {
        return _suspensions[relay].until;
    }

    /// @dev Requires that nothing is frozen.
    function _requireNotFrozen() internal view {
        _requireNotFrozen(_stops);
    }

    /// @dev Requires that the caller is not suspended.
    function _requireNotSuspended() internal view {
        _requireNotSuspended(_stops);
    }

    /// @dev As `_requireNotFrozen`, of stops that were read.
    function _requireNotFrozen(Stops memory stops) private view {
        require(block.timestamp >= stops.frozenUntil, AutoPayLLM_Frozen(stops.frozenUntil));
    }

    /// @dev As `_requireNotSuspended`, of stops that were read.
    function _requireNotSuspended(Stops memory stops) private view {
        if (block.timestamp >= stops.lastSuspensionEndsAt) return;
        uint64 until = _suspensions[msg.sender].until;
        require(block.timestamp >= until, AutoPayLLM_RelaySuspended(msg.sender, until));
    }

    /// @dev When a stop that begins now ends, and when the next one may begin.
    function _planStop(uint64 durationSeconds, uint64 allowedAt) private view returns (uint64 until, uint64 nextAt) {
        require(
            durationSeconds != 0 && durationSeconds <= MAX_GUARDIAN_STOP && block.timestamp >= allowedAt,
            AutoPayLLM_GuardianLimit(durationSeconds, allowedAt)
        );
        return (uint64(block.timestamp) + durationSeconds, uint64(block.timestamp) + GUARDIAN_PERIOD);
    }

    /// @dev The guardian may end what it began, and so may the admin.
    function _checkMayLift() private view {
        if (!hasRole(DEFAULT_ADMIN_ROLE, msg.sender)) _checkRole(GUARDIAN_ROLE);
    }
}
