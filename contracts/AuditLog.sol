// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Anchor, IAuditLog} from "./interfaces/IAuditLog.sol";
import {Rfc6962} from "./libraries/Rfc6962.sol";

/// @title AuditLog
/// @notice See `IAuditLog`.
contract AuditLog is IAuditLog, AccessControl {
    /// @inheritdoc IAuditLog
    bytes32 public constant ANCHOR_ROLE = keccak256("ANCHOR_ROLE");

    /// @inheritdoc IAuditLog
    uint64 public constant MAX_GROWTH = 2 ** 24;

    /// @inheritdoc IAuditLog
    mapping(uint64 size => bytes32 hash) public anchorHash;

    /// @inheritdoc IAuditLog
    uint64 public latestSize;

    /// @param admin Who may grant and revoke `ANCHOR_ROLE`: the timelock
    /// @param anchorer The relay
    constructor(address admin, address anchorer) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(ANCHOR_ROLE, anchorer);
    }

    /// @inheritdoc IAuditLog
    function anchor(uint64 size, bytes32 root, bytes32 cid) external onlyRole(ANCHOR_ROLE) {
        uint64 previousSize = latestSize;
        require(size > previousSize, AuditLog_SizeNotIncreasing(size, previousSize));
        uint64 growth = size - previousSize;
        require(growth <= MAX_GROWTH, AuditLog_GrowthTooLarge(growth, MAX_GROWTH));

        uint64 anchoredAt = uint64(block.timestamp);
        anchorHash[size] = keccak256(abi.encode(Anchor(size, previousSize, anchoredAt, root, cid)));
        latestSize = size;
        emit Anchored(size, previousSize, anchoredAt, root, cid);
    }

    /// @inheritdoc IAuditLog
    function verifyInclusion(
        Anchor calldata anchored,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return _verifyInclusion(anchored, index, leafHash, proof);
    }

    /// @inheritdoc IAuditLog
    function verifyReceipt(
        Anchor calldata anchored,
        uint64 index,
        bytes calldata entry,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return _verifyInclusion(anchored, index, Rfc6962.hashLeaf(entry), proof);
    }

    /// @inheritdoc IAuditLog
    function verifyConsistency(
        Anchor calldata older,
        Anchor calldata newer,
        bytes32[] calldata proof
    ) external view returns (bool) {
        _requireAnchored(older);
        _requireAnchored(newer);
        return Rfc6962.verifyConsistency(older.root, older.size, newer.root, newer.size, proof);
    }

    /// @inheritdoc IAuditLog
    function isAnchored(Anchor calldata anchored) public view returns (bool) {
        return anchorHash[anchored.size] == keccak256(abi.encode(anchored));
    }

    /// @dev A proof against an anchor that was never stored proves nothing: refused rather than answered.
    function _requireAnchored(Anchor calldata anchored) private view {
        require(isAnchored(anchored), AuditLog_AnchorUnknown(anchored.size));
    }

    function _verifyInclusion(
        Anchor calldata anchored,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) private view returns (bool) {
        _requireAnchored(anchored);
        return Rfc6962.verifyInclusion(anchored.root, anchored.size, index, leafHash, proof);
    }
}
