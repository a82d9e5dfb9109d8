"""Shared by the API and fault suites: the stack, clients for every transport, and checkers."""
