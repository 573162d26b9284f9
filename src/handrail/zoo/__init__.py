"""The zoo: one recipe for each system, on data that everybody has, with what there is to say of the system.

An entry is a file of YAML in `entries`, named like the system, with two sections: `zoo` (see `Entry`) and
`recipe`. `handrail zoo` lists them, `handrail zoo NAME` fits one, and `make zoo` writes docs/zoo.md.

May import everything below the command line, except `sklearn` and `tuning`; never torch, so that the table
is quick. A newcomer adds a file in `entries`.
"""

from handrail.zoo.entry import CELLS, FAMILIES, Entry
from handrail.zoo.loading import find_entry, load_zoo
from handrail.zoo.overview import overview_text

__all__ = ["CELLS", "FAMILIES", "Entry", "find_entry", "load_zoo", "overview_text"]
