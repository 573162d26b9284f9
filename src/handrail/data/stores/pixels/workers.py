"""Work on many files: by worker processes where it pays, else in this process."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from handrail.data.stores.pixels.worker import answer
from handrail.errors import DataError, HandrailError

MOST_WORKERS = 8
_BATCH, _BATCH_BYTES = 64, 8 * 2**20
_FILES, _BYTES = 1500, 6 * 2**20  # from here on the start of processes, a third of a second, is worth it

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
    """Have every file worked on, batch by batch.

    Arguments:
        job: gives the request (without paths) for the next batch.
        use: called with the place of a batch's first file, what was seen in its files, and their bytes; by
            several threads.
        item_bytes: what a file's answer takes, so that batches do not fill the memory.

    Raises: `DataError` when a worker process ends before its work is done.
    """
    require_pillow()
    size = max(1, min(_BATCH, _BATCH_BYTES // max(item_bytes, 1)))
    starts = range(0, len(paths), size)
    count = min(os.cpu_count() or 1, MOST_WORKERS, len(starts))
    if count > 1 and sys.executable and _worth_it(paths):
        with _Crew(count) as crew, ThreadPoolExecutor(count) as pool:

            def do(start: int) -> None:
                use(start, *crew.ask({**job(), "paths": list(paths[start : start + size])}))

            _finish(pool, do, starts)
    else:
        for start in starts:
            use(start, *answer({**job(), "paths": list(paths[start : start + size])}))


def _worth_it(paths: Sequence[str]) -> bool:
    if len(paths) >= _FILES:
        return True
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += os.stat(path).st_size  # noqa: PTH116 (a Path for each of many files takes longer)
    return total >= _BYTES


def _finish(pool: ThreadPoolExecutor, do: Callable[[int], None], starts: Sequence[int]) -> None:
    """All of it, or the first mistake; nothing more is begun after one, or after Ctrl-C."""
    futures = [pool.submit(do, start) for start in starts]
    try:
        for future in futures:
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


class _Crew:
    """Worker processes, each asked by one thread at a time."""

    def __init__(self, count: int) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-W", "ignore", "-m", "handrail.data.stores.pixels.worker"]
        self.free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self.workers = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment
            )  # noqa: S603 (this very interpreter)
            for _ in range(count)
        ]
        for worker in self.workers:
            self.free.put(worker)

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            for pipe in filter(None, (worker.stdin, worker.stdout)):
                with contextlib.suppress(OSError):
                    pipe.close()
            worker.wait()
        self.errors.close()

    def ask(self, request: dict[str, Any]) -> tuple[list[Any], bytes]:
        """A worker's answer. Raises: `DataError` when it ended instead."""
        with self._one() as worker:
            assert worker.stdin
            assert worker.stdout
            try:
                worker.stdin.write(json.dumps(request).encode() + b"\n")
                worker.stdin.flush()
                seen, length = json.loads(worker.stdout.readline())
                pixels = worker.stdout.read(length)
                if len(pixels) < length:
                    raise EOFError
            except (OSError, EOFError, ValueError):
                raise self._ended(worker, request["paths"]) from None
        return seen, pixels

    @contextlib.contextmanager
    def _one(self) -> Iterator[subprocess.Popen[bytes]]:
        worker = self.free.get()
        try:
            yield worker
        finally:
            self.free.put(worker)

    def _ended(self, worker: subprocess.Popen[bytes], paths: Sequence[str]) -> DataError:
        code = worker.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        said = f" Its last words: {lines[-1]}" if lines else ""
        how = (
            f"was ended by signal {-code}; perhaps the memory was full"
            if code < 0
            else f"ended with code {code}"
        )
        return DataError(
            f"a process that decodes pictures {how}, at one of the files {paths[0]} … {paths[-1]}.{said}"
        )
