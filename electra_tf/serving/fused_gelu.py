"""GELU in the one form that LiteRT's converter knows."""

import tensorflow as tf


def make_gelu_fusible(
    graph_def: tf.compat.v1.GraphDef,
) -> tf.compat.v1.GraphDef:
    """x (0.5 + 0.5 erf(c x)) becomes (0.5 x) (erf(c x) + 1).

    The same function, but only the second is recognised and becomes the
    built-in GELU; LiteRT has no erf of its own.

    Args:
      graph_def: a frozen graph; left as it is.

    Raises:
      ValueError: an Erf that does not stand in the first form.
    """
    result = tf.compat.v1.GraphDef()
    result.CopyFrom(graph_def)
    nodes = {node.name: node for node in result.node}
    users = {}
    for node in result.node:
        for name in node.input:
            users.setdefault(name.split(":")[0], []).append(node)
    for erf in [node for node in result.node if node.op == "Erf"]:
        scaled = nodes[erf.input[0]]
        [x] = [n for n in scaled.input if nodes[n].op != "Const"]
        half = _only_user(users, erf, "Mul")
        phi = _only_user(users, half, "AddV2")
        product = _only_user(users, phi, "Mul")
        if x not in product.input:
            raise ValueError(f"{erf.name} does not stand in a GELU")
        one = result.node.add(name=f"{erf.name}/one", op="Const")
        one.attr["dtype"].type = erf.attr["T"].type
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0))
        [constant] = [n for n in half.input if n != erf.name]
        half.input[:] = [x, constant]
        phi.input[:] = [erf.name, one.name]
        product.input[:] = [half.name, phi.name]
    return result


def _only_user(users, node, op):
    found = users.get(node.name, [])
    if len(found) != 1 or found[0].op != op:
        raise ValueError(
            f"{node.name} must be read by one {op}; received "
            f"{', '.join(n.op for n in found) or 'none'}"
        )
    return found[0]
