"""Nodes in this process, as the tests of the belts use them."""

from tests.flows.conftest import _quick_probes, _small_log, rig

__all__ = ["_quick_probes", "_small_log", "rig"]
