"""The de-identifier."""

from waystation.dicom.head import Head
from waystation.transforms.deid.pseudonyms import Patient
from waystation.transforms.deid.result import NO_FACTS, Deidentified, DeidFacts, Held


class Deidentifier:
    """One profile with its keys."""

    def patient(self, head: Head) -> Patient | None:
        """Return whom a table or the journal is asked about; None if the profile asks nobody."""
        raise NotImplementedError

    def treat(self, head: Head, facts: DeidFacts = NO_FACTS) -> Deidentified | Held:
        """Return the object without identity, or why it is held."""
        raise NotImplementedError
