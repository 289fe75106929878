//! The conformance suites: one named case per Behavior bullet of the contracts.
