"""A process that decodes images: `python -m handrail.data.stores.pixels.worker`.

A request is one line of JSON; the answer is a line of JSON with the findings of each file, then the pixels.
"""

import json
from typing import Any

from handrail.data.stores.pixels.decode import fit, look
from handrail.tools.workers import serve


def answer(request: dict[str, Any]) -> tuple[list[list[Any]], bytes]:
    """The findings of each file in a request, and the pixels of all files, concatenated."""
    results = [_process(path, request) for path in request["paths"]]
    return [list(findings) for findings, _ in results], b"".join(pixels for _, pixels in results)


def _process(path: str, request: dict[str, Any]) -> tuple[Any, bytes]:
    job = request["job"]
    if job == "look":
        return look(path, tuple(request["keep"]) if request["keep"] else None)
    if job == "fit":
        return fit(path, tuple(request["size"]), request["channels"])
    # Imported here: masks need NumPy, which images do without.
    from handrail.data.stores.pixels.mask_decode import fit_mask, look_mask

    return (
        look_mask(path)
        if job == "look at masks"
        else fit_mask(path, tuple(request["size"]), request["levels"])
    )


def _answer_line(line: str) -> tuple[str, bytes]:
    findings, pixels = answer(json.loads(line))
    return json.dumps(findings), pixels


if __name__ == "__main__":
    serve(_answer_line)
