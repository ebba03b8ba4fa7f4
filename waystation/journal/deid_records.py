"""Reports of de-identification, and what persons decided about it: an append-only chain (D-40).

Contract: a report is written in the transaction that keeps the treatments it tells of, so that
there is neither without the other.  Each record holds the digest of the one before; nothing here
changes or removes one.  No record holds an original value.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import treatments
from waystation.journal.treatments import Key, Treatment
from waystation.transforms.deid.study_report import FIRST, StudyReport, first_broken, merged, sealed

REPORT, APPROVAL, REJECTION, LOOKUP, EXPORT = "report", "approval", "rejection", "lookup", "export"
WITHDRAWAL = "withdrawal"
PAGE = 1000


def append(
    transaction: Transaction, kind: str, study: str, content: Mapping[str, Any], now: float
) -> None:
    """Add one record behind the last one."""
    last = transaction.one("SELECT number, digest FROM deid_record ORDER BY number DESC LIMIT 1")
    number, previous = (int(last[0]) + 1, str(last[1])) if last is not None else (1, FIRST)
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    whole = sealed({"kind": kind, "at": at, **content}, previous)
    transaction.run(
        "INSERT INTO deid_record (number, at, kind, study, text, digest)"
        " VALUES (:number, :at, :kind, :study, :text, :digest)",
        {
            "number": number,
            "at": now,
            "kind": kind,
            "study": study,
            "text": json.dumps(whole, separators=(",", ":")),
            "digest": whole["digest"],
        },
    )


def keep(made: Sequence[Treatment], digests: Mapping[Key, str], now: float) -> Job[list[Treatment]]:
    """Write treatments and the reports of the studies they belong to.

    digests: SHA-256 of what was received.  Returns what stands there now, in the same order.
    """
    keeping = treatments.keep(made)
    reports = _reports(made, digests)

    def job(transaction: Transaction) -> list[Treatment]:
        there = treatments.known([one.key for one in made])(transaction) if reports else {}
        stands = keeping(transaction)
        fresh = reports
        if there:
            fresh = _reports([one for one in made if one.key not in there], digests)
        for report in fresh:
            append(transaction, REPORT, report.study, report.as_dict(), now)
        return stands

    return job


def _reports(made: Iterable[Treatment], digests: Mapping[Key, str]) -> list[StudyReport]:
    found: dict[tuple[str, str], StudyReport] = {}
    for one in made:
        if not one.deidentified:
            continue
        report = found.setdefault((one.study, one.deidentified), StudyReport(study=one.study))
        report.add(json.loads(one.report or "{}"), (digests.get(one.key, ""), one.sha256))
    return list(found.values())


def report_of(study: str) -> Job[dict[str, Any] | None]:
    """Read what was done to a study, by its original or its new UID; None if nothing was.

    ``held``: what is held now, by reason.  ``decisions``: of persons.
    """

    def job(transaction: Transaction) -> dict[str, Any] | None:
        names = {study, *_new_names(transaction, study)}
        parts: list[dict[str, Any]] = []
        decisions: list[dict[str, Any]] = []
        for name in sorted(names):
            rows = transaction.rows(
                "SELECT kind, text FROM deid_record WHERE study = :study ORDER BY number",
                {"study": name},
            )
            for kind, text in rows:
                (parts if kind == REPORT else decisions).append(json.loads(text))
        held = _held(transaction, study)
        if not parts and not decisions and not held:
            return None
        profiles = dict.fromkeys((one["study"], one["profile"]) for one in parts)
        return {
            "reports": [
                merged(one for one in parts if (one["study"], one["profile"]) == profile)
                for profile in profiles
            ],
            "decisions": decisions,
            "held": held,
            "records": [one["digest"] for one in (*parts, *decisions)],
        }

    return job


def _new_names(transaction: Transaction, study: str) -> list[str]:
    rows = transaction.rows(
        "SELECT DISTINCT t.study FROM treatment t JOIN arrival a ON a.id = t.arrival"
        " WHERE a.study = :study AND t.deidentified <> ''",
        {"study": study},
    )
    return [str(row[0]) for row in rows]


def _held(transaction: Transaction, study: str) -> dict[str, int]:
    rows = transaction.rows(
        "SELECT d.why, count(*) FROM delivery d WHERE d.study = :study AND d.state = 'held'"
        " AND d.hold_reason IN ('deid-failed', 'not-deidentified') GROUP BY d.why ORDER BY d.why",
        {"study": study},
    )
    return {str(why): int(number) for why, number in rows}


def broken_link() -> Job[int | None]:
    """Read the whole chain; return the number of the first record that does not fit, or None."""

    def job(transaction: Transaction) -> int | None:
        previous, after = FIRST, 0
        while True:
            rows = transaction.rows(
                "SELECT number, text FROM deid_record WHERE number > :after ORDER BY number"
                " LIMIT :page",
                {"after": after, "page": PAGE},
            )
            if not rows:
                return None
            records = [json.loads(text) for _, text in rows]
            numbers = [int(number) for number, _ in rows]
            broken = first_broken(records, previous)
            gaps = (at for at, number in enumerate(numbers) if number != after + at + 1)
            places = [place for place in (broken, next(gaps, None)) if place is not None]
            if places:
                return numbers[min(places)]
            previous, after = records[-1]["digest"], numbers[-1]

    return job


# decisions


def decide(
    names: tuple[str, str],
    profile: str,
    what: str,
    said: tuple[bool | None, str, str],
    now: float,
    device: str = "",
) -> Job[list[str]]:
    """Write what a person decided: approved or not, who, and why.

    names: of the study, as it came in and as the outputs call it.  Returns the ids of what is
    held of it; letting that go is another decision.  What was treated of the study before is not
    sent again as it is: the step runs anew, by what was decided now.
    approved None: an earlier decision is taken back.  device: a rule for the device whose pixels
    were approved (D-43).
    """
    approved, by, because = said
    study, new_name = names
    kinds = {True: APPROVAL, False: REJECTION, None: WITHDRAWAL}

    def job(transaction: Transaction) -> list[str]:
        values = {"study": study, "profile": profile, "what": what}
        transaction.run(
            "DELETE FROM deid_approval WHERE study = :study AND profile = :profile"
            " AND what = :what",
            values,
        )
        if approved is not None:
            transaction.run(
                "INSERT INTO deid_approval (study, profile, what, approved, by_user, because, at)"
                " VALUES (:study, :profile, :what, :approved, :by, :because, :at)",
                values | {"approved": int(approved), "by": by, "because": because, "at": now},
            )
        transaction.run(
            "UPDATE treatment SET tools = tools || :until WHERE arrival IN"
            " (SELECT id FROM arrival WHERE study = :study)"
            " AND substr(deidentified, 1, length(:mark)) = :mark AND (head <> :none OR blob <> '')",
            {"study": study, "mark": f"{profile} ", "until": f" until {now}", "none": b""},
        )
        content = {"profile": profile, "what": what, "by": by, "because": because}
        content |= {"device": device} if device else {}
        append(transaction, kinds[approved], new_name, content, now)
        rows = transaction.rows(
            "SELECT id FROM delivery WHERE study = :study AND state = 'held'"
            " AND hold_reason = 'deid-failed' ORDER BY id",
            {"study": study},
        )
        return [f"{int(row[0]):x}" for row in rows]

    return job


def decisions_of(study: str, profile: str) -> Job[dict[str, bool]]:
    """Read what persons decided about a study, by its original UID: what → approved."""

    def job(transaction: Transaction) -> dict[str, bool]:
        rows = transaction.rows(
            "SELECT what, approved FROM deid_approval WHERE study = :study AND profile = :profile",
            {"study": study, "profile": profile},
        )
        return {str(what): bool(approved) for what, approved in rows}

    return job


def looked_up(kind: str, content: Mapping[str, Any], now: float) -> Job[None]:
    """Write that somebody asked who is behind a pseudonym (D-30)."""
    return lambda transaction: append(transaction, kind, "", content, now)


def allocate(project: str, patient: bytes, envelope: bytes, now: float) -> Job[int]:
    """Return the number of a patient in a project, the next one if they had none.

    patient: keyed digest of the identity.  envelope: the identity, encrypted.
    """

    def job(transaction: Transaction) -> int:
        values = {"project": project, "patient": patient}
        row = transaction.one(
            "SELECT number FROM deid_pseudonym WHERE project = :project AND patient = :patient",
            values,
        )
        if row is not None:
            return int(row[0])
        last = transaction.one(
            "SELECT max(number) FROM deid_pseudonym WHERE project = :project", values
        )
        number = int(last[0] or 0) + 1 if last is not None else 1
        transaction.run(
            "INSERT INTO deid_pseudonym (project, patient, number, sealed, at)"
            " VALUES (:project, :patient, :number, :sealed, :at)",
            values | {"number": number, "sealed": envelope, "at": now},
        )
        return number

    return job


def number_of(project: str, patient: bytes) -> Job[int]:
    """Read the number of a patient in a project, 0 if they have none; patient: as `allocate`."""

    def job(transaction: Transaction) -> int:
        row = transaction.one(
            "SELECT number FROM deid_pseudonym WHERE project = :project AND patient = :patient",
            {"project": project, "patient": patient},
        )
        return int(row[0]) if row is not None else 0

    return job


def allocated(project: str, number: int | None = None) -> Job[list[tuple[int, bytes]]]:
    """Read numbers and sealed identities of a project: one, or all in order."""

    def job(transaction: Transaction) -> list[tuple[int, bytes]]:
        rows = transaction.rows(
            "SELECT number, sealed FROM deid_pseudonym WHERE project = :project"
            " AND (:number = 0 OR number = :number) ORDER BY number",
            {"project": project, "number": number or 0},
        )
        return [(int(row[0]), bytes(row[1])) for row in rows]

    return job
