// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {KeyRegistry} from "../../contracts/KeyRegistry.sol";
import {IKeyRegistry} from "../../contracts/interfaces/IKeyRegistry.sol";
import {TestBase} from "./helpers/TestBase.sol";

contract KeyRegistryTest is TestBase {
    uint64 private constant START = 1_760_000_000;
    uint64 private constant OVERLAP = 1 hours;

    KeyRegistry private _registry;
    address private _admin;
    address private _relay;
    address private _key;

    function setUp() external {
        vm.warp(START);
        _admin = wallet("timelock");
        _relay = wallet("relay");
        _key = wallet("second key");
        _registry = KeyRegistry(create("KeyRegistry", abi.encode(_admin, _relay)));
    }

    function test_Constructor_TheKeeperIsTheFirstKey() external {
        vm.expectEmit();
        emit IKeyRegistry.KeyAdded(_relay, START);
        KeyRegistry registry = KeyRegistry(create("KeyRegistry", abi.encode(_admin, _relay)));
        assertTrue(registry.hasRole(registry.DEFAULT_ADMIN_ROLE(), _admin), "admin");
        assertTrue(registry.hasRole(registry.KEYS_ROLE(), _relay), "keeper");
        assertEq(registry.hasRole(registry.KEYS_ROLE(), _admin), false, "the admin keeps no keys");
        assertEq(registry.hasRole(registry.DEFAULT_ADMIN_ROLE(), _relay), false, "the keeper is no admin");
        assertEq(registry.hasRole(registry.DEFAULT_ADMIN_ROLE(), address(this)), false, "nor is the deployer");
        assertTrue(registry.isValidAt(_relay, START), "signs at once");
    }

    function test_RevertWhen_KeeperIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IKeyRegistry.KeyRegistry_ZeroKey.selector));
        KeyRegistry(create("KeyRegistry", abi.encode(_admin, address(0))));
    }

    function test_AddKey_FromNowOn() external {
        _add(START + 10);
        assertEq(_registry.isValidAt(_key, START + 9), false, "not for the past");
        assertEq(_registry.isValidAt(_key, START + 10), true, "now");
        assertEq(_registry.isValidAt(_key, type(uint64).max), true, "no end");
        assertEq(_registry.isValidAt(_relay, START + 10), true, "keys overlap");
    }

    function test_RevertWhen_CallerLacksTheRole() external {
        bytes32 role = _registry.KEYS_ROLE();
        bytes memory denied = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector,
            address(this),
            role
        );
        vm.expectRevert(denied);
        _registry.addKey(_key);
        vm.expectRevert(denied);
        _registry.retireKey(_relay);
        vm.expectRevert(denied);
        _registry.revokeFingerprint("fingerprint");
    }

    function test_RevertWhen_KeyIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IKeyRegistry.KeyRegistry_ZeroKey.selector));
        vm.prank(_relay);
        _registry.addKey(address(0));
    }

    function test_RevertGiven_KeyIsAdded() external {
        vm.expectRevert(abi.encodeWithSelector(IKeyRegistry.KeyRegistry_AlreadyAdded.selector, _relay));
        vm.prank(_relay);
        _registry.addKey(_relay);
    }

    function test_RevertGiven_KeyIsRetired() external {
        _retire(START + 10);
        vm.expectRevert(abi.encodeWithSelector(IKeyRegistry.KeyRegistry_AlreadyAdded.selector, _relay));
        vm.prank(_relay);
        _registry.addKey(_relay);
        vm.expectRevert(abi.encodeWithSelector(IKeyRegistry.KeyRegistry_NotActive.selector, _relay));
        vm.prank(_relay);
        _registry.retireKey(_relay);
    }

    /// @dev What it dated a little ahead is evidence too: a retirement does not wipe it out.
    function test_RetireKey_WhatItSignedStays() external {
        _retire(START + 10);
        assertEq(_registry.RETIREMENT_OVERLAP(), OVERLAP, "overlap");
        assertEq(_registry.isValidAt(_relay, START - 1), false, "before it was added");
        assertEq(_registry.isValidAt(_relay, START), true, "its first second");
        assertEq(_registry.isValidAt(_relay, START + 10), true, "now");
        assertEq(_registry.isValidAt(_relay, START + 10 + OVERLAP - 1), true, "its last second");
        assertEq(_registry.isValidAt(_relay, START + 10 + OVERLAP), false, "after the overlap");
        assertEq(_registry.isValidAt(_relay, type(uint64).max), false, "never again");
    }

    function test_RevertGiven_KeyIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(IKeyRegistry.KeyRegistry_NotActive.selector, _key));
        vm.prank(_relay);
        _registry.retireKey(_key);
    }

    function test_RevokeFingerprint_Once() external {
        vm.warp(START + 10);
        vm.expectEmit(address(_registry));
        emit IKeyRegistry.FingerprintRevoked("fingerprint", START + 10);
        vm.prank(_relay);
        _registry.revokeFingerprint("fingerprint");
        assertEq(_registry.revokedAt("fingerprint"), START + 10, "time");
        assertEq(_registry.revokedAt("another"), 0, "another");
        vm.expectRevert(
            abi.encodeWithSelector(IKeyRegistry.KeyRegistry_AlreadyRevoked.selector, bytes32("fingerprint"))
        );
        vm.prank(_relay);
        _registry.revokeFingerprint("fingerprint");
    }

    function test_IsValidAt_NeverForAnUnknownKey() external view {
        assertEq(_registry.isValidAt(_key, 0), false, "at zero");
        assertEq(_registry.isValidAt(_key, START), false, "now");
        assertEq(_registry.isValidAt(address(0), START), false, "the zero address");
        assertEq(_registry.periodOf(_key).from, 0, "from");
    }

    function testFuzz_IsValidAt_FromAddedToRetired(uint64 life, uint64 at) external {
        uint64 until = START + OVERLAP + uint64(bound(life, 0, 365 days));
        at = uint64(bound(at, START - 1 days, until + 1 days));
        _retire(until - OVERLAP);
        assertEq(_registry.isValidAt(_relay, at), START <= at && at < until, "half-open");
    }

    function _add(uint64 at) private {
        vm.warp(at);
        vm.expectEmit(address(_registry));
        emit IKeyRegistry.KeyAdded(_key, at);
        vm.prank(_relay);
        _registry.addKey(_key);
        assertEq(_registry.periodOf(_key).from, at, "from");
        assertEq(_registry.periodOf(_key).until, 0, "until");
    }

    function _retire(uint64 at) private {
        vm.warp(at);
        vm.expectEmit(address(_registry));
        emit IKeyRegistry.KeyRetired(_relay, at + OVERLAP);
        vm.prank(_relay);
        _registry.retireKey(_relay);
        assertEq(_registry.periodOf(_relay).from, START, "from stays");
        assertEq(_registry.periodOf(_relay).until, at + OVERLAP, "until");
    }
}
