"""What the API and fault suites share: the stack, clients for every transport, and checkers."""
