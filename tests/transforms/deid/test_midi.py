"""The ten-action score over forty subjects, and not one planted byte that gets out (D-44, D-45)."""

from dataclasses import replace

import pytest

from tests.objects.files import Stored
from tests.objects.phi.generate import Case, cases, subjects
from tests.objects.phi.key import ACTIONS, WITHOUT_OBJECT
from tests.objects.phi.kinds import KINDS
from tests.objects.phi.people import CHARSETS
from tests.objects.phi.score import Known, Score, score
from tests.objects.phi.spellings import days, encodings, finder
from tests.transforms.deid.midi import deidentifier, outputs_of, planted, raw_hits
from waystation.dicom.head import Head
from waystation.transforms.deid.result import Deidentified

SUBJECTS = 40


class Run:
    """The set, what came out of it, and its score."""

    def __init__(self) -> None:
        self.subjects: list[list[Case]] = list(subjects(SUBJECTS))
        self.cases = [case for subject in self.subjects for case in subject]
        self.outputs, self.held = outputs_of(self.cases, deidentifier())
        self.known = Known()
        self.score: Score = score(self.cases, self.outputs, self.known)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run()


@pytest.mark.req("D-44")
def test_the_set_is_as_wide_as_it_must_be(run: Run) -> None:
    assert len({kind.sop_class for kind in KINDS}) >= 20
    assert {case.kind.name for case in run.cases} == {kind.name for kind in KINDS}
    assert {case.who.charset for case in run.cases} == set(CHARSETS.values())
    assert len(CHARSETS) == 6
    burned = {case.stored.transfer_syntax for case in run.cases if case.kind.boxes}
    assert len(burned) >= 7
    assert all(len(case.answers) > 60 for case in run.cases if not case.kind.held)


@pytest.mark.req("D-44")
def test_the_set_is_made_of_its_seed_alone() -> None:
    assert cases(7) == cases(7)
    assert cases(7)[0].stored.data_set != cases(8)[0].stored.data_set


@pytest.mark.req("D-45")
def test_an_object_that_is_passed_on_untouched_scores_nothing_for_removals(run: Run) -> None:
    some = run.cases[:60]
    made = score(some, {case.stored.sop_instance: case.stored for case in some})
    for action in ("text_removed", "uid_changed", "date_shifted", "patid_consistent"):
        assert made.correct[action] == 0, action
    assert made.share("pixels_hidden") == 0
    for action in ("tag_retained", "text_notnull", "text_retained"):
        assert made.share(action) == 1, made.misses[:5]
    for subject in run.subjects[:6]:
        untouched = {case.stored.sop_instance: case.stored for case in subject}
        assert len(raw_hits(subject, untouched, Known())) == len(subject)


@pytest.mark.req("D-45")
def test_holding_everything_scores_badly(run: Run) -> None:
    made = score(run.cases, {})
    for action in ACTIONS:
        assert made.share(action) == float(action in WITHOUT_OBJECT)
    assert made.overall < 0.7


@pytest.mark.req("D-45")
def test_what_differs_from_one_object_to_the_next_is_seen(run: Run) -> None:
    some = [case for case in run.cases[:12] if case.stored.sop_instance in run.outputs]
    other, _ = outputs_of(some[:1], deidentifier(bytes(32)))
    mixed: dict[str, Stored] = {**run.outputs, **other}
    made = score(some, mixed)
    for action in ("uid_consistent", "patid_consistent", "date_shifted"):
        assert made.share(action) < 1, action


@pytest.mark.req("D-45", "D-48")
def test_the_score_is_above_the_bar(run: Run) -> None:
    made = run.score
    for action in ("text_removed", "uid_consistent", "patid_consistent", "pixels_hidden"):
        assert made.share(action) == 1, "\n".join([made.table, *made.misses[:30]])
    assert made.overall >= 0.999, "\n".join([made.table, *made.misses[:30]])


