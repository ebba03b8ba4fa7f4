"""The annexes of every node, in the order in which they start."""

from collections.abc import Callable

from waystation.app.annex import Annex
from waystation.app.node import Node

MAKERS: tuple[Callable[[Node], Annex], ...] = ()
