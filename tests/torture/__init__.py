"""Long fault runs with a ledger: ``python -m tests.torture`` (``make torture``)."""
