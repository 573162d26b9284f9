"""How many stages a convolutional network has, and how wide they are."""

_WIDEST, _MOST_STAGES, _LAST = 256, 6, 4


def usual_widths(side: int, *, first: int = 32) -> list[int]:
    """Twice the maps at each stage, and a stage for each halving down to about 4 positions, two at least."""
    stages = 2
    while side / 2**stages > _LAST and stages < _MOST_STAGES:
        stages += 1
    return [min(first * 2**stage, _WIDEST) for stage in range(stages)]
