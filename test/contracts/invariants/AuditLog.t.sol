// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AuditLog} from "../../../contracts/AuditLog.sol";
import {Anchor} from "../../../contracts/interfaces/IAuditLog.sol";
import {TestBase} from "../helpers/TestBase.sol";

/// @notice Anchors random sizes, growing or not, and remembers every anchor.
/// @dev This contract is the relay. In this file, because Hardhat's runner calls only contracts of the test files.
contract AuditLogHandler is TestBase {
    AuditLog public log;
    mapping(string step => uint256 count) public done;
    Anchor[] private _anchors;
    uint256 private _now = 1_760_000_000;

    constructor() {
        log = AuditLog(create("AuditLog", abi.encode(address(this), address(this))));
    }

    function anchor(uint16 by, bytes32 root, bytes32 cid) external {
        uint64 latest = log.latestSize();
        _anchor(latest + 1 + by, root, cid);
        assertTrue(log.latestSize() > latest, "it grew");
        done["anchor"]++;
    }

    /// @dev A relay that tries to replace what it anchored.
    function anchorAgain(uint16 back, bytes32 root, bytes32 cid) external {
        uint64 latest = log.latestSize();
        uint64 size = latest > back ? latest - back : 0;
        try this.tryAnchor(size, root, cid) {
            revert NotTrue("a size that does not grow was taken");
        } catch {
            assertEq(log.latestSize(), latest, "unchanged");
            done["anchorAgain"]++;
        }
    }

    function tryAnchor(uint64 size, bytes32 root, bytes32 cid) external {
        require(msg.sender == address(this), NotTrue("not for the test runner"));
        log.anchor(size, root, cid);
    }

    function count() external view returns (uint256) {
        return _anchors.length;
    }

    function anchorAt(uint256 index) external view returns (Anchor memory) {
        return _anchors[index];
    }

    function _anchor(uint64 size, bytes32 root, bytes32 cid) private {
        vm.warp(++_now);
        _anchors.push(Anchor(size, log.latestSize(), uint64(_now), root, cid));
        log.anchor(size, root, cid);
    }
}

contract AuditLogInvariantTest is TestBase {
    AuditLogHandler private _handler;

    function setUp() external {
        _handler = new AuditLogHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner: `tryAnchor` is for the handler itself.
    function excludeSelectors() external view returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](1);
        selectors[0].addr = address(_handler);
        selectors[0].selectors = new bytes4[](1);
        selectors[0].selectors[0] = AuditLogHandler.tryAnchor.selector;
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        assertTrue(_handler.done("anchor") > 0, "anchor never ran");
        assertTrue(_handler.done("anchorAgain") > 0, "anchorAgain never ran");
    }

    function invariant_L1_AnchorsStayAndFormOneChain() external view {
        AuditLog log = _handler.log();
        uint64 previousSize = 0;
        for (uint256 i = 0; i < _handler.count(); ++i) {
            Anchor memory anchored = _handler.anchorAt(i);
            assertTrue(log.isAnchored(anchored), "an anchor is gone");
            assertEq(anchored.previousSize, previousSize, "the one before");
            assertTrue(anchored.size > previousSize, "sizes grow");
            previousSize = anchored.size;
        }
        assertEq(log.latestSize(), previousSize, "latest");
    }
}

/// @dev What the test runner reads from `excludeSelectors`.
struct FuzzSelector {
    address addr;
    bytes4[] selectors;
}
