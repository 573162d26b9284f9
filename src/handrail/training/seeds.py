"""Independent seeds from one: each use of random numbers has a name."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *names: str | int) -> int:
    """A seed below 2⁶² for a named use, such as `derive(0, "order", epoch)`; the same on every machine."""
    text = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 2


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A generator for a named use."""
    return torch.Generator().manual_seed(derive(seed, *names))


def replica_seeds(seed: int, count: int) -> list[int]:
    """A seed for each of several replicas: the given one first, so that the first equals a training alone."""
    return [seed, *(derive(seed, "replica", number) for number in range(2, count + 1))]


@contextmanager
def fix_seed(seed: int, *names: str | int) -> Iterator[None]:
    """While open, torch's global generators (dropout, noise, module constructors) follow the named seed."""
    before = rng_states()
    if torch.cuda.is_available():
        torch.manual_seed(derive(seed, *names))
    else:  # the processor's alone, without a look at every other kind of device
        torch.default_generator.manual_seed(derive(seed, *names))
    try:
        yield
    finally:
        set_rng_states(before)


def rng_states() -> list[torch.Tensor]:
    """States of torch's global generators: the processor's, and those of GPUs that are in use."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [])]


def set_rng_states(states: list[torch.Tensor]) -> None:
    """Continue from what `rng_states` returned."""
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state_all(states[1:])
