// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {AuditLog} from "../../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {Anchor} from "../../../contracts/interfaces/IAuditLog.sol";
import {
    AutoPayLLMConfig,
    Batch,
    BookedSpend,
    ProviderPayout,
    Refund,
    Spend
} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {IModelBudgets} from "../../../contracts/interfaces/IModelBudgets.sol";
import {MoodyBudgets} from "../mocks/MoodyBudgets.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {ReentrantToken} from "../mocks/WeirdTokens.sol";
import {ChannelFixture} from "./ChannelFixture.sol";

/// @notice AutoPayLLM with a real escrow and a real log of one anchored entry, one provider, and helpers that act and
/// check.
/// @dev The test contract is the admin.
abstract contract BusinessFixture is ChannelFixture {
    uint256 internal constant BOND = 10_000;
    uint64 internal constant WINDOW = 3600;
    uint32 internal constant TODAY = uint32(START / 1 days);
    bytes32 internal constant MODEL = keccak256("sim-small");
    bytes32 internal constant PROVIDER = keccak256("simulated");

    AutoPayLLM internal autoPay;
    AuditLog internal auditLog;
    MoodyBudgets internal budgets;
    TestToken internal agpt;
    address internal relay;
    address internal guardian;
    address internal disputes;
    /// @dev A wallet, here: AutoPayLLM must not need its desk to be honest.
    address internal desk;
    address internal payout;
    address internal bondPayout;

    Spend[] internal noSpends;
    Refund[] internal noRefunds;
    Anchor internal firstAnchor;

    function setUp() public virtual override {
        super.setUp();
        relay = wallet("relay");
        guardian = wallet("guardian");
        disputes = wallet("disputes");
        desk = wallet("desk");
        payout = wallet("payout");
        bondPayout = wallet("bond payout");
        auditLog = AuditLog(create("AuditLog", abi.encode(address(this), relay)));
        budgets = new MoodyBudgets();
        agpt = new TestToken();
        useAutoPay(AutoPayLLM(create("AutoPayLLM", abi.encode(config()))));
        firstAnchor = anchorChecked(START, 1);
    }

    /// @dev The usual deployment.
    function config() internal view returns (AutoPayLLMConfig memory) {
        ProviderPayout[] memory providers = new ProviderPayout[](1);
        providers[0] = ProviderPayout("simulated", payout);
        return
            AutoPayLLMConfig({
                paymentChannels: channels,
                auditLog: auditLog,
                modelBudgets: IModelBudgets(address(budgets)),
                agpt: agpt,
                admin: address(this),
                relay: relay,
                guardian: guardian,
                bondPayout: bondPayout,
                disputeWindow: WINDOW,
                providers: providers
            });
    }

    /// @dev Makes a deployment the one under test.
    function useAutoPay(AutoPayLLM newAutoPay) internal {
        autoPay = newAutoPay;
        autoPay.grantRole(autoPay.DISPUTES_ROLE(), disputes);
        autoPay.grantRole(autoPay.DESK_ROLE(), desk);
        payee = address(autoPay);
    }

    /// @dev Opens a channel to AutoPayLLM, and claims an amount from it.
    function claimOn(TestToken currency, bytes32 salt, uint96 amount) internal returns (bytes memory claims) {
        openChannel(payer, address(autoPay), currency, DEPOSIT, salt, address(0));
        TestToken usual = token;
        token = currency;
        claims = defaultClaim(salt, amount, amount);
        token = usual;
    }

    /// @dev Opens a channel to AutoPayLLM and collects from it; checks that it all arrived.
    function collectChecked(TestToken currency, bytes32 salt, uint96 amount) internal {
        bytes memory claims = claimOn(currency, salt, amount);
        uint256 unbooked = autoPay.unbooked(address(currency));
        vm.prank(relay);
        assertEq(autoPay.collect(address(currency), claims), amount, "received");
        assertEq(autoPay.unbooked(address(currency)) - unbooked, amount, "unbooked");
    }

    /// @dev Brings a wallet's payment for a single call; checks that it counts, and may go back.
    function creditChecked(TestToken currency, address from, uint256 amount) internal {
        currency.mint(desk, amount);
        vm.prank(desk);
        currency.approve(address(autoPay), amount);
        uint256 unbooked = autoPay.unbooked(address(currency));
        uint256 refundable = autoPay.refundableOf(address(currency), from);
        vm.prank(desk);
        uint256 received = autoPay.creditPayment(address(currency), from, amount);
        assertEq(received, amount, "received");
        assertEq(autoPay.unbooked(address(currency)) - unbooked, amount, "unbooked");
        assertEq(autoPay.refundableOf(address(currency), from) - refundable, amount, "refundable");
    }

    /// @dev Puts up a bond; checks that it counts.
    function depositBondChecked(TestToken currency, uint256 amount) internal {
        uint256 bond = autoPay.bondOf(address(currency)).amount;
        uint256 held = currency.balanceOf(address(autoPay));
        currency.mint(relay, amount);
        vm.prank(relay);
        currency.approve(address(autoPay), amount);
        vm.prank(relay);
        autoPay.depositBond(address(currency), amount);
        assertEq(autoPay.bondOf(address(currency)).amount - bond, amount, "bond");
        assertEq(currency.balanceOf(address(autoPay)) - held, amount, "bond arrived");
    }

    /// @dev Books one spend of today; checks the record.
    function bookChecked(TestToken currency, uint128 amount, uint64 logSize) internal returns (uint256 batchId) {
        Spend[] memory spends = spendOf(TODAY, MODEL, amount);
        uint256 unbooked = autoPay.unbooked(address(currency));
        uint256 unreleased = autoPay.unreleased(address(currency));
        vm.prank(relay);
        batchId = autoPay.book(address(currency), spends, noRefunds, logSize);
        assertEq(unbooked - autoPay.unbooked(address(currency)), amount, "left the unbooked pot");
        assertEq(autoPay.unreleased(address(currency)) - unreleased, amount, "waits for release");
        Batch memory batch = autoPay.getBatch(batchId);
        assertEq(batch.spendsHash, keccak256(abi.encode(booked(amount, true))), "spendsHash");
        assertEq(batch.token, address(currency), "token");
        assertEq(batch.logSize, logSize, "logSize");
        assertEq(batch.released || batch.overBudgetReleased, false, "not released");
    }

    /// @dev One spend at the usual provider.
    function spendOf(uint32 day, bytes32 model, uint128 amount) internal pure returns (Spend[] memory spends) {
        spends = new Spend[](1);
        spends[0] = Spend(day, model, PROVIDER, amount);
    }

    /// @dev One refund.
    function refundTo(address to, uint128 amount) internal pure returns (Refund[] memory refunds) {
        refunds = new Refund[](1);
        refunds[0] = Refund("call", to, amount);
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

    /// @dev Gives a user AGPT and lets AutoPayLLM have it.
    function allow(TestToken currency, address user, uint256 amount) internal {
        currency.mint(user, amount);
        vm.prank(user);
        currency.approve(address(autoPay), amount);
    }

    /// @dev The refusal of a caller without a role.
    function missingRole(address caller, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role);
    }

    /// @dev Requires that the token called back and was refused by the guard against reentrancy.
    function assertReentryRefused(ReentrantToken evil) internal view {
        assertTrue(evil.called(), "called back");
        assertTrue(!evil.succeeded(), "refused");
        assertEq(
            keccak256(evil.answer()),
            keccak256(abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)),
            "refused by the guard"
        );
    }
}
