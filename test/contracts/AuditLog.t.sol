// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AuditLog} from "../../contracts/AuditLog.sol";
import {Anchor, IAuditLog} from "../../contracts/interfaces/IAuditLog.sol";
import {MerkleTree} from "./helpers/MerkleTree.sol";
import {TestBase} from "./helpers/TestBase.sol";

contract AuditLogTest is TestBase {
    uint64 private constant START = 1_760_000_000;

    AuditLog private _log;
    address private _relay;

    function setUp() external {
        vm.warp(START);
        _relay = wallet("relay");
        _log = AuditLog(create("AuditLog", abi.encode(address(this), _relay)));
    }

    function test_Constructor_GrantsTheTwoRoles() external {
        AuditLog log = AuditLog(create("AuditLog", abi.encode(wallet("timelock"), _relay)));
        assertTrue(log.hasRole(log.DEFAULT_ADMIN_ROLE(), wallet("timelock")), "admin");
        assertTrue(log.hasRole(log.ANCHOR_ROLE(), _relay), "anchorer");
        assertEq(log.hasRole(log.ANCHOR_ROLE(), wallet("timelock")), false, "the admin anchors nothing");
        assertEq(log.hasRole(log.DEFAULT_ADMIN_ROLE(), _relay), false, "the relay is no admin");
        assertEq(log.hasRole(log.DEFAULT_ADMIN_ROLE(), address(this)), false, "nor is the deployer");
    }

    function test_Anchor_ChainsSizes() external {
        Anchor memory first = _anchor(START, 3, "r1", "c1");
        assertEq(first.previousSize, 0, "the first has none before");
        Anchor memory second = _anchor(START + 60, 5, "r2", "c2");
        assertEq(second.previousSize, 3, "names the one before");
        assertEq(second.anchoredAt, START + 60, "time");
        assertTrue(_log.isAnchored(first) && _log.isAnchored(second), "both stay");
    }

    function test_IsAnchored_OnlyForTheExactAnchor() external {
        Anchor memory good = _anchor(START, 3, "r", "c");
        Anchor memory bad = Anchor(4, 0, START, "r", "c");
        assertEq(_log.isAnchored(bad), false, "size");
        bad = Anchor(3, 1, START, "r", "c");
        assertEq(_log.isAnchored(bad), false, "previousSize");
        bad = Anchor(3, 0, START + 1, "r", "c");
        assertEq(_log.isAnchored(bad), false, "anchoredAt");
        bad = Anchor(3, 0, START, "x", "c");
        assertEq(_log.isAnchored(bad), false, "root");
        bad = Anchor(3, 0, START, "r", "x");
        assertEq(_log.isAnchored(bad), false, "cid");
        assertTrue(_log.isAnchored(good), "the exact one");
    }

    function test_RevertWhen_CallerLacksTheRole() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector,
                address(this),
                _log.ANCHOR_ROLE()
            )
        );
        _log.anchor(1, "r", "c");
    }

    function testFuzz_RevertWhen_SizeDoesNotGrow(uint64 size, uint64 next) external {
        size = uint64(bound(size, 1, 2 ** 24));
        next = uint64(bound(next, 0, size));
        _anchor(START, size, "r", "c");
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_SizeNotIncreasing.selector, next, size));
        vm.prank(_relay);
        _log.anchor(next, "r", "c");
    }

    /// @dev Closes the audit's M6: one anchor by a stolen key cannot use up all sizes.
    function test_RevertWhen_GrowthIsTooLarge() external {
        uint64 most = 2 ** 24;
        assertEq(_log.MAX_GROWTH(), most, "MAX_GROWTH");
        _expectGrowthRefused(type(uint64).max, type(uint64).max);
        _expectGrowthRefused(most + 1, most + 1);
        _anchor(START, most, "r", "c");
        _expectGrowthRefused(2 * most + 1, most + 1);
        _anchor(START + 1, 2 * most, "r", "c");
    }

    function test_VerifyReceipt_AgainstItsAnchor() external {
        bytes[] memory entries = new bytes[](5);
        bytes32[] memory leaves = new bytes32[](5);
        for (uint256 i = 0; i < 5; ++i) {
            entries[i] = abi.encode("entry", i);
            leaves[i] = sha256(bytes.concat(hex"00", entries[i]));
        }
        Anchor memory anchored = _anchor(START, 5, MerkleTree.root(leaves, 0, 5), "c");
        for (uint64 i = 0; i < 5; ++i) {
            bytes32[] memory proof = MerkleTree.path(leaves, i, 0, 5);
            assertTrue(_log.verifyReceipt(anchored, i, entries[i], proof), "entry");
            assertTrue(_log.verifyInclusion(anchored, i, leaves[i], proof), "leaf");
            assertEq(_log.verifyReceipt(anchored, i, entries[(i + 1) % 5], proof), false, "other entry");
            assertEq(_log.verifyInclusion(anchored, (i + 1) % 5, leaves[i], proof), false, "other index");
        }
    }

    function test_VerifyConsistency_BetweenAnchors() external {
        bytes32[] memory leaves = new bytes32[](7);
        for (uint256 i = 0; i < 7; ++i) leaves[i] = sha256(abi.encodePacked(bytes1(0x00), i));
        Anchor memory older = _anchor(START, 3, MerkleTree.root(leaves, 0, 3), "c");
        Anchor memory newer = _anchor(START + 60, 7, MerkleTree.root(leaves, 0, 7), "c");
        bytes32[] memory proof = MerkleTree.consistencyProofs(leaves, 7)[3];
        assertTrue(_log.verifyConsistency(older, newer, proof), "extends");
        assertTrue(_log.verifyConsistency(older, older, new bytes32[](0)), "is itself");
        assertEq(_log.verifyConsistency(newer, older, proof), false, "the other way round");
        proof[1] ^= bytes32(uint256(1));
        assertEq(_log.verifyConsistency(older, newer, proof), false, "another proof");
    }

    function test_VerifyConsistency_ShowsARewrittenLog() external {
        bytes32[] memory leaves = new bytes32[](7);
        for (uint256 i = 0; i < 7; ++i) leaves[i] = sha256(abi.encodePacked(bytes1(0x00), i));
        Anchor memory older = _anchor(START, 3, MerkleTree.root(leaves, 0, 3), "c");
        leaves[1] = "rewritten";
        Anchor memory newer = _anchor(START + 60, 7, MerkleTree.root(leaves, 0, 7), "c");
        bytes32[] memory proof = MerkleTree.consistencyProofs(leaves, 7)[3];
        assertEq(_log.verifyConsistency(older, newer, proof), false, "no extension");
    }

    function test_RevertWhen_AnchorIsUnknown() external {
        bytes32[] memory proof = new bytes32[](0);
        Anchor memory never = Anchor(1, 0, START, "leaf", "c");
        Anchor memory known = _anchor(START, 2, "r", "c");
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_AnchorUnknown.selector, uint64(1)));
        _log.verifyConsistency(never, known, proof);
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_AnchorUnknown.selector, uint64(1)));
        _log.verifyConsistency(known, never, proof);
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_AnchorUnknown.selector, uint64(1)));
        _log.verifyInclusion(never, 0, "leaf", proof);
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_AnchorUnknown.selector, uint64(1)));
        _log.verifyReceipt(never, 0, "entry", proof);
    }

    function _expectGrowthRefused(uint64 size, uint64 growth) private {
        vm.expectRevert(abi.encodeWithSelector(IAuditLog.AuditLog_GrowthTooLarge.selector, growth, uint64(2 ** 24)));
        vm.prank(_relay);
        _log.anchor(size, "r", "c");
    }

    /// @dev Takes the time as an argument, because the optimizer reads `block.timestamp` out of order.
    function _anchor(uint64 at, uint64 size, bytes32 root, bytes32 cid) private returns (Anchor memory anchored) {
        vm.warp(at);
        anchored = Anchor(size, _log.latestSize(), at, root, cid);
        vm.expectEmit(address(_log));
        emit IAuditLog.Anchored(size, anchored.previousSize, anchored.anchoredAt, root, cid);
        vm.prank(_relay);
        _log.anchor(size, root, cid);
        assertEq(_log.latestSize(), size, "latestSize");
        assertEq(_log.anchorHash(size), keccak256(abi.encode(anchored)), "anchorHash");
    }
}
