"""`python -m handrail`: the command line; under torchrun, of several processes that print once."""

import os

from handrail.cli import main
from handrail.cli.processes import print_once


def _run_as_one_of_several() -> None:
    code = 0
    try:
        with print_once():
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    from handrail.training.distributed.processes import leave

    leave(code)


if os.environ.get("WORLD_SIZE", "1") == "1":
    main()
else:
    _run_as_one_of_several()
