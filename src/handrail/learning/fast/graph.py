"""A traced graph as a plain function with fewer operations: tracing and stacking leave needless ones behind.

What `GraphModule` makes looks up and checks each operation anew, which takes as long as a small operation.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

aten = torch.ops.aten
_RESHAPING = {aten.expand.default, aten.view.default, aten._unsafe_view.default}
_TURNING = {aten.transpose.int, aten.t.default}
_FILLED = {aten.ones_like.default: 1, aten.zeros_like.default: 0}
_PASSING = {aten.detach.default, aten.alias.default}


def simplify(graph: GraphModule, *, lasting: Sequence[Tensor] = ()) -> GraphModule:
    """The same function, of a graph in which nothing is changed in place.

    Views that keep the shape, products with one and double transpositions are left out, equal operations are
    done once, what does not depend on the arguments is worked out now, a rectifier and what multiplies it are
    one gate, and products of a column with a row go number by number.

    Arguments:
        lasting: the first arguments, where they are the same tensors each time: views of them are made now.
    """
    for node in list(graph.graph.nodes):
        same = _same_as(node)
        if same is not None:
            node.replace_all_uses_with(same)
            graph.graph.erase_node(node)
    _fold_constants(graph, lasting)
    _join_equal(graph)
    _join_gates(graph)
    _open_outer_products(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def as_function(graph: torch.fx.Graph) -> Callable[..., Sequence[Tensor]]:
    """The operations of a graph, called one after another."""
    known: dict[str, Any] = {}
    names, lines = [], []
    last = {source: node for node in graph.nodes for source in node.all_input_nodes}
    for node in graph.nodes:
        if node.op == "placeholder":
            names.append(node.name)
        elif node.op == "get_attr":
            known[node.name] = getattr(graph.owning_module, node.target)
        elif node.op == "output":
            lines.append(f"return {_spell(node.args[0], known)}")
        else:
            known[f"_{node.name}"] = getattr(node.target, "_op", node.target)
            words = [_spell(value, known) for value in node.args]
            words += [f"{key}={_spell(value, known)}" for key, value in node.kwargs.items()]
            lines.append(f"{node.name} = _{node.name}({', '.join(words)})")
            done = [source for source in node.all_input_nodes if last[source] is node]
            done = [source.name for source in done if source.op == "call_function"]
            lines += [f"del {', '.join(done)}"] if done else []
    body = "\n    ".join(lines)
    # Only names and operations of the graph stand in it.
    exec(f"def step({', '.join(names)}):\n    {body}\n", known)  # noqa: S102
    return known["step"]


def _spell(value: Any, known: dict[str, Any]) -> str:
    """A value as it is written in the function; one without a literal gets a name."""
    if isinstance(value, torch.fx.Node):
        return value.name
    if isinstance(value, list | tuple):
        return f"[{', '.join(_spell(item, known) for item in value)}]"
    if value is None or isinstance(value, bool | int):
        return repr(value)
    name = f"_value_{len(known)}"
    known[name] = value
    return name


def changes_something(operation: Any) -> bool:
    """Whether one of torch's operations changes its arguments."""
    schema = getattr(operation, "_schema", None)
    return schema is not None and schema.is_mutable


