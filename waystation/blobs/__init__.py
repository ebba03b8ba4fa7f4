"""Bytes with a seal: draft, seal, open, drop; on a local folder."""
