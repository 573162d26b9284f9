"""The neural Turing machine and the differentiable neural computer, beside NumPy written from the papers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from handrail.errors import RecipeError
from handrail.models.dnc import DNC
from handrail.models.ntm import NTM
from handrail.shapes import SeriesShape, StepShape

CHANNELS, BITS, STEPS = 5, 3, 6
SMALL: dict[type, dict[str, Any]] = {
    NTM: {"units": 7, "locations": 6, "width": 4, "reads": 2, "writes": 2},
    DNC: {"units": 7, "locations": 6, "width": 4, "reads": 2},
}


def network(kind: type, *, length: int = STEPS, **changes: Any) -> Any:
    torch.manual_seed(0)
    made = kind(SeriesShape(CHANNELS, length), StepShape(length, BITS), **SMALL[kind] | changes)
    for parameter in made.parameters():
        nn.init.uniform_(parameter, -0.6, 0.6)
    return made


def rows(length: int = STEPS, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, CHANNELS, length, generator=torch.Generator().manual_seed(seed))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max())
    return raised / raised.sum()


def look_up(key: np.ndarray, strength: float, memory: np.ndarray) -> np.ndarray:
    """Graves, Wayne & Danihelka 2014, equations 5 and 6, with a length that is never 0."""
    lengths = np.sqrt((memory**2).sum(axis=1) + 1e-6) * np.sqrt((key**2).sum() + 1e-6)
    return softmax(strength * (memory @ key) / lengths)


class Controller:
    """The controller of a network, in NumPy."""

    def __init__(self, model: Any) -> None:
        part = model.controller
        self.outer, self.bias = (each.detach().double().numpy() for each in part.outer.parameters())
        self.inner = part.inner.weight.detach().double().numpy()
        self.units, self.recurrent = part.units, part.recurrent
        self.state = part.start.detach().double().numpy() if part.recurrent else np.zeros((2, 0))

    def step(self, x: np.ndarray, reads: np.ndarray) -> np.ndarray:
        total = self.outer @ x + self.bias + self.inner @ np.concatenate([reads, self.state[0]])
        if not self.recurrent:
            return np.tanh(total)
        i, f, o, g = total.reshape(4, self.units)
        cells = sigmoid(f) * self.state[1] + sigmoid(i) * np.tanh(g)
        self.state = np.stack([sigmoid(o) * np.tanh(cells), cells])
        return self.state[0]


def layers_of(model: Any) -> tuple[np.ndarray, ...]:
    parts = (model.interface, model.head)
    return tuple(each.detach().double().numpy() for part in parts for each in (part.weight, part.bias))


def plain_ntm(model: Any, x: np.ndarray) -> np.ndarray:
    """Scores of one row, head by head; section 3 of Graves, Wayne & Danihelka 2014."""
    wide, heads, reads = model.width, model.head_count, model.reads
    writes, control = heads - reads, Controller(model)
    w_in, b_in, w_out, b_out = layers_of(model)
    memory = np.full((model.locations, wide), 1e-6)
    weights = [softmax(each) for each in model.first_weights.detach().double().numpy()]
    read, scores = model.first_reads.detach().double().numpy(), []
    for column in x.T:
        hidden = control.step(column, read)
        numbers = w_in @ hidden + b_in
        ends = np.cumsum([heads * wide, writes * wide, writes * wide, heads, heads, heads])
        keys, add, erase, gates, beta, gamma, shifts = np.split(
            numbers, np.sort(np.array([ends[0], ends[1], ends[2], ends[3], ends[4], ends[5]]))
        )
        keys, add = np.tanh(keys).reshape(heads, wide), np.tanh(add).reshape(writes, wide)
        erase, gates = sigmoid(erase).reshape(writes, wide), sigmoid(gates)
        beta, gamma = np.log1p(np.exp(beta)), 1 + np.log1p(np.exp(gamma))
        for head in range(heads):
            content = look_up(keys[head], beta[head], memory)
            mixed = gates[head] * content + (1 - gates[head]) * weights[head]
            moves = softmax(shifts.reshape(heads, 3)[head])
            moved = sum(moves[k] * np.roll(mixed, k - 1) for k in range(3))
            weights[head] = moved ** gamma[head] / (moved ** gamma[head]).sum()
        for write in range(writes):
            memory = memory * (1 - np.outer(weights[reads + write], erase[write]))
        for write in range(writes):
            memory = memory + np.outer(weights[reads + write], add[write])
        read = np.concatenate([weights[head] @ memory for head in range(reads)])
        scores.append(w_out @ np.concatenate([hidden, read]) + b_out)
    return np.stack(scores)


def plain_dnc(model: Any, x: np.ndarray) -> np.ndarray:
    """Scores of one row, location by location; the methods of Graves et al. 2016."""
    wide, reads, places = model.width, model.reads, model.locations
    control = Controller(model)
    w_in, b_in, w_out, b_out = layers_of(model)
    memory, links = np.zeros((places, wide)), np.zeros((places, places))
    usage, precedence, written = np.zeros(places), np.zeros(places), np.zeros(places)
    weights, read, scores = np.zeros((reads, places)), np.zeros(reads * wide), []
    for column in x.T:
        hidden = control.step(column, read)
        numbers = w_in @ hidden + b_in
        keys, value, strengths, erase, free, choice, write, modes = np.split(
            numbers,
            np.cumsum([(reads + 1) * wide, wide, reads + 1, wide, reads, 1, 1]),
        )
        keys, strengths = keys.reshape(reads + 1, wide), 1 + np.log1p(np.exp(strengths))
        erase, free, choice, write = sigmoid(erase), sigmoid(free), sigmoid(choice), sigmoid(write)
        kept = np.prod([1 - free[head] * weights[head] for head in range(reads)], axis=0)
        usage = (usage + written - usage * written) * kept
        order, room = np.argsort(usage, kind="stable"), np.zeros(places)
        for rank, place in enumerate(order):
            room[place] = (1 - usage[place]) * np.prod(usage[order[:rank]])
        content = look_up(keys[0], strengths[0], memory)
        written = write * (choice * room + (1 - choice) * content)
        memory = memory * (1 - np.outer(written, erase)) + np.outer(written, value)
        links = (1 - written[:, None] - written[None]) * links + np.outer(written, precedence)
        np.fill_diagonal(links, 0)
        precedence = (1 - written.sum()) * precedence + written
        placed = []
        for head in range(reads):
            back, look, on = softmax(modes.reshape(reads, 3)[head])
            content = look_up(keys[1 + head], strengths[1 + head], memory)
            last = weights[head]
            placed.append(back * links.T @ last + look * content + on * links @ last)
        weights = np.stack(placed)
        read = (weights @ memory).ravel()
        scores.append(w_out @ np.concatenate([hidden, read]) + b_out)
    return np.stack(scores)


PLAIN = {NTM: plain_ntm, DNC: plain_dnc}
kinds = pytest.mark.parametrize("kind", SMALL)


@kinds
@pytest.mark.parametrize("controller", ["feedforward", "lstm"])
def test_scores_are_those_of_the_paper(kind: type, controller: str) -> None:
    """Graves, Wayne & Danihelka 2014; Graves et al. 2016."""
    made = network(kind, controller=controller).double()
    x = rows().double()
    with torch.no_grad():
        scores = made(x).numpy()
    for row in range(len(x)):
        np.testing.assert_allclose(scores[row], PLAIN[kind](made, x[row].numpy()), atol=2e-5)


@kinds
def test_zeros_behind_the_end_change_nothing_and_any_length_is_read(kind: type) -> None:
    short, long = network(kind), network(kind, length=2 * STEPS)
    long.load_state_dict(short.state_dict())
    x = rows()
    padded = torch.cat([x, torch.zeros_like(x)], dim=2)
    with torch.no_grad():
        first, second = short(x), long(padded)
    assert torch.equal(first, second[:, :STEPS])
    assert not second[:, STEPS:].any()
    assert long(rows(2 * STEPS)).shape == (2, 2 * STEPS, BITS)


@kinds
def test_what_is_read_later_changes_no_earlier_score(kind: type) -> None:
    x, made = rows(), network(kind)
    changed = x.clone()
    changed[:, :, -1] += 1
    with torch.no_grad():
        assert torch.equal(made(x)[:, :-1], made(changed)[:, :-1])


@kinds
def test_pictures_show_a_distribution_over_the_locations_at_each_step(kind: type) -> None:
    (picture,) = network(kind).activity(rows())
    assert picture.pictures.shape[1:] == (6, STEPS)
    assert picture.captions[0] == "write head 1"
    assert "read head 2" in picture.captions
    total = picture.pictures.sum(axis=1)
    assert (total <= 1 + 1e-5).all()
    if kind is NTM:
        np.testing.assert_allclose(total, 1, atol=1e-5)


def test_heads_reach_no_further_than_there_are_locations() -> None:
    with pytest.raises(RecipeError, match=r"model\.ntm\.reach: found 7 with 5 locations; expected at most 5"):
        network(NTM, locations=5, reach=7)
    assert network(NTM, locations=5, reach=5)(rows()).isfinite().all()
