"""The file that pictures are made from: sections of arrays and plain data, deterministic, no pickle."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from handrail.errors import RunError
from handrail.runs.folder import Folder
from handrail.tools.files import write_atomically

Sections = dict[str, dict[str, Any]]
_WORDS = "words"
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError)


def samples_path(folder: Folder, part: str) -> Path:
    """`showcase/<part>.npz`; samples of training rows are in the file of the validation part."""
    return folder.path / "showcase" / f"{part}.npz"


def save_sections(path: Path, sections: Sections) -> None:
    """Write the sections that are not empty: arrays and plain JSON data. Raises: `HandrailError`."""
    arrays: dict[str, np.ndarray] = {}
    words: Sections = {}
    for section, values in sections.items():
        if not values:
            continue
        words[section] = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        arrays |= {
            f"{section}.{key}": value for key, value in values.items() if isinstance(value, np.ndarray)
        }
    arrays[_WORDS] = np.frombuffer(json.dumps(words, ensure_ascii=False).encode(), dtype=np.uint8)
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]


def read_samples(folder: Folder, part: str) -> Sections:
    """The sections of a part; empty where the run has no such file.

    Raises: `RunError` when the file is damaged.
    """
    path = samples_path(folder, part)
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            sections: Sections = json.loads(archive[_WORDS].tobytes().decode())
            for name in archive.files:
                section, _, key = name.partition(".")
                if key:
                    sections[section][key] = archive[name]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, *_BROKEN) as error:
        raise RunError(
            f"'{path}' is damaged ({error}); remove it for a report without pictures, or fit again."
        ) from error
    return sections
