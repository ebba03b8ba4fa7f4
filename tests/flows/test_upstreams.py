"""All PACS of a node: changed on reload, probed beside the rest, written down if they differ."""

import asyncio

import pytest

from tests.flows.inquiring import ID, fails, found, query
from tests.flows.rig import Rig
from tests.flows.scripted_pacs import HOST, STUDY, ScriptedPacs, running, until
from tests.objects.samples import study
from tests.web.sources import studies
from tests.web.sources import study as row
from waystation.app.people import People
from waystation.app.upstreaming import Upstreaming, pacs_figures
from waystation.db.statement import Transaction
from waystation.dicom.uids import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from waystation.flows.upstreams import Upstreams
from waystation.index.cached_studies import complete
from waystation.model.errors import ConfigError
from waystation.web.metrics import Figures, metrics_text


async def test_a_pacs_that_did_not_change_keeps_its_associations() -> None:
    async with running(ScriptedPacs(studies(row("1.1", "P", "20200101")))) as pacs:
        upstreams = Upstreams({"old": pacs.terms()})
        one = upstreams.get("old")
        assert one is not None
        await found(one, query("STUDY", {ID: ""}))
        upstreams.change({"old": pacs.terms(), "other": pacs.terms("other", federate=False)})
        assert upstreams.get("old") is one
        assert [each.name for each in upstreams.federated] == ["old"]
        await found(one, query("STUDY", {ID: ""}))
        assert pacs.associations == 1
        upstreams.change({"old": pacs.terms(find_max=7)})
        assert upstreams.get("old") is not one
        assert upstreams.get("other") is None
        belt = asyncio.create_task(upstreams.run())
        await until(lambda: pacs.open_now == 0)
        belt.cancel()
        await upstreams.close()


@pytest.mark.req("W-129")
async def test_what_a_pacs_serves_is_probed_and_who_turns_us_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from waystation.wire.items import AssociateReject

    monkeypatch.setattr("waystation.flows.upstreams.LOOKS_S", (0.02,))
    async with running(ScriptedPacs(reject=AssociateReject(1, 1, 3))) as pacs:
        upstreams = Upstreams({"old": pacs.terms()})
        one = upstreams.get("old")
        assert one is not None
        belt = asyncio.create_task(upstreams.run())
        await until(lambda: pacs.calls > 1)
        assert one.abilities is None
        assert one.down is None, "it is there"
        pacs.reject = None
        await until(lambda: one.abilities)
        assert one.abilities == {STUDY_ROOT_FIND, PATIENT_ROOT_FIND}
        belt.cancel()
        await upstreams.close()


@pytest.mark.req("W-127")
async def test_a_study_of_two_patients_is_in_the_audit_trail(rig: Rig) -> None:
    own = study(1, "own")
    uid = "1.2.826.0.1"
    behind = ScriptedPacs(studies(row(uid, "P1", "20200101")))
    other = ScriptedPacs(studies(row(uid, "P2", "20200101")))
    async with running(behind) as old, running(other) as new:
        rig.makers = (People, Upstreaming)
        await rig.start(
            "".join(
                f'[pacs.{name}]\nae_title = "OLDPACS"\nhost = "{HOST}"\nport = {port}\n'
                for name, port in (("old", old.port), ("new", new.port))
            )
        )
        await rig.send(*own)
        people, annex = rig.node.annexes.of(People), rig.node.annexes.of(Upstreaming)
        annex.trail = people.trail
        for _ in range(2):
            outcome = await annex.federation.search(query("STUDY", {STUDY: uid, ID: ""}))
            assert outcome.warnings == ["sources new and old name different patients for one study"]
        await rig.node.database.write(lambda _transaction: None)
        rows = await rig.rows("SELECT what FROM audit ORDER BY number")
        told = [text for (text,) in rows if "differs_at" in str(text)]
        assert len(told) == 1, "once is enough for a while"
        assert uid in str(told[0])
        # A reload changes whom it asks.
        settings = rig.settings(
            f'[pacs.new]\nae_title = "OLDPACS"\nhost = "{HOST}"\nport = {new.port}\n'
        )
        await rig.node.reload(settings)
        assert [one.name for one in annex.upstreams] == ["new"]
        tls = '[pacs.new]\nae_title = "A"\nhost = "h"\ntls = { ca = "ca.pem" }\n'
        (rig.folder / "ca.pem").write_text("none")
        with pytest.raises(ConfigError, match=r"ca\.pem"):
            await rig.node.reload(rig.settings(tls))
        assert [one.name for one in annex.upstreams] == ["new"]
        await rig.stop()


@pytest.mark.req("W-128")
async def test_what_lies_complete_in_the_cache_is_known(rig: Rig) -> None:
    await rig.start("")

    def put(transaction: Transaction) -> None:
        for number, (study_uid, series, state) in enumerate(
            (("1.1", "", "complete"), ("1.2", "", "incomplete"), ("1.3", "1.3.1", "complete"))
        ):
            transaction.run(
                "INSERT INTO cache_entry (id, source, study, read_at) VALUES (:i, 'old', :s, 0)",
                {"i": number, "s": study_uid},
            )
            transaction.run(
                "INSERT INTO cache_scope (entry, series, state, verified, n, checked_at)"
                " VALUES (:i, :e, :t, 'uids', 1, 0)",
                {"i": number, "e": series, "t": state},
            )

    await rig.node.database.write(put)
    asked = ["1.1", "1.2", "1.3", "1.4"]
    assert await rig.node.database.read(complete("old", asked)) == {"1.1"}
    assert await rig.node.database.read(complete("new", asked)) == set()
    await rig.stop()


@pytest.mark.req("W-135")
async def test_searches_of_a_pacs_are_counted_by_their_ends(rig: Rig) -> None:
    async with running(ScriptedPacs(studies(row("1.1", "P", "20200101")))) as old:
        rig.makers = (Upstreaming,)
        await rig.start(f'[pacs.old]\nae_title = "OLDPACS"\nhost = "{HOST}"\nport = {old.port}\n')
        one = rig.node.annexes.of(Upstreaming).upstreams.get("old")
        assert one is not None
        await found(one, query("STUDY", {ID: ""}))
        old.answer = lambda head: [0xA700]
        await fails(one)
        text = metrics_text(Figures(pacs=pacs_figures(rig.node))).decode()
        for line in (
            'waystation_pacs_searches_total{pacs="old",status="ok"} 1.0',
            'waystation_pacs_searches_total{pacs="old",status="503"} 1.0',
            'waystation_pacs_associations{pacs="old",state="idle"} 1.0',
            'waystation_pacs_associations{pacs="old",state="in use"} 0.0',
            'waystation_pacs_down{pacs="old"} 0.0',
            'waystation_pacs_search_seconds_count{pacs="old"} 2.0',
        ):
            assert line in text
        await rig.stop()
