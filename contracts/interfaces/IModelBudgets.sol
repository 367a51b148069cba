// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice The accounting rate of a token from the deployment on.
struct InitialRate {
    /// @dev ERC-20 token, not AGPT itself
    address token;
    /// @dev AGPT wei per atomic unit of the token, times 10^18
    uint256 rate;
}

/// @title IModelBudgets
/// @notice What each model may spend per UTC day, set by vote.
/// @dev Unit of all limits: AGPT, 18 decimals ("AGPT wei"), per UTC day (unix seconds / 86400). Other tokens count at an
/// accounting rate; AGPT counts as what it is. Limits and rates hold from the next UTC day, so that a call is judged by what
/// held when it was admitted, and `spentOf(model, day) ≤ limitOf(model, day)` for ever. Of several changes on one day the
/// last one holds.
/// @dev Warning: what `consume` is told of model and day is the relay's word. A budget binds a relay that names them truly;
/// the log is there to check it.
interface IModelBudgets {
    /// @notice A model's daily limit was set.
    /// @param model Identifier of the model, keccak256 of its name
    /// @param name The name, UTF-8
    /// @param dailyLimit AGPT wei per day
    /// @param fromDay First UTC day on which it holds
    event ModelBudgetSet(bytes32 indexed model, string name, uint256 dailyLimit, uint32 fromDay);

    /// @notice A model's own limit was removed; from then on the default holds.
    /// @param model Identifier of the model
    /// @param fromDay First UTC day on which the default holds
    event ModelBudgetRemoved(bytes32 indexed model, uint32 fromDay);

    /// @notice The limit of models that nobody named was set.
    /// @param dailyLimit AGPT wei per day and model
    /// @param fromDay First UTC day on which it holds
    event DefaultBudgetSet(uint256 dailyLimit, uint32 fromDay);

    /// @notice The accounting rate of a token was set.
    /// @param token ERC-20 token
    /// @param rate AGPT wei per atomic unit of the token, times 10^18; 0 if the token no longer counts
    /// @param fromDay First UTC day on which it holds
    event AccountingRateSet(address indexed token, uint256 rate, uint32 fromDay);

    /// @notice A spend was counted.
    /// @param model Identifier of the model
    /// @param day UTC day
    /// @param amountAgpt What was counted, AGPT wei
    /// @param spentAgpt The model's new total of the day, AGPT wei
    event BudgetConsumed(bytes32 indexed model, uint32 indexed day, uint256 amountAgpt, uint256 spentAgpt);

    /// @notice The consumer was set, for ever.
    /// @param consumer AutoPayLLM
    event ConsumerSet(address indexed consumer);

    /// @notice Only the governance may do this.
    error ModelBudgets_NotGovernance(address caller);
    /// @notice Only the deployer may do this.
    error ModelBudgets_NotDeployer(address caller);
    /// @notice Only the consumer (AutoPayLLM) may do this.
    error ModelBudgets_NotConsumer(address caller);
    /// @notice The consumer was set already; it is set once.
    error ModelBudgets_ConsumerAlreadySet(address consumer);
    /// @notice The zero address cannot hold this place.
    error ModelBudgets_ZeroAddress();
    /// @notice A limit or rate is beyond `MAX_LIMIT` or `MAX_RATE`.
    error ModelBudgets_TooLarge(uint256 value, uint256 maximum);
    /// @notice AGPT's own rate is 10^18, for ever.
    error ModelBudgets_RateIsFixed(address agpt);
    /// @notice A name is empty or longer than `MAX_NAME_BYTES`.
    error ModelBudgets_NameLength(uint256 lengthBytes, uint256 maximum);

    /// @notice Sets a model's daily limit, from the next UTC day on. Governance only.
    /// @param model Name of the model, UTF-8; at most `MAX_NAME_BYTES` bytes
    /// @param dailyLimit AGPT wei per day; 0 stops the model
    function setModelBudget(string calldata model, uint256 dailyLimit) external;

    /// @notice Lets the default limit hold again for a model, from the next UTC day on. Governance only.
    /// @dev Does no harm where the model has no limit of its own.
    /// @param model Name of the model, UTF-8
    function removeModelBudget(string calldata model) external;

    /// @notice Sets the limit of models that nobody named, from the next UTC day on. Governance only.
    /// @param dailyLimit AGPT wei per day and model
    function setDefaultBudget(uint256 dailyLimit) external;

    /// @notice Sets what a token counts, from the next UTC day on (at once where it never had a rate). Governance only.
    /// @param token ERC-20 token, not AGPT itself
    /// @param rate AGPT wei per atomic unit, times 10^18; 0: its spends are over budget
    function setAccountingRate(address token, uint256 rate) external;

    /// @notice Says who counts spends. The deployer only, and once: the consumer is deployed after this contract.
    /// @param consumer AutoPayLLM
    function setConsumer(address consumer) external;

    /// @notice Counts a spend against a model's budget of a day.
    /// @dev Called by `AutoPayLLM` only, and never while money leaves escrow: a budget governs what may be done with money
    /// already collected.
    /// @param model Identifier of the model, keccak256 of its name
    /// @param day UTC day, unix seconds / 86400
    /// @param token ERC-20 token of the amount
    /// @param amount What was spent, atomic units
    /// @return withinBudget Whether it fitted; if not, nothing was counted. Never for a token without a rate, and never for a
    /// day that has not begun
    function consume(bytes32 model, uint32 day, address token, uint128 amount) external returns (bool withinBudget);

    /// @notice The limit that holds for a model on a day, AGPT wei. What it says of today and before never changes.
    function limitOf(bytes32 model, uint32 day) external view returns (uint256);

    /// @notice What was counted for a model on a day, AGPT wei.
    function spentOf(bytes32 model, uint32 day) external view returns (uint256);

    /// @notice The limit of models that nobody named, on a day, AGPT wei.
    function defaultLimitOf(uint32 day) external view returns (uint256);

    /// @notice The accounting rate of a token on a day: AGPT wei per atomic unit, times 10^18; 0 if unknown.
    function rateOf(address token, uint32 day) external view returns (uint256);

    /// @notice What an amount counts on a day: `ceil(amount × rate / 10^18)`, AGPT wei; 0 if the rate is unknown.
    function toAgpt(address token, uint128 amount, uint32 day) external view returns (uint256);

    /// @notice Who sets limits: the timelock.
    function governance() external view returns (address);

    /// @notice Who counts spends: AutoPayLLM; zero until it is set.
    function consumer() external view returns (address);

    /// @notice The token that budgets are counted in.
    function agpt() external view returns (address);

    /// @notice Highest limit, AGPT wei.
    function MAX_LIMIT() external view returns (uint256);

    /// @notice Highest accounting rate, AGPT wei per atomic unit, times 10^18. Times any amount it fits 256 bits.
    function MAX_RATE() external view returns (uint256);

    /// @notice Longest name of a model, bytes.
    function MAX_NAME_BYTES() external view returns (uint256);
}
