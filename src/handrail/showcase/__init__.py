"""What the report's pictures need and the other files of a run do not hold: a few rows, small, and a look inside the network."""

from handrail.showcase.collect import write_showcase, write_test_showcase
from handrail.showcase.kept import Sections, read_showcase

__all__ = ["Sections", "read_showcase", "write_showcase", "write_test_showcase"]
