"""``waystation find --why``: one line for each key, with what was asked and what is there."""

import json
import sys
from typing import TYPE_CHECKING

import typer

from waystation.cli.tables import plain

if TYPE_CHECKING:
    from waystation.app.identifier import Identifier
    from waystation.dicom.head import Head


class Reasons:
    """Holds the query against each answer and prints what its keys say."""

    def __init__(
        self,
        identifier: "Identifier",
        charset: str,
        which: str,
        *,
        fuzzy: bool,
        combined: bool,
        as_json: bool,
    ) -> None:
        from waystation.app.why import asking
        from waystation.model.query import Options

        self._query = asking(identifier, charset, Options(fuzzy=fuzzy, combined=combined))
        self._which = which
        self._json = as_json
        self._count = 0

    def answer(self, head: "Head") -> None:
        """Judge one answer."""
        from waystation.app.why import judged
        from waystation.dicom import tags

        self._count += 1
        verdict = judged(self._query, head)
        uid = head.text(tags.STUDY_INSTANCE_UID)
        if self._json:
            keys = [{"matched": line.matched, "text": line.text} for line in verdict.lines]
            print(json.dumps({"study": uid, "matched": verdict.matched, "keys": keys}), flush=True)
            return
        for line in verdict.lines:
            print(plain(line.text))
        print(f"{'found' if verdict.matched else 'not found'} by this query: {plain(uid)}")

    def end(self) -> None:
        """Say so if there was nothing to judge."""
        if not self._count:
            text = f"find: no record {self._which} there: asked for by itself it was not found"
            print(plain(text), file=sys.stderr)
            raise typer.Exit(1)
