"""A process that decodes: `python -m handrail.data.stores.pixels.worker` answers requests on its standard input
until that ends.

A request is one line of JSON; an answer is one line of JSON, [what was seen, number of bytes], and then the
bytes. Plain pipes and a process of its own, in place of `multiprocessing`: a fork would copy torch's locks,
and the other ways run the user's main script once more. When the main process dies, the input ends, and so
does the worker.
"""

import json
import signal
import sys
from typing import Any, BinaryIO

from handrail.data.stores.pixels.decode import fit, look


def answer(request: dict[str, Any]) -> tuple[list[list[Any]], bytes]:
    """What was seen in each file of a request, and their pixels, one behind the other."""
    results = [_one(path, request) for path in request["paths"]]
    return [list(seen) for seen, _ in results], b"".join(pixels for _, pixels in results)


def _one(path: str, request: dict[str, Any]) -> tuple[Any, bytes]:
    job = request["job"]
    if job == "look":
        return look(path, tuple(request["keep"]) if request["keep"] else None)
    if job == "fit":
        return fit(path, tuple(request["size"]), request["channels"])
    # With NumPy, which pictures do not need.
    from handrail.data.stores.pixels.mask_decode import fit_mask, look_mask

    return (
        look_mask(path)
        if job == "look at masks"
        else fit_mask(path, tuple(request["size"]), request["levels"])
    )


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the requests end."""
    for line in source:
        seen, pixels = answer(json.loads(line))
        sink.write(json.dumps([seen, len(pixels)]).encode() + b"\n")
        sink.write(pixels)
        sink.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which then ends this one
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        sys.stdout = None  # nobody is left to read; nothing to flush at the end
