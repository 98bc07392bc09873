"""The built-in suites: contracts, datasets, scenarios and stacks."""
