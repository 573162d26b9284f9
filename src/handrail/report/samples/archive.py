"""The file that pictures are made from: named sections of arrays and words, without pickle, the same for the
same content.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from handrail.errors import RunError
from handrail.runs.folder import Folder
from handrail.tools.files import write_atomically

Sections = dict[str, dict[str, Any]]
_WORDS = "words"


def samples_path(folder: Folder, part: str) -> Path:
    """Where the pictures' material of a part is: `showcase/<part>.npz`; training rows are with those of
    validation.
    """
    return folder.path / "showcase" / f"{part}.npz"


def save_sections(path: Path, sections: Sections) -> None:
    """Write sections whose values are arrays, or plain data as JSON holds it.

    Raises: `HandrailError` when the file cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    words: Sections = {}
    for section, values in sections.items():
        words[section] = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        arrays |= {
            f"{section}.{key}": value for key, value in values.items() if isinstance(value, np.ndarray)
        }
    arrays[_WORDS] = np.frombuffer(json.dumps(words, ensure_ascii=False).encode(), dtype=np.uint8)
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # pyright: ignore[reportArgumentType]


def read_samples(folder: Folder, part: str) -> Sections:
    """The sections as they were kept; none where a run has no such file.

    Raises: `RunError` when the file is damaged.
    """
    path = samples_path(folder, part)
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as found:
            sections: Sections = json.loads(found[_WORDS].tobytes().decode())
            for name in found.files:
                section, _, key = name.partition(".")
                if key:
                    sections[section][key] = found[name]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"'{path}' is damaged ({error}); remove it for a report without pictures, or fit again."
        ) from error
    return sections
