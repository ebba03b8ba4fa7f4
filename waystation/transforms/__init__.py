"""Data sets changed on their way: another syntax, other pixels.  Pure: bytes and values in and out."""
