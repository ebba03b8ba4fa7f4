"""Does this record match these keys, and why: one core for C-FIND, QIDO and worklist."""
