"""Values of masks that stand for no class: pixels that nobody has labelled, by convention 255 or a colour."""

from collections.abc import Sequence

_CODES = ("255", "65535")  # the largest value of 8 and of 16 bits
_COLOUR = "#e0e0c0"  # Pascal VOC's void
_SIDES = frozenset((0, 64, 128, 192))  # red, green and blue of its classes
_MOST_CODE = 64


def find_void(names: Sequence[str]) -> tuple[str, ...]:
    """The values that stand for no class by the usual conventions.

    They are 255 (of 16 bits 65535, too) beside at least two small codes, of which at least every other one is
    there (0, 1, 2 …), and Pascal VOC's colour for void beside its black and another of its colours.

    Arguments:
        names: of all values, as `MaskStore.classes_of` gives them.
    """
    if _COLOUR in names:
        others = [name for name in names if name != _COLOUR]
        of_voc = all(set(bytes.fromhex(_as_colour(name)[1:])) <= _SIDES for name in others)
        return (_COLOUR,) if of_voc and len(others) >= 2 and "0" in others else ()
    codes = small_codes(names)
    dense = len(codes) >= 2 and 2 * len(codes) > codes[-1]
    return tuple(name for name in names if name in _CODES) if dense else ()


def small_codes(names: Sequence[str]) -> list[int]:
    """The values beside 255 where all of them are small numbers, and 255 is there; else nothing."""
    others = [name for name in names if name not in _CODES]
    if len(others) == len(names) or not all(name.isdecimal() and int(name) < _MOST_CODE for name in others):
        return []
    return sorted(int(name) for name in others)


def _as_colour(name: str) -> str:
    return name if name.startswith("#") else f"#{int(name):02x}{int(name):02x}{int(name):02x}"
