// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";

/// @title KeyRegistry
/// @notice See `IKeyRegistry`.
contract KeyRegistry is IKeyRegistry, AccessControl {
    /// @inheritdoc IKeyRegistry
    bytes32 public constant KEYS_ROLE = keccak256("KEYS_ROLE");

    /// @inheritdoc IKeyRegistry
    uint64 public constant RETIREMENT_OVERLAP = 1 hours;

    /// @inheritdoc IKeyRegistry
    mapping(bytes32 fingerprint => uint64 at) public revokedAt;

    mapping(address key => Period period) private _periods;

    /// @param admin Who grants and revokes roles: the timelock
    /// @param keeper The relay: it keeps the keys, and its own address is the first of them
    constructor(address admin, address keeper) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(KEYS_ROLE, keeper);
        _addKey(keeper);
    }

    /// @inheritdoc IKeyRegistry
    function addKey(address key) external onlyRole(KEYS_ROLE) {
        _addKey(key);
    }

    /// @inheritdoc IKeyRegistry
    function retireKey(address key) external onlyRole(KEYS_ROLE) {
        Period storage period = _periods[key];
        require(period.from != 0 && period.until == 0, KeyRegistry_NotActive(key));
        period.until = uint64(block.timestamp) + RETIREMENT_OVERLAP;
        emit KeyRetired(key, period.until);
    }

    /// @inheritdoc IKeyRegistry
    function revokeFingerprint(bytes32 fingerprint) external onlyRole(KEYS_ROLE) {
        require(revokedAt[fingerprint] == 0, KeyRegistry_AlreadyRevoked(fingerprint));
        revokedAt[fingerprint] = uint64(block.timestamp);
        emit FingerprintRevoked(fingerprint, uint64(block.timestamp));
    }

    /// @inheritdoc IKeyRegistry
    function isValidAt(address key, uint64 at) external view returns (bool) {
        Period storage period = _periods[key];
        return period.from != 0 && period.from <= at && (period.until == 0 || at < period.until);
    }

    /// @inheritdoc IKeyRegistry
    function periodOf(address key) external view returns (Period memory) {
        return _periods[key];
    }

    function _addKey(address key) private {
        require(key != address(0), KeyRegistry_ZeroKey());
        require(_periods[key].from == 0, KeyRegistry_AlreadyAdded(key));
        _periods[key].from = uint64(block.timestamp);
        emit KeyAdded(key, uint64(block.timestamp));
    }
}
