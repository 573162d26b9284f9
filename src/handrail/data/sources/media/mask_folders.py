"""Folders of masks that would pass for classes: the same names in all, and few values in all but one."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from handrail.data.sources.media.mask_pairs import match
from handrail.data.stores.pixels.decode import UnreadableError, look, open_picture
from handrail.errors import DataError
from handrail.tools.words import list_some

IMAGE_FOLDERS = ("image", "images", "img", "imgs", "photos", "pictures", "frames", "jpegimages")
MASK_FOLDERS = (
    *("label", "labels", "mask", "masks", "annotation", "annotations", "segmentation", "segmentations"),
    *("seg", "trimap", "trimaps", "gt", "groundtruth", "ground_truth", "segmentationclass"),
)
_LOOKED_AT = 4  # files of a folder
_FEW, _MANY = 16, 64  # different values: of most masks, and of any
_ONE_FILE = (
    "write one mask a picture with a value a class (images/1.png beside masks/1.png, where 0 is no class, 1 "
    "the first and 2 the second)"
)
_CLASSES = (
    "If they are classes of pictures after all, write a table with a column of paths and one of classes."
)


def refuse_masks(folder: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Look whether folders hold pictures and their masks rather than classes.

    They do where their files have the same names and sizes, and all but one folder hold pictures of few
    values: the one that is called images or the like, else the only one with pictures of many values.

    Arguments:
        files: the paths of each folder, by its name; none is empty.

    Raises: `DataError` that says why, and what to do.
    """
    _refuse_folder_a_picture(folder, files)
    pictures = _folder_of_pictures(folder, files)
    if pictures is None:
        return
    masks = [name for name in files if name != pictures]
    most = max(_levels(path) for name in masks for path in _some(files[name]))
    if len(masks) == 1:
        advice = f"call the folders images ({pictures} now) and masks ({masks[0]} now)"
    else:
        advice = f"{_ONE_FILE}, or leave one of these folders beside {pictures} and call it masks"
    raise DataError(
        f"{folder} is no folder a class: {list_some(files, last=' and ')} hold files of the same names and "
        f"sizes, and those in {list_some(masks, last=' and ')} have {most} different values at most: they "
        f"are masks of the pictures in {pictures}. To learn masks, {advice}. {_CLASSES}"
    )


def _folder_of_pictures(folder: Path, files: Mapping[str, Sequence[str]]) -> str | None:
    """The folder of which the others hold the masks; None where these are no masks."""
    called = [name for name in files if name.lower() in IMAGE_FOLDERS]
    names = {name: [path[len(str(folder / name)) + 1 :] for path in paths] for name, paths in files.items()}
    if len(called) == 1:
        others = [paths for name, paths in names.items() if name not in called]
        if not all(_pair_up(names[called[0]], paths) for paths in others):
            return None
    elif len({len(paths) for paths in files.values()}) > 1 or len(set(map(_stems, names.values()))) > 1:
        return None
    limit, rich = _MANY if called else _FEW, called
    for name, paths in files.items():
        if name not in called and any(_levels(path) > limit for path in _some(paths)):
            rich = [*rich, name]
            if len(rich) > 1:
                return None
    is_rich = rich and (called or all(_levels(path) > _MANY for path in _some(files[rich[0]])))
    return rich[0] if is_rich and _have_one_size(files) else None


def _pair_up(pictures: Sequence[str], masks: Sequence[str]) -> bool:
    """Whether most files of one folder belong to files of the other by their names."""
    try:
        return 2 * len(match(pictures, masks).masks) > len(masks)
    except DataError:  # several files have one name
        return False


def _refuse_folder_a_picture(folder: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Raises: `DataError` where each folder has folders images and masks of its own."""
    for name in list(files)[:_LOOKED_AT]:
        with os.scandir(folder / name) as entries:
            inside = {entry.name.lower() for entry in entries if entry.is_dir()}
        if not (inside & set(IMAGE_FOLDERS) and inside & set(MASK_FOLDERS)):
            return
    raise DataError(
        f"{folder} is no folder a class: each of its {len(files):,} folders ({list_some(files, most=2)}) "
        f"holds pictures and masks in folders of its own. To learn masks, {_ONE_FILE}. {_CLASSES}"
    )


def _stems(names: Sequence[str]) -> frozenset[str]:
    return frozenset(os.path.splitext(name)[0] for name in names)  # noqa: PTH122 (many files)


def _some(paths: Sequence[str]) -> Sequence[str]:
    """Files from all over a folder."""
    return paths[:: max(1, len(paths) // _LOOKED_AT)][:_LOOKED_AT]


def _levels(path: str) -> int:
    """How many different values a file has; more than a mask may have where it is none, or cannot be read."""
    try:
        image = open_picture(path)[0]
    except UnreadableError:
        return _MANY + 1
    if image.mode.startswith(("I", "F")):  # which Pillow does not count
        return len(np.unique(np.asarray(image)))
    colours = image.getcolors(_MANY)
    return _MANY + 1 if colours is None else len(colours)


def _have_one_size(files: Mapping[str, Sequence[str]]) -> bool:
    """Whether the first pictures of all folders have one size; those that cannot be read do not count."""
    seen = [look(paths[0])[0] for paths in files.values()]
    return len({(one.height, one.width) for one in seen if not one.problem}) == 1
