"""What HL7 messages do to the worklist, inside one transaction (T-60).

Contract: a message is absorbed into what was said before of its order or patient, and the steps are
brought to what is said now.  So late messages, and messages out of order, end in the same steps.  A
step is told only what changed of what is said, so that what a person edited stays until the sender
says something else about that very attribute.  Steps that are over, and deleted ones, are left as
they are.  Each effect is a sentence without a value of the message.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from waystation.dicom.tags import tag_for, vr_of
from waystation.hl7.errors import DUPLICATE_KEY, Hl7Error
from waystation.hl7.mapping import Given, Value
from waystation.hl7.news import EndNews, Item, MergeNews, OrderNews, PatientKey, PatientNews
from waystation.hl7.registers import Order, Patient, Registers, absorb, difference, joined, plain
from waystation.index.step_book import StepBook
from waystation.journal import hl7_orders
from waystation.matching.entry import flat
from waystation.model.step import LISTED, Author, Step, StepDraft, StepRefused, StepState

OPEN: Final = LISTED | {StepState.STARTED}
OF_ORDER: Final = ("StudyInstanceUID", "AccessionNumber", "RequestedProcedureID")
MADE: Final = (*OF_ORDER, "ScheduledProcedureStepID")
TARGETS: Final = {
    "open": StepState.SCHEDULED,
    "cancel": StepState.CANCELLED,
    "discontinue": StepState.DISCONTINUED,
    "complete": StepState.COMPLETED,
    "start": StepState.STARTED,
}
LONGEST_CHAIN: Final = 16
STATE: Final = "PatientState"


@dataclass(slots=True, kw_only=True)
class Effects:
    """One message at work.

    at: MSH-7 to sort by.  next_id: of orders.  area: of new steps.  ended: what the end of a visit
    does, ``flag`` or ``cancel``.  said: the effects so far.
    """

    book: StepBook
    author: Author
    at: str
    now: float
    next_id: Callable[[], int]
    area: str = ""
    ended: str = "flag"
    said: list[str] = field(default_factory=list)

    def carry_out(self, news: Iterable[Item]) -> list[str]:
        """Do what the message says; return the effects."""
        for item in news:
            match item:
                case OrderNews():
                    self._order(item)
                case PatientNews():
                    self._patient(item)
                case MergeNews():
                    self._merge(item)
                case EndNews():
                    self._end(item)
        return self.said or ["nothing to do"]

    # orders

    def _order(self, news: OrderNews) -> None:
        known = hl7_orders.order_ids(self.book.transaction, news.keys)
        order = self._read(known[0]) if known else Order()
        self._refuse_another(news, order)
        doubles: set[int] = set()
        for number in known[1:]:
            other = self._read(number)
            self._refuse_another(news, other)
            order.join(other)
            doubles |= set(other.rows.values())
            hl7_orders.drop_order(self.book.transaction, number)
        order.absorb(news, self.at)
        if not order.rows:
            self._adopt_steps(order)
        self._say_cut(news)
        self._bring(known[0] if known else self.next_id(), order)
        for row in sorted(doubles - set(order.rows.values())):
            self._drop_double(row)
        if not order.wanted:
            self.said.append("the order is not known yet; what was said of it is remembered")

    def _refuse_another(self, news: OrderNews, order: Order) -> None:
        """Raise `Hl7Error` if a number that is known is the one of another patient's order.

        A message that changes an order may name another patient: so a wrong one is mended.
        """
        said = news.common.get("PatientID")
        if said is None or not said.value or not order.patient.id or news.verb == "change":
            return
        patients = (order.patient.id, self._patient_of(order)[0].id)
        if self.at >= order.patient_said_at and said.value not in patients:
            text = "another patient's order has this number"
            raise Hl7Error("ORC-2", text, DUPLICATE_KEY)

    def _drop_double(self, row: int) -> None:
        """Cancel a step that was made for an order under another number of it."""
        step = self.book.get(row)
        if step is not None and step.deleted_at is None and step.state in LISTED:
            why = "the same order under another number"
            self.book.move(row, StepState.CANCELLED, self.author, why)
            self.said.append(f"step {row} cancelled: {why}")

    def _read(self, order_id: int) -> Order:
        return Order.read(hl7_orders.order_text(self.book.transaction, order_id))

    def _adopt_steps(self, order: Order) -> None:
        """Take over steps of this order that came another way, a file or a form."""
        found: dict[int, Step] = {}
        for key in order.keys:
            number = key[2:].partition("^")[0]
            steps: list[Step] = []
            if key[0] == "p":
                steps = self.book.find(placer=number)
            elif key[0] == "f":
                steps = self.book.find(filler=number)
            found |= {step.id: step for step in steps if self._fits(order, step)}
        if len(found) > 1 and not order.steps:
            # The message names none of them: it speaks of each.
            order.steps = {step.step_id: {} for step in found.values()}
        for step in found.values():
            name = step.step_id if step.step_id in order.steps else ""
            order.rows.setdefault(name, step.id)
        order.wanted |= bool(order.rows)
        order.adopt()

    def _fits(self, order: Order, step: Step) -> bool:
        patients = (order.patient.id, self._patient_of(order)[0].id)
        return step.patient_id in patients and step.state in OPEN

    def _say_cut(self, news: OrderNews) -> None:
        parts = [news.common, *(step.values for step in news.steps)]
        cut = {word for part in parts for word, given in part.items() if given.cut}
        if cut:
            self.said.append(f"too long and cut: {', '.join(sorted(cut))}")

    def _bring(self, order_id: int, order: Order) -> None:
        """Bring the steps of an order to what is said of it."""
        order.adopt()
        key, patient = self._patient_of(order)
        for name, registers in order.steps_of(patient).items():
            row = order.rows.get(name)
            if row is None:
                self._make(order, name, registers)
            else:
                self._tell(order, name, row, registers)
            self._move(order, name)
        hl7_orders.put_order(
            self.book.transaction, order_id, order.keys, str(key), order.text(), self.now
        )

    def _make(self, order: Order, name: str, registers: Registers) -> None:
        values = plain(registers)
        kept = {word: value for word, value in values.items() if value}
        for row in order.rows.values():
            # The steps of one order are one study.
            sibling = self.book.get(row)
            there = flat(sibling.data) if sibling else {}
            kept = {word: there[word][0] for word in OF_ORDER if there.get(word)} | kept
            break
        draft = StepDraft(values=_values(kept), area=self.area)
        step = self.book.add(draft, self.author)
        order.rows[name], order.told[name] = step.id, values
        self.said.append(f"step {step.id} made")

    def _tell(self, order: Order, name: str, row: int, registers: Registers) -> None:
        before, after = order.told.get(name, {}), plain(registers)
        changed = difference(before, after)
        step = self.book.get(row)
        if not changed or step is None:
            return
        if step.deleted_at is not None or step.state not in OPEN:
            word = "deleted" if step.deleted_at is not None else step.state.value
            self.said.append(f"step {row} is {word} and stays as it is")
            return
        order.told[name] = after
        self._change(step, {w: v for w, v in changed.items() if not self._is_ours(step, w, before)})

    def _is_ours(self, step: Step, word: str, told: Mapping[str, Value]) -> bool:
        """Tell whether a step has an id that this node made, or another source gave (T-54)."""
        if word not in MADE or told.get(word) or not flat(step.data).get(word):
            return False
        self.said.append(f"step {step.id} keeps its {word}")
        return True

    def _change(self, step: Step, values: Mapping[str, Value], why: str = "") -> None:
        there = flat(step.data)
        changed = {
            word: value
            for word, value in values.items()
            if not isinstance(value, str) or (there.get(word) or ("",))[0] != value
        }
        if not changed:
            return
        after = self.book.change(step.id, _values(changed), None, self.author, why)
        if after.version != step.version:
            self.said.append(f"step {step.id} changed: {', '.join(sorted(changed))}")

    def _move(self, order: Order, name: str) -> None:
        """Bring a step to the state that was said last, once."""
        verb, row = order.verb[1], order.rows[name]
        put = order.put.setdefault(name, "open")
        step, target = self.book.get(row), TARGETS.get(verb)
        if verb == put or step is None or target is None or step.deleted_at is not None:
            return
        if target is StepState.CANCELLED and step.state not in LISTED:
            self.said.append(f"step {row} is {step.state.value} and was not cancelled")
            if step.state is not StepState.STARTED:
                order.put[name] = verb
            # One that is under way may come back onto the list, and is cancelled then.
            return
        order.put[name] = verb
        if target is StepState.SCHEDULED and step.state is not StepState.CANCELLED:
            return
        try:
            self.book.move(row, target, self.author)
        except StepRefused as refused:
            self.said.append(f"step {row}: {refused}")
            return
        if step.state is not target:
            self.said.append(f"step {row} {target.value}")

    # patients

    def _patient_of(self, order: Order) -> tuple[PatientKey, Patient]:
        """Return whose order it is, merges followed, and what is said of that patient."""
        key, at = order.patient, order.patient_said_at
        for _ in range(LONGEST_CHAIN):
            found = self._known(key)
            if found.into is None or found.into[0] < at:
                break
            at, key = found.into[0], PatientKey(*found.into[1:])
        return key, self._known(key)

    def _known(self, key: PatientKey) -> Patient:
        """Return what is said of a patient; under the ID alone too, as not all name an issuer."""
        transaction = self.book.transaction
        texts = [hl7_orders.patient_text(transaction, str(key))]
        if key.issuer:
            texts.append(hl7_orders.patient_text(transaction, key.id))
        elif key.id:
            others = hl7_orders.keys_like(transaction, f"{key.id}^")
            if len(others) == 1:
                texts.append(hl7_orders.patient_text(transaction, others[0]))
        known = [Patient.read(text) for text in texts if text]
        if len(known) < 2:
            return known[0] if known else Patient()
        into = max((one.into for one in known if one.into), default=None)
        return Patient(joined(*(one.said for one in known)), into)

    def _patient(self, news: PatientNews) -> None:
        self._learn(news.patient, news.values)
        self._bring_all([news.patient])
        fresh = self._fresh(news.patient)
        for step in self._others(news.patient):
            self._change(step, fresh)

    def _learn(self, key: PatientKey, values: Mapping[str, Given]) -> None:
        transaction = self.book.transaction
        text = hl7_orders.patient_text(transaction, str(key))
        patient = Patient.read(text) if text else Patient()
        absorb(patient.said, values, self.at)
        hl7_orders.put_patient(transaction, str(key), patient.text(), self.now)

    def _fresh(self, key: PatientKey) -> dict[str, Value]:
        """Return what this very message says last of a patient."""
        text = hl7_orders.patient_text(self.book.transaction, str(key))
        said = Patient.read(text).said if text else {}
        return {word: value for word, (at, value, _) in said.items() if at == self.at}

    def _bring_all(self, patients: Sequence[PatientKey]) -> None:
        names = {name for key in patients for name in (str(key), key.id)}
        for order_id in hl7_orders.orders_of(self.book.transaction, sorted(names)):
            self._bring(order_id, self._read(order_id))

    def _others(self, key: PatientKey) -> list[Step]:
        """Return the open steps of a patient that belong to no order that is known."""
        found = self.book.find(patient_id=key.id, states=tuple(OPEN))
        known = hl7_orders.orders_of(self.book.transaction, sorted({str(key), key.id}))
        bound = {row for number in known for row in self._read(number).rows.values()}
        return [step for step in found if step.id not in bound and _same(step, key)]

    def _merge(self, news: MergeNews) -> None:
        transaction = self.book.transaction
        steps = self._others(news.old)
        text = hl7_orders.patient_text(transaction, str(news.old))
        old = Patient.read(text) if text else Patient()
        old.merge(news.into, self.at)
        hl7_orders.put_patient(transaction, str(news.old), old.text(), self.now)
        self._learn(
            news.into,
            {
                "PatientID": Given(news.into.id, "PID-3.1"),
                "IssuerOfPatientID": Given(news.into.issuer, "PID-3.4"),
            },
        )
        self._bring_all([news.old, news.into])
        is_last = old.into is not None and old.into[0] == self.at
        for step in steps if is_last else ():
            self._change(step, self._fresh(news.into), "patients were merged (A40)")

    def _end(self, news: EndNews) -> None:
        for step in self.book.find(patient_id=news.patient.id, states=tuple(LISTED)):
            stay = (flat(step.data).get("AdmissionID") or ("",))[0]
            is_other = bool(stay and news.admission and stay != news.admission)
            if is_other or not _same(step, news.patient):
                continue
            if self.ended == "cancel":
                self.book.move(step.id, StepState.CANCELLED, self.author, news.why)
                self.said.append(f"step {step.id} cancelled")
            else:
                self._change(step, {STATE: news.why}, news.why)


def _same(step: Step, key: PatientKey) -> bool:
    """Tell whether a step is of this patient: the issuers are equal where both name one."""
    issuer = (flat(step.data).get("IssuerOfPatientID") or ("",))[0]
    return not issuer or not key.issuer or issuer == key.issuer


def _values(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return values as a step takes them; a sequence that is taken away has no items."""
    return {
        word: () if not value and vr_of(tag_for(word)) == "SQ" else value
        for word, value in values.items()
    }
