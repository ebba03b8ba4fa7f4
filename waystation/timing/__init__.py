"""When to try, when to rest, when to stop trying: pure functions of outcome and clock."""
