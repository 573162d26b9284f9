"""A traced graph without the operations that change nothing: stacking leaves many of them behind."""

from typing import Any

import torch
from torch.fx import GraphModule, Node

aten = torch.ops.aten
_RESHAPING = {aten.expand.default, aten.view.default, aten._unsafe_view.default}
_FEW = 16  # classes: with more of them torch's own softmax is quick
_PASSING = {aten.detach.default, aten.alias.default}


def simplified(graph: GraphModule) -> GraphModule:
    """The same function, of a graph in which nothing is changed in place.

    Views that keep the shape, products with one and double transpositions are left out, equal operations are done once, and a product of
    matrices with an added bias is one operation.
    """
    for node in list(graph.graph.nodes):
        same = _same_as(node)
        if same is not None:
            node.replace_all_uses_with(same)
            graph.graph.erase_node(node)
    _open_small_softmax(graph)
    _join_equal(graph)
    _join_bias(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _same_as(node: Node) -> Node | None:
    """The node that already holds this one's value."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], Node):
        return None
    source = node.args[0]
    if node.target in _PASSING:
        return source
    if node.target in _RESHAPING and node.meta["val"].shape == source.meta["val"].shape:
        return source
    if node.target is aten.mul.Scalar and node.args[1] == 1 and node.meta["val"].dtype == source.meta["val"].dtype:
        return source
    if node.target is aten.transpose.int and source.target is aten.transpose.int and node.args[1:] == source.args[1:]:
        return source.args[0] if isinstance(source.args[0], Node) else None
    return None


def _open_small_softmax(graph: GraphModule) -> None:
    """Logarithms of a softmax over few classes, and their gradient, as operations on all rows at once: torch's kernels go row by row."""
    add = graph.graph.call_function
    for node in list(graph.graph.nodes):
        if node.target is aten._log_softmax.default and node.meta["val"].shape[node.args[1]] <= _FEW:
            with graph.graph.inserting_before(node):
                total = add(aten.logsumexp.default, (node.args[0], [node.args[1]], True))
                opened = add(aten.sub.Tensor, (node.args[0], total))
        elif node.target is aten._log_softmax_backward_data.default and node.meta["val"].shape[node.args[2]] <= _FEW:
            gradient, output, dim, _ = node.args
            with graph.graph.inserting_before(node):
                total = add(aten.sum.dim_IntList, (gradient, [dim], True))
                shares = add(aten.mul.Tensor, (add(aten.exp.default, (output,)), total))
                opened = add(aten.sub.Tensor, (gradient, shares))
        else:
            continue
        opened.meta = node.meta
        node.replace_all_uses_with(opened)
        graph.graph.erase_node(node)


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


def _join_bias(graph: GraphModule) -> None:
    """bias + a·b as one operation."""
    for node in list(graph.graph.nodes):
        if node.target is not aten.add.Tensor or node.kwargs:
            continue
        for product, bias in (node.args, node.args[::-1]):
            if _is_product(product) and isinstance(bias, Node) and bias.meta["val"].ndim == 3 and len(product.users) == 1:
                with graph.graph.inserting_before(node):
                    fused = graph.graph.call_function(aten.baddbmm.default, (bias, *product.args))
                fused.meta = node.meta
                node.replace_all_uses_with(fused)
                graph.graph.erase_node(node)
                break


def _is_product(node: Any) -> bool:
    return isinstance(node, Node) and node.target is aten.bmm.default
