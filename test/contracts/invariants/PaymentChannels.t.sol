// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {Channel} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {TestBase} from "../helpers/TestBase.sol";
import {AuthorizedToken} from "../mocks/AuthorizedTokens.sol";

/// @notice Random but valid steps of payers and payees; a step that fits no channel does nothing.
/// @dev In this file, because Hardhat's runner calls only contracts of the test files it was given.
contract PaymentChannelsHandler is TestBase {
    uint256 public constant ACTORS = 3;

    /// @dev More would make the invariants' loops slow.
    uint256 public constant MAX_CHANNELS = 48;

    PaymentChannels public channels;
    AuthorizedToken[2] public tokens;
    ChannelId[] public ids;
    mapping(ChannelId channelId => bytes32 salt) public saltOf;
    mapping(ChannelId channelId => uint256 actor) public payerIndexOf;
    mapping(string step => uint256 count) public done;

    /// @dev Per token: put in by payers, paid to payees, returned to payers.
    mapping(address token => uint256 amount) public deposited;
    mapping(address token => uint256 amount) public paid;
    mapping(address token => uint256 amount) public returned;

    /// @dev The greatest values ever seen, to show that they never fall.
    mapping(ChannelId channelId => uint256 amount) public settledSeen;
    mapping(ChannelId channelId => uint256 amount) public depositSeen;
    mapping(ChannelId channelId => bool seen) public finalizedSeen;

    uint256 private _now = 1_760_000_000;

    /// @dev Makes the nonces of authorizations differ.
    uint256 private _salts;

    constructor() {
        channels = PaymentChannels(create("PaymentChannels", ""));
        tokens[0] = new AuthorizedToken();
        tokens[1] = new AuthorizedToken();
    }

    function open(uint256 actor, uint256 payee, uint256 currency, uint128 deposit) public {
        if (ids.length >= MAX_CHANNELS) return;
        actor %= ACTORS;
        deposit = uint128(bound(deposit, 1, 1e24));
        AuthorizedToken token = tokens[currency % 2];
        address payer = payerAt(actor);
        token.mint(payer, deposit);
        vm.prank(payer);
        token.approve(address(channels), deposit);
        bytes32 salt = bytes32(ids.length);
        vm.prank(payer);
        ChannelId id = channels.open(payeeAt(payee), address(token), deposit, salt, address(0));
        ids.push(id);
        saltOf[id] = salt;
        payerIndexOf[id] = actor;
        deposited[address(token)] += deposit;
        done["open"]++;
        _note(id);
    }

    function openWithAuthorization(uint256 actor, uint256 payee, uint256 currency, uint128 deposit) external {
        if (ids.length >= MAX_CHANNELS) return;
        actor %= ACTORS;
        deposit = uint128(bound(deposit, 1, 1e24));
        AuthorizedToken token = tokens[currency % 2];
        address payer = payerAt(actor);
        token.mint(payer, deposit);
        bytes32 salt = bytes32(ids.length);
        bytes32 nonce = keccak256(abi.encode(payer, payeeAt(payee), token, salt, address(0)));
        bytes memory signature = _authorization(token, _keyAt(actor), deposit, nonce);
        ChannelId id = channels.openWithAuthorization(
            payeeAt(payee),
            address(token),
            deposit,
            salt,
            address(0),
            payer,
            0,
            type(uint40).max,
            nonce,
            signature
        );
        ids.push(id);
        saltOf[id] = salt;
        payerIndexOf[id] = actor;
        deposited[address(token)] += deposit;
        done["openWithAuthorization"]++;
        _note(id);
    }

    function topUpWithAuthorization(uint256 seed, uint128 amount, bool isStrangers) external {
        (bool found, ChannelId id, Channel memory channel) = _pickOpen(seed);
        if (!found) return;
        amount = uint128(bound(amount, 1, 1e24));
        uint256 key = isStrangers ? keyOf("stranger") : _keyAt(payerIndexOf[id]);
        AuthorizedToken token = AuthorizedToken(channel.token);
        token.mint(vm.addr(key), amount);
        bytes32 salt = bytes32(++_salts);
        bytes32 nonce = keccak256(abi.encode(id, amount, vm.addr(key), salt));
        bytes memory signature = _authorization(token, key, amount, nonce);
        channels.topUpWithAuthorization(id, amount, vm.addr(key), salt, 0, type(uint40).max, nonce, signature);
        deposited[address(token)] += amount;
        assertEq(
            channels.getChannel(id).closeRequestedAt,
            isStrangers ? channel.closeRequestedAt : 0,
            "only the payer's money cancels a close"
        );
        done[isStrangers ? "topUpByStranger" : "topUpWithAuthorization"]++;
        _note(id);
    }

    function topUp(uint256 seed, uint128 amount) external {
        (bool found, ChannelId id, Channel memory channel) = _pickOpen(seed);
        if (!found) return;
        amount = uint128(bound(amount, 1, 1e24));
        AuthorizedToken(channel.token).mint(channel.payer, amount);
        vm.prank(channel.payer);
        AuthorizedToken(channel.token).approve(address(channels), amount);
        vm.prank(channel.payer);
        channels.topUp(id, amount);
        deposited[channel.token] += amount;
        done["topUp"]++;
        _note(id);
    }

    function settle(uint256 seed, uint128 amount) external {
        (bool found, ChannelId id, Channel memory channel) = _pickOpen(seed);
        if (!found || channel.settled == channel.deposit) return;
        amount = uint128(bound(amount, channel.settled + 1, channel.deposit));
        bytes memory signature = _voucher(id, amount);
        vm.prank(channel.payee);
        channels.settle(id, amount, signature);
        paid[channel.token] += amount - channel.settled;
        done["settle"]++;
        _note(id);
    }

    function settleBatch(uint256 seed, uint128 amount, bool badSignature) external {
        (bool found, ChannelId first, Channel memory channel) = _pickOpen(seed);
        if (!found) return;
        bytes memory claims;
        uint256 expected = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            Channel memory other = channels.getChannel(ids[i]);
            if (other.payee != channel.payee || other.token != channel.token) continue;
            // A batch is valid whatever it holds: finalized, exhausted and badly signed claims are skipped.
            uint256 claimed = bound(amount, 0, other.deposit);
            bool bad = badSignature && ids[i] == first;
            claims = bytes.concat(claims, _claim(ids[i], other, uint96(claimed), bad));
            if (!bad && !other.finalized && claimed > other.settled) expected += claimed - other.settled;
        }
        vm.prank(channel.payee);
        uint256 total = channels.settleBatch(channel.token, claims);
        assertEq(total, expected, "batch total");
        paid[channel.token] += total;
        done["settleBatch"]++;
        for (uint256 i = 0; i < ids.length; ++i) _note(ids[i]);
    }

    function close(uint256 seed, uint128 amount, bool forfeit) external {
        (bool found, ChannelId id, Channel memory channel) = _pickOpen(seed);
        if (!found || seed % 4 != 0) return;
        uint128 final_ = forfeit ? channel.settled : uint128(bound(amount, channel.settled, channel.deposit));
        bytes memory signature = _voucher(id, final_);
        vm.prank(channel.payee);
        channels.close(id, final_, signature);
        paid[channel.token] += final_ - channel.settled;
        returned[channel.token] += channel.deposit - final_;
        done["close"]++;
        _note(id);
    }

    function closeBatch(uint256 seed, uint128 amount, bool badSignature) external {
        (bool found, ChannelId first, Channel memory channel) = _pickOpen(seed);
        if (!found) return;
        bytes memory claims;
        uint256 expected = 0;
        uint256 refunds = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            Channel memory other = channels.getChannel(ids[i]);
            // A quarter of the others, so that some stay open; finalized ones are claimed again, and skipped.
            if (other.payee != channel.payee || other.token != channel.token) continue;
            if (!(ids[i] == first) && uint256(keccak256(abi.encode(seed, i))) % 4 != 0) continue;
            uint256 claimed = bound(amount, 0, other.deposit);
            bool bad = badSignature && ids[i] == first && claimed > other.settled;
            claims = bytes.concat(claims, _claim(ids[i], other, uint96(claimed), bad));
            if (bad || other.finalized) continue;
            uint256 settled = claimed > other.settled ? claimed : other.settled;
            expected += settled - other.settled;
            refunds += other.deposit - settled;
        }
        vm.prank(channel.payee);
        uint256 total = channels.closeBatch(channel.token, claims);
        assertEq(total, expected, "batch total");
        paid[channel.token] += total;
        returned[channel.token] += refunds;
        if (refunds != 0) done["closeBatch"]++;
        for (uint256 i = 0; i < ids.length; ++i) _note(ids[i]);
    }

    function requestClose(uint256 seed) external {
        (bool found, ChannelId id, Channel memory channel) = _pickOpen(seed);
        if (!found) return;
        vm.prank(channel.payer);
        channels.requestClose(id);
        done["requestClose"]++;
        _note(id);
    }

    function withdraw(uint256 seed) external {
        for (uint256 i = 0; i < ids.length; ++i) {
            ChannelId id = ids[((seed % ids.length) + i) % ids.length];
            Channel memory channel = channels.getChannel(id);
            if (channel.finalized || channel.closeRequestedAt == 0) continue;
            uint256 readyAt = channel.closeRequestedAt + channels.CLOSE_GRACE_PERIOD();
            if (_now < readyAt) _now = readyAt;
            vm.warp(_now);
            vm.prank(channel.payer);
            channels.withdraw(id);
            returned[channel.token] += channel.deposit - channel.settled;
            done["withdraw"]++;
            _note(id);
            return;
        }
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function payerAt(uint256 actor) public pure returns (address) {
        return vm.addr(_keyAt(actor));
    }

    function payeeAt(uint256 index) public pure returns (address) {
        return wallet(index % 2 == 0 ? "payee even" : "payee odd");
    }

    function _keyAt(uint256 actor) private pure returns (uint256) {
        return keyOf(string.concat("payer ", vm.toString(actor)));
    }

    function _authorization(
        AuthorizedToken token,
        uint256 key,
        uint256 amount,
        bytes32 nonce
    ) private view returns (bytes memory) {
        return sign(key, token.hashReceive(vm.addr(key), address(channels), amount, 0, type(uint40).max, nonce));
    }

    function _voucher(ChannelId id, uint128 amount) private view returns (bytes memory) {
        return sign(_keyAt(payerIndexOf[id]), channels.hashVoucher(id, amount));
    }

    function _claim(
        ChannelId id,
        Channel memory channel,
        uint96 claimed,
        bool bad
    ) private view returns (bytes memory) {
        uint96 maximum = uint96(channel.deposit);
        uint256 key = bad ? keyOf("thief") : _keyAt(payerIndexOf[id]);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, channels.hashVoucher(id, maximum));
        bytes32 compact = bytes32(uint256(s) | (uint256(v - 27) << 255));
        return abi.encodePacked(channel.payer, saltOf[id], address(0), maximum, claimed, r, compact);
    }

    /// @dev The first channel that is not finalized, from a random start; a new one if all are.
    function _pickOpen(uint256 seed) private returns (bool found, ChannelId id, Channel memory channel) {
        (found, id, channel) = _findOpen(seed);
        if (found) return (found, id, channel);
        open(seed, seed >> 8, seed >> 16, 1e6);
        return _findOpen(seed);
    }

    function _findOpen(uint256 seed) private view returns (bool found, ChannelId id, Channel memory channel) {
        for (uint256 i = 0; i < ids.length; ++i) {
            id = ids[((seed % ids.length) + i) % ids.length];
            channel = channels.getChannel(id);
            if (!channel.finalized) return (true, id, channel);
        }
    }

    /// @dev Invariant 3, checked at each step against what was seen before.
    function _note(ChannelId id) private {
        Channel memory channel = channels.getChannel(id);
        assertTrue(channel.settled >= settledSeen[id], "settled fell");
        assertTrue(channel.deposit >= depositSeen[id], "deposit fell");
        assertTrue(channel.finalized || !finalizedSeen[id], "finalized was cleared");
        settledSeen[id] = channel.settled;
        depositSeen[id] = channel.deposit;
        finalizedSeen[id] = channel.finalized;
    }
}