@pytest.mark.req("D-35", "D-45")
def test_pixels_outside_the_boxes_are_what_they_were(run: Run) -> None:
    assert run.score.share("pixels_retained") == 1, "\n".join(run.score.misses[:30])
    assert run.score.required["pixels_hidden"] > 80


def test_only_what_may_be_held_is_held(run: Run) -> None:
    for case in run.cases:
        if case.stored.sop_instance in run.held:
            assert case.kind.held, (case.name, run.held[case.stored.sop_instance])


@pytest.mark.req("D-42", "D-48")
def test_nothing_planted_stands_in_the_bytes_of_any_output(run: Run) -> None:
    hits = [hit for subject in run.subjects for hit in raw_hits(subject, run.outputs, run.known)]
    assert not hits, "\n".join(hits[:30])


@pytest.mark.req("D-44")
def test_file_meta_and_preamble_of_the_input_tell_who_it_is(run: Run) -> None:
    for subject in run.subjects[:6]:
        words, _ = planted(subject, subject[0].who)
        pattern = finder({form for word in words for form in encodings(word)}, set())
        for case in subject:
            assert pattern.search(case.file[: len(case.file) - len(case.stored.data_set)])


@pytest.mark.req("D-2", "D-46")
def test_order_does_not_matter_and_a_second_run_gives_the_same_bytes(run: Run) -> None:
    engine = deidentifier()
    again, _ = outputs_of(reversed(run.cases[:60]), engine)
    assert again == {uid: run.outputs[uid] for uid in again}


@pytest.mark.req("D-46")
def test_another_key_gives_other_uids_and_pseudonyms(run: Run) -> None:
    some = run.cases[:30]
    known = Known()
    outputs, _ = outputs_of(some, deidentifier(b"k" * 32))
    score(some, outputs, known)
    assert not set(known.uids.values()) & set(run.known.uids.values())
    assert not set(known.pseudonyms.values()) & set(run.known.pseudonyms.values())


def test_the_finder_finds_every_spelling() -> None:
    for text in (
        "born 17.03.1951",
        "03/17/1951.",
        "on 1951-03-17T",
        "(19510317)",
        "March 17, 1951",
    ):
        assert finder({b"abcdef"}, days("19510317")).search(text.encode()), text
        assert finder(set(), days("19510317")).search(text.encode("utf-16-le")), text
    assert not finder(set(), days("19510317")).search(b"2.25.88195103170001")
    word = finder(encodings("山川田"), set())
    for codec in ("utf-8", "utf-16-be", "iso2022_jp", "gb18030", "shift_jis"):
        assert word.search(b"xx" + "山川田".encode(codec)), codec


def test_a_broken_output_would_be_seen(run: Run) -> None:
    """The scan and the score do not only look where the engine looked."""
    case = next(case for case in run.cases if case.stored.sop_instance in run.outputs)
    output = run.outputs[case.stored.sop_instance]
    torn = replace(output, data_set=output.data_set + case.who.patient_id.encode("utf-16-le"))
    one = {case.stored.sop_instance: torn}
    assert raw_hits([case], one, run.known)
    assert Head.from_bytes(output.data_set, output.transfer_syntax).elements


@pytest.mark.req("D-42")
def test_verification_lets_outputs_pass_and_originals_not(run: Run) -> None:
    who = deidentifier()
    for case in [case for subject in run.subjects[:12] for case in subject]:
        output = run.outputs.get(case.stored.sop_instance)
        if output is None:
            continue
        found = who.treat(Head.from_bytes(case.stored.data_set, case.stored.transfer_syntax))
        assert isinstance(found, Deidentified)
        assert found.check is not None
        assert found.check.refusal(output.transfer_syntax, [output.data_set]) == "", case.name
        original = found.check.over(case.stored.transfer_syntax)
        original.feed(case.stored.data_set)
        assert len(original.faults()) > 5, case.name
