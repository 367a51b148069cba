import tseslint from 'typescript-eslint';

/** Import borders are in .dependency-cruiser.cjs, layout is Prettier's; here is what a reader cannot see at a glance. */
export default tseslint.config(
  { ignores: ['node_modules/', 'artifacts/', 'cache/', 'types/', 'coverage/', '.autopay/', 'protocol/abi/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['.dependency-cruiser.cjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // `== null` asks for both null and undefined.
      eqeqeq: ['error', 'smart'],
      'no-console': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'] }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numbers and bigints read well in messages, and have one text each.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A method may be asynchronous because its interface is.
      '@typescript-eslint/require-await': 'off',
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // What calls pass through. V8 puts both into the old generation at once, with all that they see (docs/BENCHMARKS.md, Memory).
    files: ['server/{call,http,payer,payments,providers,routing}/**/*.ts'],
    ignores: ['**/*.test.ts', 'server/http/call-gate.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'AssignmentExpression[left.type="MemberExpression"] > :matches(ArrowFunctionExpression, FunctionExpression).right',
          message:
            'Make it a method, or name it before it is assigned: written here, it and all that it sees outlive the call.',
        },
        {
          selector: 'ObjectExpression > Property[kind=/^(get|set)$/]',
          message:
            'Make it a class or a function: the accessors of an object literal, and all that they see, outlive the call.',
        },
      ],
    },
  },
  {
    files: ['**/*.test.ts', 'test/**'],
    rules: {
      'max-lines-per-function': 'off',
      // Matchers such as expect.any() are typed any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // Mocha's chai assertions are expressions.
      '@typescript-eslint/no-unused-expressions': 'off',
    },
  },
  {
    // Hardhat's ethers gives contracts without types of their own.
    files: ['test/contracts/**/*.spec.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  // A cast of JSON.parse() is a comment there, which this rule does not see.
  { files: ['scripts/*.js', 'cli/*.js'], rules: { '@typescript-eslint/no-unsafe-assignment': 'off' } },
  {
    files: ['**/*.cjs'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { sourceType: 'commonjs' },
    rules: { ...tseslint.configs.disableTypeChecked.rules, '@typescript-eslint/no-require-imports': 'off' },
  },
);
