// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AggregatorV3Interface} from "../../../contracts/interfaces/AggregatorV3Interface.sol";
import {SystemFixture} from "../helpers/SystemFixture.sol";
import {TestBase} from "../helpers/TestBase.sol";

/// @notice People who try to get at what the vote owns, and votes that change roles and rules meanwhile. What may not work is
/// counted if it does.
/// @dev This contract is the deployer, after the handover. The vote itself is short here: the governor schedules. In this file,
/// because Hardhat's runner calls only contracts of the test files.
contract PowersHandler is SystemFixture {
    uint256 private constant START = 1_800_000_000;
    uint256 public constant PEOPLE = 7;
    uint256 public constant ACCOUNTS = 13;
    uint256 public constant RULES = 11;
    bytes32 private constant ADMIN = 0;
    bytes32 private constant PROVIDER = keccak256("simulated");

    struct Role {
        IAccessControl where;
        bytes32 id;
    }

    /// @dev What the vote decided, and where it takes hold.
    struct Decision {
        address target;
        bytes data;
        uint256 readyAt;
    }

    /// @dev What succeeded although it may not.
    uint256 public intrusions;
    string public lastIntrusion;
    mapping(string step => uint256 count) public done;
    /// @dev Who got what from the deployment, and from votes since.
    mapping(IAccessControl where => mapping(bytes32 role => mapping(address account => bool))) public expected;

    Role[] private _roles;
    /// @dev How many of `_roles`, from the first, the vote gives and takes here.
    uint256 private _operatingRoles;
    address[] private _accounts;
    address[] private _contracts;
    Decision[] private _decisions;
    uint256 private _executed;
    uint256 private _now = START;

    constructor() {
        vm.warp(START);
        (address relay, address guardian) = (wallet("relay"), wallet("guardian"));
        deploySystem(relay, guardian, wallet("holder"));
        autoPay.registerName("simulated");
        _accounts = [relay, guardian, wallet("payer"), wallet("holder"), wallet("stranger"), wallet("next relay")];
        // The deployer is the last of the people; the others cannot send transactions of their own will.
        _accounts.push(address(this));
        _accounts.push(address(timelock));
        _accounts.push(address(governor));
        _accounts.push(address(disputes));
        _accounts.push(address(paymentDesk));
        _accounts.push(address(autoPay));
        _accounts.push(address(0));
        _contracts = [address(channels), address(agpt), address(auditLog), address(budgets), address(priceBook)];
        _contracts.push(address(priceOracle));
        _contracts.push(address(keyRegistry));
        _contracts.push(address(autoPay));
        _contracts.push(address(paymentDesk));
        _contracts.push(address(disputes));
        _contracts.push(address(governor));
        _contracts.push(address(timelock));

        _addRole(autoPay, autoPay.RELAY_ROLE(), relay);
        _addRole(autoPay, autoPay.GUARDIAN_ROLE(), guardian);
        _addRole(autoPay, autoPay.DESK_ROLE(), address(paymentDesk));
        _addRole(autoPay, autoPay.DISPUTES_ROLE(), address(disputes));
        _addRole(auditLog, auditLog.ANCHOR_ROLE(), relay);
        _addRole(keyRegistry, keyRegistry.KEYS_ROLE(), relay);
        _operatingRoles = _roles.length;
        _addRole(timelock, timelock.PROPOSER_ROLE(), address(governor));
        _addRole(timelock, timelock.CANCELLER_ROLE(), address(governor));
        _addRole(timelock, timelock.EXECUTOR_ROLE(), address(0));
        _addRole(autoPay, ADMIN, address(timelock));
        _addRole(auditLog, ADMIN, address(timelock));
        _addRole(keyRegistry, ADMIN, address(timelock));
        _addRole(timelock, ADMIN, address(timelock));
    }

    /// @dev Grants or revokes a role that only the vote may.
    function takeRole(uint256 who, uint256 what, uint256 whom, bool isGrant) external {
        Role storage role = _roles[what % _roles.length];
        bytes memory data =
            isGrant
                ? abi.encodeCall(IAccessControl.grantRole, (role.id, accountAt(whom)))
                : abi.encodeCall(IAccessControl.revokeRole, (role.id, accountAt(whom)));
        _intrude(who, address(role.where), data, "takeRole");
    }

    /// @dev Gives up a role of somebody else.
    function renounceForAnother(uint256 who, uint256 what, uint256 whom) external {
        Role storage role = _roles[what % _roles.length];
        address from = accountAt(whom);
        if (from == personAt(who)) return;
        bytes memory data = abi.encodeCall(IAccessControl.renounceRole, (role.id, from));
        _intrude(who, address(role.where), data, "renounceForAnother");
    }

    /// @dev Gives up a role of one's own, which works.
    function stepDown(uint256 who, uint256 what) external {
        Role storage role = _roles[what % _operatingRoles];
        for (uint256 i = 0; i < PEOPLE; ++i) {
            address person = _accounts[((who % PEOPLE) + i) % PEOPLE];
            if (!expected[role.where][role.id][person]) continue;
            vm.warp(_now);
            vm.prank(person);
            role.where.renounceRole(role.id, person);
            expected[role.where][role.id][person] = false;
            done["stepDown"]++;
            return;
        }
    }

    /// @dev Calls what only the vote may.
    function rule(uint256 who, uint256 which) external {
        (address target, bytes memory data) = governedCall(which, personAt(who));
        _intrude(who, target, data, "rule");
    }

    /// @dev Calls what contracts with an owner or a proxy would have.
    function seize(uint256 who, uint256 where, uint256 how) external {
        string[6] memory names = [
            "transferOwnership(address)",
            "setGovernance(address)",
            "changeAdmin(address)",
            "upgradeTo(address)",
            "initialize(address)",
            "beginDefaultAdminTransfer(address)"
        ];
        bytes memory data = abi.encodeWithSignature(names[how % names.length], personAt(who));
        _intrude(who, _contracts[where % _contracts.length], data, "seize");
    }

    /// @dev Goes around the vote, at the timelock and the governor.
    function bypass(uint256 who, uint256 which) external {
        address person = personAt(who);
        bytes memory takeover = abi.encodeCall(IAccessControl.grantRole, (ADMIN, person));
        which %= 6;
        address target = which < 3 ? address(timelock) : address(governor);
        bytes memory data;
        if (which == 0) {
            data = abi.encodeCall(timelock.schedule, (address(autoPay), 0, takeover, 0, "mine", TIMELOCK_DELAY));
        } else if (which == 1) {
            data = abi.encodeCall(timelock.execute, (address(autoPay), 0, takeover, 0, "mine"));
        } else if (which == 2) {
            if (_executed == _decisions.length) return;
            data = abi.encodeCall(timelock.cancel, (_idOf(_decisions.length - 1)));
        } else if (which == 3) {
            // The holder has not delegated, so nobody has the votes that a proposal needs.
            address[] memory targets = new address[](1);
            bytes[] memory payloads = new bytes[](1);
            (targets[0], payloads[0]) = (address(autoPay), takeover);
            data = abi.encodeCall(governor.propose, (targets, new uint256[](1), payloads, "mine"));
        } else if (which == 4) {
            data = abi.encodeCall(governor.relay, (address(autoPay), 0, takeover));
        } else {
            data = abi.encodeCall(governor.updateTimelock, (timelock));
        }
        _intrude(who, target, data, "bypass");
    }

    /// @dev Executes the newest decision before its time.
    function hurry(uint256 who) external {
        if (_executed == _decisions.length) return;
        uint256 newest = _decisions.length - 1;
        Decision storage decision = _decisions[newest];
        if (_now >= decision.readyAt) return;
        bytes memory data = abi.encodeCall(timelock.execute, (decision.target, 0, decision.data, 0, bytes32(newest)));
        _intrude(who, address(timelock), data, "hurry");
    }

    /// @dev The vote decides to give or take a role, or about a budget.
    function decide(uint256 what, uint256 whom, bool isGrant, bool isBudget) external {
        Decision storage decision = _decisions.push();
        if (isBudget) {
            decision.target = address(budgets);
            decision.data = abi.encodeCall(budgets.setModelBudget, ("sim-small", whom % 1e30));
        } else {
            Role storage role = _roles[what % _operatingRoles];
            decision.target = address(role.where);
            decision.data =
                isGrant
                    ? abi.encodeCall(IAccessControl.grantRole, (role.id, accountAt(whom)))
                    : abi.encodeCall(IAccessControl.revokeRole, (role.id, accountAt(whom)));
        }
        decision.readyAt = _now + TIMELOCK_DELAY;
        vm.warp(_now);
        vm.prank(address(governor));
        timelock.schedule(decision.target, 0, decision.data, 0, bytes32(_decisions.length - 1), TIMELOCK_DELAY);
        done["decide"]++;
    }

    /// @dev Anyone executes the oldest decision, when its time has come.
    function execute(uint256 who) external {
        if (_executed == _decisions.length) return;
        uint256 oldest = _executed++;
        Decision storage decision = _decisions[oldest];
        if (_now < decision.readyAt) _now = decision.readyAt;
        vm.warp(_now);
        vm.prank(personAt(who));
        timelock.execute(decision.target, 0, decision.data, 0, bytes32(oldest));
        _noteDecision(decision);
        done["execute"]++;
    }

    function accountAt(uint256 index) public view returns (address) {
        return _accounts[index % ACCOUNTS];
    }

    function personAt(uint256 index) public view returns (address) {
        return _accounts[index % PEOPLE];
    }

    /// @dev A call that only the vote may make, and that would succeed if it did.
    function governedCall(uint256 which, address person) public view returns (address target, bytes memory data) {
        which %= RULES;
        if (which == 0) return (address(budgets), abi.encodeCall(budgets.setModelBudget, ("sim-small", 1)));
        if (which == 1) return (address(budgets), abi.encodeCall(budgets.removeModelBudget, ("sim-small")));
        if (which == 2) return (address(budgets), abi.encodeCall(budgets.setDefaultBudget, (1)));
        if (which == 3) return (address(budgets), abi.encodeCall(budgets.setAccountingRate, (person, 1)));
        if (which == 4) return (address(priceBook), abi.encodeCall(priceBook.publishPriceRoot, ("mine", 0)));
        if (which == 5) return (address(priceBook), abi.encodeCall(priceBook.retirePriceRoot, ("prices", 0)));
        if (which == 6) {
            AggregatorV3Interface none = AggregatorV3Interface(address(0));
            return (address(priceOracle), abi.encodeCall(priceOracle.setFeed, (address(agpt), none, 0)));
        }
        if (which == 7) return (address(disputes), abi.encodeCall(disputes.setTokenTerms, (address(agpt), 1, 1)));
        if (which == 8) return (address(autoPay), abi.encodeCall(autoPay.setBondPayout, (person)));
        if (which == 9) return (address(autoPay), abi.encodeCall(autoPay.setProvider, (PROVIDER, person)));
        return (address(timelock), abi.encodeCall(timelock.updateDelay, (0)));
    }

    function roles() external view returns (Role[] memory) {
        return _roles;
    }

    /// @dev Whom the contracts without roles obey, and where the governor's decisions go.
    function rulers() external view returns (address[5] memory) {
        return
            [
                budgets.governance(),
                priceBook.governance(),
                priceOracle.governance(),
                disputes.governance(),
                governor.timelock()
            ];
    }

    function ruler() external view returns (address) {
        return address(timelock);
    }

    function _addRole(IAccessControl where, bytes32 id, address holder) private {
        _roles.push(Role(where, id));
        expected[where][id][holder] = true;
    }

    /// @dev Lets a person do what may not work.
    function _intrude(uint256 who, address target, bytes memory data, string memory step) private {
        vm.warp(_now);
        vm.prank(personAt(who));
        (bool succeeded, ) = target.call(data);
        done[step]++;
        if (!succeeded) return;
        intrusions++;
        lastIntrusion = step;
    }

    function _idOf(uint256 index) private view returns (bytes32) {
        Decision storage decision = _decisions[index];
        return timelock.hashOperation(decision.target, 0, decision.data, 0, bytes32(index));
    }

    function _noteDecision(Decision storage decision) private {
        bytes memory data = decision.data;
        bytes4 selector = bytes4(data);
        bool isGrant = selector == IAccessControl.grantRole.selector;
        if (!isGrant && selector != IAccessControl.revokeRole.selector) return;
        bytes32 id;
        address account;
        assembly ("memory-safe") {
            id := mload(add(data, 0x24))
            account := mload(add(data, 0x44))
        }
        expected[IAccessControl(decision.target)][id][account] = isGrant;
    }
}

