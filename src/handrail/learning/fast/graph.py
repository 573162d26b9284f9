"""A traced graph with fewer operations: tracing and stacking leave many behind that change nothing, or the
same each time.
"""

from collections.abc import Sequence
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
    done once, what does not depend on what is given is worked out now, a rectifier and what multiplies it are
    one gate, and products of a column with a row go number by number.

    Arguments:
        lasting: the first of what is given, where those are the same tensors each time, whatever stands in
            them: views of them are made now.
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


def changes_something(operation: Any) -> bool:
    """Whether one of torch's operations changes what it is given."""
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
    if (
        node.target is aten.mul.Scalar
        and node.args[1] == 1
        and node.meta["val"].dtype == source.meta["val"].dtype
    ):
        return source
    if node.target in _TURNING and source.target is node.target and node.args[1:] == source.args[1:]:
        return source.args[0] if isinstance(source.args[0], Node) else None
    return None


def _fold_constants(graph: GraphModule, lasting: Sequence[Tensor]) -> None:
    """What does not depend on what is given, as zeros in the shape of something do not, is worked out once;
    so are views of what lasts.

    What is handed out, or lends it its memory, is made anew each time: whoever is given it may change it.
    """
    apart = _outputs_of(graph)
    lent = dict(zip(graph.graph.find_nodes(op="placeholder"), lasting, strict=False))
    known: dict[Node, Tensor] = {}
    for node in list(graph.graph.nodes):
        if not _is_plain(node) or node in apart:
            continue
        if node.target in _FILLED:
            like = node.meta["val"]
            room = torch.empty_strided(like.shape, like.stride(), dtype=like.dtype, device=like.device)
            known[node] = room.fill_(_FILLED[node.target])
        elif all(source in known or (source in lent and _is_view(node)) for source in node.all_input_nodes):
            known[node] = node.target(
                *map_arg(node.args, (lent | known).get), **map_arg(node.kwargs, (lent | known).get)
            )
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
    found: set[Node] = set()
    left = list(graph.graph.output_node().all_input_nodes)
    while left:
        node = left.pop()
        found.add(node)
        if not _is_plain(node) or _is_view(node):
            left += node.all_input_nodes
    return found


def _is_view(node: Node) -> bool:
    """Whether what one of torch's operations gives is a view of what it is given."""
    schema: Any = getattr(node.target, "_schema", None)
    return any(one.alias_info is not None for one in schema.returns)


def _is_plain(node: Node) -> bool:
    """Whether this is one of torch's operations that gives one tensor, and without chance."""
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and torch.Tag.nondeterministic_seeded not in node.target.tags
        and isinstance(node.meta.get("val"), Tensor)
    )


def _join_equal(graph: GraphModule) -> None:
    """Operations on the same arguments are done once."""
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
    """y = max(0, z)·d and its gradient g·d where z > 0, as dropout after a rectifier has them, with one gate
    for both: z·m and g·m.
    """
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
        if (
            len(gradient) != 1
            or not isinstance(factor, Node)
            or factor.meta["val"].shape != rectified.meta["val"].shape
        ):
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
    """A column times a row is no sum of anything, which libraries for matrices take their time to find out."""
    for node in list(graph.graph.nodes):
        if node.target in (aten.mm.default, aten.bmm.default) and node.args[0].meta["val"].shape[-1] == 1:
            with graph.graph.inserting_before(node):
                opened = graph.graph.call_function(aten.mul.Tensor, node.args)
            opened.meta = node.meta
            node.replace_all_uses_with(opened)
            graph.graph.erase_node(node)


def _is(node: Any, operation: Any) -> bool:
    return isinstance(node, Node) and node.target is operation
