"""Which UIDs an edit gives anew: those of study, series and instance, and references to them."""

# Study, Series and SOP Instance UID, and everything that refers to one of them (PS3.6).
_MAPPED = frozenset(
    {
        *(0x00080018, 0x0020000D, 0x0020000E),  # of the object itself
        *(0x00080058, 0x00081155, 0x00081167, 0x00083001, 0x00089124, 0x00041511),
        *(0x00200242, 0x00209161, 0x00400554, 0x0040A171, 0x0040A124, 0x0040DB0C, 0x00880140),
    }
)


def is_mapped(tag: int) -> bool:
    """Tell whether an element names a study, a series or an instance."""
    return tag in _MAPPED
