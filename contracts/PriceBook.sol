// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IPriceBook} from "./interfaces/IPriceBook.sol";

/// @title PriceBook
/// @notice See `IPriceBook`.
contract PriceBook is IPriceBook {
    /// @inheritdoc IPriceBook
    uint64 public constant MIN_NOTICE = 10 minutes;

    /// @inheritdoc IPriceBook
    uint64 public constant MAX_NOTICE = 365 days;

    /// @inheritdoc IPriceBook
    address public immutable governance;

    mapping(bytes32 root => Period period) private _periods;

    /// @param initialGovernance The timelock
    /// @param initialRoot Table that holds from the deployment on; zero for none
    constructor(address initialGovernance, bytes32 initialRoot) {
        require(initialGovernance != address(0), PriceBook_ZeroAddress());
        governance = initialGovernance;
        if (initialRoot != 0) _publish(initialRoot, uint64(block.timestamp));
    }

    /// @dev Requires that the caller is the governance.
    modifier onlyGovernance() {
        require(msg.sender == governance, PriceBook_NotGovernance(msg.sender));
        _;
    }

    /// @inheritdoc IPriceBook
    function publishPriceRoot(bytes32 root, uint64 from) external onlyGovernance {
        require(root != 0, PriceBook_ZeroRoot());
        require(_periods[root].from == 0, PriceBook_AlreadyPublished(root));
        _publish(root, _timeOrEarliest(from, block.timestamp));
    }

    /// @inheritdoc IPriceBook
    function retirePriceRoot(bytes32 root, uint64 until) external onlyGovernance {
        Period storage period = _periods[root];
        require(period.from != 0, PriceBook_Unknown(root));
        require(period.until == 0, PriceBook_AlreadyRetired(root, period.until));
        until = _timeOrEarliest(until, Math.max(block.timestamp + MIN_NOTICE, period.from));
        period.until = until;
        emit PriceRootRetired(root, until);
    }

    /// @inheritdoc IPriceBook
    function isInForce(bytes32 root, uint64 at) external view returns (bool) {
        Period storage period = _periods[root];
        return period.from != 0 && period.from <= at && (period.until == 0 || at < period.until);
    }

    /// @inheritdoc IPriceBook
    function periodOf(bytes32 root) external view returns (Period memory) {
        return _periods[root];
    }

    function _publish(bytes32 root, uint64 from) private {
        _periods[root].from = from;
        emit PriceRootPublished(root, from);
    }

    /// @dev The time that was asked for, or the earliest possible where none was.
    function _timeOrEarliest(uint64 time, uint256 earliest) private view returns (uint64) {
        if (time == 0) return uint64(earliest);
        require(time >= earliest, PriceBook_TooEarly(time, earliest));
        uint256 latest = block.timestamp + MAX_NOTICE;
        require(time <= latest, PriceBook_TooFarAhead(time, latest));
        return time;
    }
}
