"""What the report's pictures need and the other files of a run do not hold: a few rows, small, and a look
inside the network.
"""

from handrail.report.samples.archive import Sections, read_showcase
from handrail.report.samples.collect import write_showcase, write_test_showcase

__all__ = ["Sections", "read_showcase", "write_showcase", "write_test_showcase"]