contract PaymentChannelsInvariantTest is TestBase {
    PaymentChannelsHandler private _handler;

    function setUp() external {
        vm.warp(1_760_000_000);
        _handler = new PaymentChannelsHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        string[11] memory steps = [
            "open",
            "openWithAuthorization",
            "topUp",
            "topUpWithAuthorization",
            "topUpByStranger",
            "settle",
            "settleBatch",
            "close",
            "closeBatch",
            "requestClose",
            "withdraw"
        ];
        for (uint256 i = 0; i < steps.length; ++i) {
            assertTrue(_handler.done(steps[i]) > 0, string.concat(steps[i], " never ran"));
        }
    }

    function invariant_1_and_2_Solvency() external view {
        uint256[2] memory owed;
        for (uint256 i = 0; i < _handler.count(); ++i) {
            Channel memory channel = _handler.channels().getChannel(_handler.ids(i));
            assertTrue(channel.settled <= channel.deposit, "settled beyond the deposit");
            if (channel.finalized) continue;
            owed[channel.token == address(_handler.tokens(0)) ? 0 : 1] += channel.deposit - channel.settled;
        }
        for (uint256 i = 0; i < 2; ++i) {
            uint256 held = _handler.tokens(i).balanceOf(address(_handler.channels()));
            assertEq(held, owed[i], "escrow holds what is open");
        }
    }

    function invariant_4_NobodyLoses() external view {
        for (uint256 i = 0; i < 2; ++i) {
            AuthorizedToken token = _handler.tokens(i);
            uint256 payees = token.balanceOf(_handler.payeeAt(0)) + token.balanceOf(_handler.payeeAt(1));
            uint256 payers = 0;
            for (uint256 j = 0; j < _handler.ACTORS(); ++j) payers += token.balanceOf(_handler.payerAt(j));
            assertEq(payees, _handler.paid(address(token)), "payees");
            assertEq(payers, _handler.returned(address(token)), "payers");
            assertEq(
                _handler.deposited(address(token)),
                payees + payers + token.balanceOf(address(_handler.channels())),
                "in = out + held"
            );
        }
    }
}
