"""`python -m handrail` is the command line; under torchrun that of several processes, which speak with one voice."""

import os
from contextlib import nullcontext

from handrail._voice import as_one
from handrail.cli import main

with nullcontext() if os.environ.get("WORLD_SIZE", "1") == "1" else as_one():
    main()
