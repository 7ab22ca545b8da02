"""For tests of amt-flows and of what users build on it: conformance suites and worlds to run in."""
