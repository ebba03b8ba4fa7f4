"""Waystation: a DICOM gateway that keeps what it acknowledged."""

__version__ = "0.1.0"