def _same_as(node: Node) -> Node | None:
    """The node that already holds this one's value."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], Node):
        return None
    source = node.args[0]
    if node.target in _PASSING:
        return source
    if node.target in _RESHAPING and node.meta["val"].shape == source.meta["val"].shape:
        return source
    times_one = node.target is aten.mul.Scalar and node.args[1] == 1
    if times_one and node.meta["val"].dtype == source.meta["val"].dtype:
        return source
    if node.target in _TURNING and source.target is node.target and node.args[1:] == source.args[1:]:
        return source.args[0] if isinstance(source.args[0], Node) else None
    return None


def _fold_constants(graph: GraphModule, lasting: Sequence[Tensor]) -> None:
    """Work out once what does not depend on the arguments, such as zeros in a shape, and views of what lasts.

    Outputs, and what shares their memory, are made anew each time: whoever gets them may change them.
    """
    outputs = _outputs_of(graph)
    lent = dict(zip(graph.graph.find_nodes(op="placeholder"), lasting, strict=False))
    known: dict[Node, Tensor] = {}
    for node in list(graph.graph.nodes):
        if not _is_plain(node) or node in outputs:
            continue
        if node.target in _FILLED:
            like = node.meta["val"]
            empty = torch.empty_strided(like.shape, like.stride(), dtype=like.dtype, device=like.device)
            known[node] = empty.fill_(_FILLED[node.target])
        elif all(source in known or (source in lent and _is_view(node)) for source in node.all_input_nodes):
            look_up = (lent | known).get
            known[node] = node.target(*map_arg(node.args, look_up), **map_arg(node.kwargs, look_up))
    for node, value in known.items():
        if any(user not in known for user in node.users):
            name = f"constant_{node.name}"
            graph.register_buffer(name, value)
            with graph.graph.inserting_before(node):
                constant = graph.graph.get_attr(name)
            constant.meta = node.meta
            node.replace_all_uses_with(constant)


def _outputs_of(graph: GraphModule) -> set[Node]:
    """What the graph returns, and what that is a view of."""
    outputs: set[Node] = set()
    left = list(graph.graph.output_node().all_input_nodes)
    while left:
        node = left.pop()
        outputs.add(node)
        if not _is_plain(node) or _is_view(node):
            left += node.all_input_nodes
    return outputs


def _is_view(node: Node) -> bool:
    """Whether the result of one of torch's operations is a view of its arguments."""
    schema: Any = getattr(node.target, "_schema", None)
    return any(one.alias_info is not None for one in schema.returns)


def _is_plain(node: Node) -> bool:
    """Whether this is one of torch's operations that returns one tensor and is not random."""
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and torch.Tag.nondeterministic_seeded not in node.target.tags
        and isinstance(node.meta.get("val"), Tensor)
    )


def _join_equal(graph: GraphModule) -> None:
    """Do operations on the same arguments once."""
    known: dict[Any, Node] = {}
    for node in list(graph.graph.nodes):
        if node.op != "call_function":
            continue
        key = (node.target, repr(node.args), repr(sorted(node.kwargs.items())))
        if key in known:
            node.replace_all_uses_with(known[key])
            graph.graph.erase_node(node)
        else:
            known[key] = node


def _join_gates(graph: GraphModule) -> None:
    """Give y = max(0, z)·d and its gradient (dropout after a rectifier) one gate m: z·m and g·m."""
    for back in list(graph.graph.nodes):
        if back.target is not aten.threshold_backward.default or back.args[2] != 0:
            continue
        product, rectified, _ = back.args
        if not (_is(product, aten.mul.Tensor) and _is(rectified, aten.relu.default)):
            continue
        forward = [user for user in rectified.users if user.target is aten.mul.Tensor]
        if len(forward) != 1 or len(product.users) != 1:
            continue
        factor = next(one for one in forward[0].args if one is not rectified)
        gradient = [one for one in product.args if one is not factor]
        if len(gradient) != 1 or not isinstance(factor, Node):
            continue
        if factor.meta["val"].shape != rectified.meta["val"].shape:
            continue
        with graph.graph.inserting_before(forward[0]):
            gate = graph.graph.call_function(aten.threshold_backward.default, (factor, rectified.args[0], 0))
            let_through = graph.graph.call_function(aten.mul.Tensor, (rectified.args[0], gate))
        with graph.graph.inserting_before(back):
            passed_back = graph.graph.call_function(aten.mul.Tensor, (gradient[0], gate))
        for old, new in ((forward[0], let_through), (back, passed_back)):
            new.meta = old.meta
            old.replace_all_uses_with(new)
            graph.graph.erase_node(old)


def _open_outer_products(graph: GraphModule) -> None:
    """Multiply a column and a row number by number: libraries for matrices are slower without a sum."""
    for node in list(graph.graph.nodes):
        if node.target in (aten.mm.default, aten.bmm.default) and node.args[0].meta["val"].shape[-1] == 1:
            with graph.graph.inserting_before(node):
                opened = graph.graph.call_function(aten.mul.Tensor, node.args)
            opened.meta = node.meta
            node.replace_all_uses_with(opened)
            graph.graph.erase_node(node)


def _is(node: Any, operation: Any) -> bool:
    return isinstance(node, Node) and node.target is operation