contract PowersInvariantTest is TestBase {
    PowersHandler private _handler;

    function setUp() external {
        _handler = new PowersHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        string[9] memory steps = [
            "takeRole",
            "renounceForAnother",
            "stepDown",
            "rule",
            "seize",
            "bypass",
            "hurry",
            "decide",
            "execute"
        ];
        for (uint256 i = 0; i < steps.length; ++i) {
            assertTrue(_handler.done(steps[i]) > 0, string.concat(steps[i], " never ran"));
        }
    }

    /// @dev What others are refused is refused for who they are: every one of these calls is one that could succeed.
    function test_TheVoteMayDoWhatOthersAreRefused() external {
        for (uint256 i = 0; i < _handler.RULES(); ++i) {
            (address target, bytes memory data) = _handler.governedCall(i, wallet("somebody"));
            vm.prank(_handler.ruler());
            (bool succeeded, ) = target.call(data);
            assertTrue(succeeded, vm.toString(i));
        }
    }

    function invariant_G1_TheTimelockIsTheOnlyAdmin() external view {
        PowersHandler handler = _handler;
        address timelock = handler.ruler();
        PowersHandler.Role[] memory roles = handler.roles();
        for (uint256 i = 0; i < roles.length; ++i) {
            IAccessControl where = roles[i].where;
            // Who may give a role away is its admin, whatever the role is called.
            assertEq(where.getRoleAdmin(roles[i].id), 0, "the admin of a role");
            for (uint256 j = 0; j < handler.ACCOUNTS(); ++j) {
                address account = handler.accountAt(j);
                assertEq(where.hasRole(0, account), account == timelock, "the timelock alone is admin");
            }
        }
        address[5] memory rulers = handler.rulers();
        for (uint256 i = 0; i < rulers.length; ++i)
            assertEq(rulers[i], timelock, "what has no roles obeys the timelock");
    }

    function invariant_G2_OnlyTheVoteGivesRoles() external view {
        PowersHandler handler = _handler;
        PowersHandler.Role[] memory roles = handler.roles();
        for (uint256 i = 0; i < roles.length; ++i) {
            for (uint256 j = 0; j < handler.ACCOUNTS(); ++j) {
                address account = handler.accountAt(j);
                assertEq(
                    roles[i].where.hasRole(roles[i].id, account),
                    handler.expected(roles[i].where, roles[i].id, account),
                    "holds what the deployment or a vote gave"
                );
            }
        }
    }

    function invariant_G3_NobodyElseRules() external view {
        assertTrue(_handler.intrusions() == 0, _handler.lastIntrusion());
    }
}
