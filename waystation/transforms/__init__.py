"""Data sets changed on their way: another syntax, other pixels, other values.  Pure."""
