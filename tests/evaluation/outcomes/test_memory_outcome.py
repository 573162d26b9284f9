"""Cues and the figures of recall."""

import numpy as np
import torch

from handrail.evaluation.bootstrap import measure_with_intervals
from handrail.evaluation.outcomes.memory import MemoryOutcome
from handrail.tasks.memory import draw_cues
