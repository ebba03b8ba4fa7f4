"""Invented persons: names in six character sets, numbers, addresses, dates, UIDs.

Contract: `person` is a pure function of its number.  Everything that would tell who it is stands in
`Person.tokens`, long enough that it occurs nowhere by chance.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from tests.objects.phi import SEED

ROOT = "1.2.826.0.1.3680043.10.1471.77"
LATIN = [
    *("bra", "dun", "vel", "kor", "mis", "tar", "lem", "ost", "fir", "gan"),
    *("hul", "jep", "nox", "pim", "rud", "sev", "tol", "wex", "yar", "zib"),
]
ACCENTED = [
    *("brä", "dün", "vél", "kör", "mîs"),
    *("tår", "lèm", "øst", "fïr", "gañ", "hûl"),
]
CYRILLIC = [
    *("бра", "дун", "вел", "кор", "мис", "тар", "лем", "ост"),
    *("фир", "ган", "хул", "жеп", "нокс", "пим", "руд", "сев", "тол"),
]
KANJI = "山川田中村上木下石本林森野原松竹井口高橋"
KANA = "やまどるたりもけせてねへめれ"
HAN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"

UID_KINDS = [
    *("study", "series", "instance", "frame", "source"),
    *("private", "signature", "unlisted", "content"),
]

# name in a report → Specific Character Set
CHARSETS = {
    "ascii": "",
    "latin1": "ISO_IR 100",
    "cyrillic": "ISO_IR 144",
    "utf8": "ISO_IR 192",
    "japanese": "\\ISO 2022 IR 87",
    "chinese": "GB18030",
}


@dataclass(frozen=True, slots=True)
class Person:
    """One invented subject.  names: of people around it, as PN values, by their part in it."""

    number: int
    charset: str
    name: str
    birth: str
    patient_id: str
    other_id: str
    issuer: str
    accession: str
    study_id: str
    address: str
    phone: str
    mail: str
    institution: str
    serial: str
    names: dict[str, str]
    dates: tuple[str, ...]

    @property
    def family(self) -> str:
        """The family name in the subject's own letters."""
        return self.name.partition("=")[0].partition("^")[0]

    @property
    def native(self) -> str:
        """The last word of the name, in the letters that are least like ASCII."""
        return parts(self.name)[-1]

    @property
    def given(self) -> str:
        return self.name.partition("=")[0].partition("^")[2]

    @property
    def tokens(self) -> tuple[str, ...]:
        """Everything that tells who it is, dates and UIDs aside."""
        names = [part for pn in (self.name, *self.names.values()) for part in parts(pn)]
        rest = (self.patient_id, self.other_id, self.accession, self.study_id, self.phone)
        digits = "".join(letter for letter in self.phone if letter.isdigit())
        places = (self.institution, self.address, self.mail, self.serial, digits)
        return tuple(dict.fromkeys([*names, *rest, *places]))

    def uid(self, kind: str, number: int = 0) -> str:
        """Return a UID of this subject: study, series, instance, frame, ..."""
        return f"{ROOT}.{self.number + 1}.{UID_KINDS.index(kind) + 1}.{number + 1}"

    def date(self, number: int) -> str:
        """Return one of its dates, YYYYMMDD."""
        return self.dates[number % len(self.dates)]


def parts(name: str) -> list[str]:
    """Return the words of a PN value, in all its representations."""
    return [word for group in name.split("=") for word in group.split("^") if len(word) > 1]


def person(number: int) -> Person:
    """Return the subject of that number."""
    random = Random(f"{SEED}/{number}")
    kind = list(CHARSETS)[number % len(CHARSETS)]
    serial = f"{number:04d}{random.randrange(10**6):06d}"
    first = date(2014, 1, 1) + timedelta(days=random.randrange(1500))
    days = sorted(random.sample(range(400), 10))
    return Person(
        number=number,
        charset=CHARSETS[kind],
        name=_name(random, kind),
        birth=(date(1931, 1, 1) + timedelta(days=random.randrange(25000))).strftime("%Y%m%d"),
        patient_id=f"PX{serial}",
        other_id=f"OLD-{serial[::-1]}",
        issuer="HOSPITAL-A",
        accession=f"ACC{random.randrange(10**9):09d}",
        study_id=f"ST{random.randrange(10**8):08d}",
        address=f"{_word(random, LATIN, 3)} Lane {random.randrange(100, 999)}",
        phone=f"+49 30 {random.randrange(10**3):03d} {random.randrange(10**5):05d}",
        mail=f"{_word(random, LATIN, 3).lower()}@{_word(random, LATIN, 2).lower()}.example",
        institution=f"{_word(random, LATIN, 4)} Clinic",
        serial=f"SN{random.randrange(10**9):09d}",
        names={
            role: _name(random, "ascii")
            for role in ("referring", "performing", "operator", "reading", "requesting")
        },
        dates=tuple((first + timedelta(days=day)).strftime("%Y%m%d") for day in days),
    )


def _word(random: Random, syllables: list[str], count: int) -> str:
    return "".join(random.choice(syllables) for _ in range(count)).capitalize()


def _name(random: Random, kind: str) -> str:
    def pair(syllables: list[str]) -> str:
        return f"{_word(random, syllables, 3)}^{_word(random, syllables, 2)}"

    if kind == "japanese":
        kanji = "".join(random.sample(KANJI, 3)) + "^" + "".join(random.sample(KANJI, 3))
        kana = "".join(random.sample(KANA, 4)) + "^" + "".join(random.sample(KANA, 4))
        return f"{pair(LATIN)}={kanji}={kana}"
    if kind == "chinese":
        return f"{pair(LATIN)}={''.join(random.sample(HAN, 3))}^{''.join(random.sample(HAN, 3))}"
    return pair({"latin1": ACCENTED, "cyrillic": CYRILLIC, "utf8": CYRILLIC}.get(kind, LATIN))
