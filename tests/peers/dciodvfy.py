"""dciodvfy of dicom3tools: what an object lacks of its IOD, as an outsider sees it."""

import re
import subprocess
import tempfile
import zlib
from collections.abc import Set
from dataclasses import replace

from tests.objects.elements import EXPLICIT_LITTLE
from tests.objects.files import Stored
from tests.objects.samples import DEFLATED, as_file
from tests.peers.program import need

DCIODVFY = "/usr/bin/dciodvfy"
_ERROR = re.compile(r"^Error - (.*)$", re.MULTILINE)
_ITEM = re.compile(r"\[\d+\]")
_VALUE = re.compile(r"= *<.*")


def error_kinds(one: Stored) -> Set[str]:
    """Return the kinds of errors in an object: the attribute's path and what is wrong with it.

    Numbers of items and values are left out.  A deflated object is looked at inflated: the
    program cannot do it.
    """
    if one.transfer_syntax == DEFLATED:
        plain = zlib.decompress(one.data_set, -zlib.MAX_WBITS)
        one = replace(one, transfer_syntax=EXPLICIT_LITTLE, data_set=plain)
    with tempfile.NamedTemporaryFile() as file:
        file.write(as_file(one))
        file.flush()
        command = [need(DCIODVFY), "-new", file.name]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode("latin-1")
    return {_VALUE.sub("", _ITEM.sub("", text)).rstrip() for text in _ERROR.findall(said)}
