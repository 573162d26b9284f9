"""Methods of search: what is tried next, given what came of the trials before."""

from handrail.tuning.methods.choose import METHODS, is_known, make_method, sampler_names
from handrail.tuning.methods.method import Method

__all__ = ["METHODS", "Method", "is_known", "make_method", "sampler_names"]
