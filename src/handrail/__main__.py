"""`python -m handrail` is the command line; under torchrun that of several processes, which speak with one
voice.
"""

import os

from handrail.cli import main
from handrail.cli.processes import as_one


def _as_one_of_several() -> None:
    code = 0
    try:
        with as_one():
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    from handrail.training.distributed.processes import leave

    leave(code)


if os.environ.get("WORLD_SIZE", "1") == "1":
    main()
else:
    _as_one_of_several()
