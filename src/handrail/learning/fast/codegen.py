"""A traced graph as a plain Python function."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def as_function(graph: torch.fx.Graph) -> Callable[..., Sequence[Tensor]]:
    """The operations of a graph, called one behind the other.

    What `GraphModule` makes looks up and checks each operation anew, which takes as long as the smaller ones
    of them.
    """
    known: dict[str, Any] = {}
    names, lines = [], []
    last = {source: node for node in graph.nodes for source in node.all_input_nodes}
    for node in graph.nodes:
        if node.op == "placeholder":
            names.append(node.name)
        elif node.op == "get_attr":
            known[node.name] = getattr(graph.owning_module, node.target)
        elif node.op == "output":
            lines.append(f"return {_spelt(node.args[0], known)}")
        else:
            known[f"_{node.name}"] = getattr(node.target, "_op", node.target)
            words = [_spelt(value, known) for value in node.args]
            words += [f"{key}={_spelt(value, known)}" for key, value in node.kwargs.items()]
            lines.append(f"{node.name} = _{node.name}({', '.join(words)})")
            over = [
                source.name
                for source in node.all_input_nodes
                if last[source] is node and source.op == "call_function"
            ]
            lines += [f"del {', '.join(over)}"] if over else []
    body = "\n    ".join(lines)
    exec(f"def step({', '.join(names)}):\n    {body}\n", known)  # noqa: S102 - the names and operations of the graph, nothing else
    return known["step"]


def _spelt(value: Any, known: dict[str, Any]) -> str:
    """A value as it is written in the function; what has no spelling gets a name."""
    if isinstance(value, torch.fx.Node):
        return value.name
    if isinstance(value, list | tuple):
        return f"[{', '.join(_spelt(item, known) for item in value)}]"
    if value is None or isinstance(value, bool | int):
        return repr(value)
    name = f"_value_{len(known)}"
    known[name] = value
    return name
