// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AuditLog} from "../../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {Anchor} from "../../../contracts/interfaces/IAuditLog.sol";
import {Batch, BookedSpend, Refund, Spend} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {MoodyBudgets} from "../mocks/MoodyBudgets.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {ChannelFixture} from "./ChannelFixture.sol";

/// @notice The whole set of contracts, with a relay, one provider, and helpers that act and check.
abstract contract BusinessFixture is ChannelFixture {
    uint64 internal constant WINDOW = 3600;
    uint32 internal constant TODAY = uint32(START / 1 days);
    bytes32 internal constant MODEL = keccak256("sim-small");
    bytes32 internal constant PROVIDER = keccak256("simulated");

    AutoPayLLM internal autoPay;
    AuditLog internal auditLog;
    MoodyBudgets internal budgets;
    address internal relay;
    address internal payout;

    Spend[] internal noSpends;
    Refund[] internal noRefunds;
    Anchor internal noAnchor;

    function setUp() public virtual override {
        super.setUp();
        relay = wallet("relay");
        payout = wallet("payout");
        auditLog = new AuditLog(address(this));
        budgets = new MoodyBudgets();
        autoPay = new AutoPayLLM(channels, auditLog, budgets, address(this), WINDOW);
        autoPay.grantRole(autoPay.RELAY_ROLE(), relay);
        auditLog.grantRole(auditLog.ANCHOR_ROLE(), relay);
        autoPay.setProvider(PROVIDER, payout);
        payee = address(autoPay);
    }

    /// @dev Opens a channel to AutoPayLLM and collects from it; checks that it all arrived.
    function collectChecked(TestToken currency, bytes32 salt, uint96 amount) internal {
        openChannel(payer, address(autoPay), currency, DEPOSIT, salt, address(0));
        TestToken usual = token;
        token = currency;
        bytes memory claims = defaultClaim(salt, amount, amount);
        token = usual;
        uint256 unbooked = autoPay.unbooked(address(currency));
        vm.prank(relay);
        assertEq(autoPay.collect(address(currency), claims), amount, "received");
        assertEq(autoPay.unbooked(address(currency)) - unbooked, amount, "unbooked");
    }

    /// @dev Books one spend of today; checks the record.
    function bookChecked(TestToken currency, uint128 amount, uint64 logSize) internal returns (uint256 batchId) {
        Spend[] memory spends = new Spend[](1);
        spends[0] = Spend(TODAY, MODEL, PROVIDER, amount);
        uint256 unbooked = autoPay.unbooked(address(currency));
        vm.prank(relay);
        batchId = autoPay.book(address(currency), spends, noRefunds, logSize);
        assertEq(unbooked - autoPay.unbooked(address(currency)), amount, "left the unbooked pot");
        Batch memory batch = autoPay.getBatch(batchId);
        assertEq(batch.spendsHash, keccak256(abi.encode(booked(amount, true))), "spendsHash");
        assertEq(batch.token, address(currency), "token");
        assertEq(batch.logSize, logSize, "logSize");
        assertEq(batch.released || batch.overBudgetReleased, false, "not released");
    }

    /// @dev What `bookChecked` books.
    function booked(uint128 amount, bool withinBudget) internal view returns (BookedSpend[] memory spends) {
        spends = new BookedSpend[](1);
        spends[0] = BookedSpend(TODAY, MODEL, PROVIDER, payout, amount, withinBudget);
    }

    /// @dev Anchors at a time; checks that it is stored.
    function anchorChecked(uint256 at, uint64 size) internal returns (Anchor memory anchored) {
        anchored = Anchor(size, auditLog.latestSize(), uint64(at), "root", "cid");
        vm.warp(at);
        vm.prank(relay);
        auditLog.anchor(size, "root", "cid");
        assertTrue(auditLog.isAnchored(anchored), "anchored");
    }
}
