"""Windows over a picture of numbers: kernels that slide, pooling, and what becomes of both when it moves."""
