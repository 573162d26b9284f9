"""Small arrays for the report's pictures: a few rows, their predictions, a look inside the network.

May import the pipeline and everything below. A newcomer writes a section for a new kind of picture in
`collect.py`; the run folder keeps it in `showcase/`.
"""

from handrail.report.samples.archive import Sections, read_samples
from handrail.report.samples.collect import write_samples, write_test_samples

__all__ = ["Sections", "read_samples", "write_samples", "write_test_samples"]
