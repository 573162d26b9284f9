"""The usual augmentation of training images and sounds: what fits their colours, size and number."""

from typing import Any

from handrail.shapes import ImageShape

_MANY = 200_000
_FEW = 5_000
_SMALL = 64
_CLASSES = ("binary", "multi-class", "multi-label")


def usual_augmentation(
    shape: ImageShape, rows: int, task: str, *, sounds: bool = False
) -> tuple[list[Any], str]:
    """The augmentations of a recipe that names none, and a sentence that says why.

    Only what leaves the answer alone is chosen: a moved digit is the same digit, a mirrored one may be none.

    Arguments:
        shape: of the images as the network gets them.
        rows: how many training images there are.
        task: `binary`, `multi-class`, `multi-label` …
        sounds: whether the images are spectrograms; the sentence then speaks of sounds.

    Returns: specifications such as `[{"shift": {"share": 0.08}}]`, and a sentence for the log and the report.
    """
    if task in ("mask", "boxes"):
        return [{"flip": {"direction": "both"}}], (
            "Augmentation: each training image is mirrored at random, sideways and upside down, with its "
            "masks or boxes; if up and down differ in meaning, say data.augment=[flip]."
        )
    one, where = ("sound", "time and pitch") if sounds else ("image", "place and size")
    if task not in _CLASSES:
        return [], (
            f"No augmentation: in the task '{task}' the answer may lie in {where}, and would have to change "
            f"with the {one}."
        )
    if rows > _MANY:
        return [], f"No augmentation: {rows:,} training {one}s differ enough by themselves."
    if sounds:
        return _of_sounds(shape)
    return _of_photos(shape, rows) if shape.channels == 3 else _of_greys(shape)


def _of_sounds(shape: ImageShape) -> tuple[list[Any], str]:
    """As of grey images, in the words of sounds."""
    changes, _ = _of_greys(shape)
    reason = "no flips, as a sound played backwards is another"
    if not changes:
        size = f"{shape.height} bands and {shape.width} steps"
        return [], f"No augmentation: in spectrograms of {size} each number counts; {reason}."
    return changes, (
        "Augmentation: each training sound is moved by up to 5 % of its length and of its range of pitch; "
        f"{reason}."
    )


def _of_greys(shape: ImageShape) -> tuple[list[Any], str]:
    reason = "no flips or turns, as a mirrored digit, letter or organ may be another"
    if min(shape.height, shape.width) < 12:
        size = f"{shape.height} × {shape.width}"
        return [], f"No augmentation: in images of {size} pixels each pixel counts; {reason}."
    why = f"Augmentation: each training image is moved by up to 5 % of its size; {reason}."
    return [{"shift": {"share": 0.05}}], why


def _of_photos(shape: ImageShape, rows: int) -> tuple[list[Any], str]:
    """Colour images are taken for photos, whose mirror image shows the same thing."""
    small = max(shape.height, shape.width) <= _SMALL
    padding = max(1, round(min(shape.height, shape.width) / 8))
    changes: list[Any] = ["flip", {"crop": {"padding": padding}} if small else "resized_crop"]
    cut = f"moved by up to {padding} pixels" if small else "cropped to a part of it"
    light = ""
    if rows < _FEW:
        changes.append("colour")
        light = f", in changing light, as there are only {rows:,}"
    return changes, (
        f"Augmentation: each training image is mirrored at random and {cut}{light}; if left and right differ "
        "in meaning (signs, text), leave the flip out."
    )
