"""``find --why`` against DCMTK's dcmqrscp."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_find import Archive
from tests.flows.asking import study_of


@pytest.mark.peer
@pytest.mark.req("T-19")
def test_each_key_is_shown_with_verdict_and_reason(tmp_path: Path, run: Run) -> None:
    archive = Archive(tmp_path)
    uid = study_of(archive.objects[0])
    with archive.scp:
        keys = ("-k", "PatientID=NOBODY", "-k", "PatientName=*")
        said = run("find", archive.target, *keys, "--why", uid)
        assert said.code == 0, said.err
        lines = said.out.splitlines()
        assert lines[0].startswith("PatientName asked for, study has ")
        assert lines[1].startswith("PatientID asked NOBODY, study has ")
        assert lines[1].endswith(": no")
        assert lines[2] == f"not found by this query: {uid}"
        found = run("find", archive.target, "-k", "PatientID", "--why", uid, "--json")
        document = json.loads(found.out)
        assert (document["matched"], document["study"]) == (True, uid)
        nothing = run("find", archive.target, "-k", "PatientID", "--why", "1.2.3")
        assert (nothing.code, nothing.out) == (1, "")
        assert "no record 1.2.3 there" in nothing.err
