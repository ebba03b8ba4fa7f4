"""Pixel work in child processes of our own that may crash, hang or grow without harm."""
