"""Process many image files: in worker processes where that pays, else in this process.

A worker is `python -m handrail.data.stores.pixels.workers`. A request is one line of JSON; the answer is a
line of JSON with what each file holds, then the pixels.
"""

import contextlib
import json
import os
import queue
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from handrail.data.stores.pixels.decode import fit, look
from handrail.errors import DataError, HandrailError
from handrail.tools.workers import WorkerProcess, explain_end, serve

MOST_WORKERS = 8
_REPORTED = 20  # unreadable files
_BATCH, _BATCH_BYTES = 64, 8 * 2**20
_FILES, _BYTES = 1500, 6 * 2**20  # from here on starting processes, a third of a second, pays

Use = Callable[[int, list[Any], bytes], None]


def require_pillow() -> None:
    """Raises: `HandrailError` where Pillow is missing."""
    try:
        import PIL  # noqa: F401
    except ModuleNotFoundError:
        raise HandrailError(
            "picture files need the package pillow; install it with: pip install 'handrail[images]'"
        ) from None


def over_files(
    paths: Sequence[str], job: Callable[[], dict[str, Any]], *, use: Use, item_bytes: int = 0
) -> None:
    """Process every file, batch by batch.

    Arguments:
        job: gives the request (without paths) for the next batch.
        use: called with the index of a batch's first file, what its files hold, and their bytes; by several
            threads.
        item_bytes: size of the answer for one file, so that batches do not fill the memory.

    Raises: `DataError` when a worker process ends before its work is done.
    """
    require_pillow()
    size = max(1, min(_BATCH, _BATCH_BYTES // max(item_bytes, 1)))
    starts = range(0, len(paths), size)
    count = min(os.cpu_count() or 1, MOST_WORKERS, len(starts))
    if count > 1 and sys.executable and _is_worth_processes(paths):
        with _Pool(count) as pool, ThreadPoolExecutor(count) as threads:

            def process(start: int) -> None:
                use(start, *pool.ask({**job(), "paths": list(paths[start : start + size])}))

            _process_all(threads, process, starts)
    else:
        for start in starts:
            use(start, *_answer({**job(), "paths": list(paths[start : start + size])}))


def fit_files(
    files: Sequence[str],
    names: Sequence[str],
    request: dict[str, Any],
    write: Callable[[int, bytes], None],
    *,
    item_bytes: int,
    what: str,
) -> None:
    """Have the items of files written, each batch from the place of its first file on.

    Raises: `DataError` that names the files that have become unreadable.
    """
    problems = [""] * len(files)

    def use(start: int, seen: list[Any], pixels: bytes) -> None:
        problems[start : start + len(seen)] = [values[0] for values in seen]
        write(start, pixels)

    over_files(files, lambda: request, use=use, item_bytes=item_bytes)
    refuse_unreadable(names, problems, what=what)


def refuse_unreadable(names: Sequence[str], problems: Sequence[str], *, what: str) -> None:
    """Raises: `DataError` with every file that has a problem (the first twenty by name)."""
    lines = [f"{name} {problem}." for name, problem in zip(names, problems, strict=True) if problem]
    if not lines:
        return
    more = f"And {len(lines) - _REPORTED:,} files more. " if len(lines) > _REPORTED else ""
    them = "it" if len(lines) == 1 else "them"
    advice = f"{more}{len(lines):,} of {len(names):,} {what} cannot be used; replace or remove {them}."
    *first, last = lines[:_REPORTED]
    raise DataError([*first, f"{last} {advice}"])


def _is_worth_processes(paths: Sequence[str]) -> bool:
    if len(paths) >= _FILES:
        return True
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += os.stat(path).st_size  # noqa: PTH116 (a Path for each of many files takes longer)
    return total >= _BYTES


def _process_all(threads: ThreadPoolExecutor, process: Callable[[int], None], starts: Sequence[int]) -> None:
    """Stop at the first error, or at Ctrl-C, without beginning anything more."""
    futures = [threads.submit(process, start) for start in starts]
    try:
        for future in futures:
            future.result()
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        raise


class _Pool:
    """Worker processes, each asked by one thread at a time."""

    def __init__(self, count: int) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        module = "handrail.data.stores.pixels.workers"
        self.workers = [WorkerProcess(module, self.errors) for _ in range(count)]
        self.free: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        for worker in self.workers:
            self.free.put(worker)

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.wait()
        self.errors.close()

    def ask(self, request: dict[str, Any]) -> tuple[list[Any], bytes]:
        """A worker's answer. Raises: `DataError` if it ends instead."""
        worker = self.free.get()
        try:
            reply = worker.ask(json.dumps(request))
        finally:
            self.free.put(worker)
        if reply is None:
            end, last_words = explain_end(worker.process.wait(), self.errors)
            paths = request["paths"]
            raise DataError(
                f"a process that decodes pictures {end}, at one of the files {paths[0]} … {paths[-1]}."
                + last_words
            )
        return json.loads(reply[0]), reply[1]


def _answer(request: dict[str, Any]) -> tuple[list[list[Any]], bytes]:
    """What each file of a request holds, and the pixels of all files, concatenated."""
    results = [_process(path, request) for path in request["paths"]]
    return [list(seen) for seen, _ in results], b"".join(pixels for _, pixels in results)


def _process(path: str, request: dict[str, Any]) -> tuple[Any, bytes]:
    job = request["job"]
    if job == "look":
        return look(path, tuple(request["keep"]) if request["keep"] else None)
    if job == "fit":
        return fit(path, tuple(request["size"]), request["channels"])
    # Imported here: masks need NumPy, which images do without.
    from handrail.data.stores.pixels.mask_decode import fit_mask, look_mask

    if job == "look at masks":
        return look_mask(path)
    return fit_mask(path, tuple(request["size"]), request["levels"])


def _answer_line(line: str) -> tuple[str, bytes]:
    seen, pixels = _answer(json.loads(line))
    return json.dumps(seen), pixels


if __name__ == "__main__":
    serve(_answer_line)
