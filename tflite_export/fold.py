"""Evaluates everything in a traced function that does not depend on its inputs.

Quantization-aware models compute their rounded weights from the float ones in the graph. The
converter folds only small constants itself and would leave the rest as float arithmetic.
"""


def fold_constants(function):
    """Returns a concrete function with the same interface in which all such values are constants.

    Args:
        function: A concrete function of tensors only; its variables are frozen.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    graph = frozen.graph
    inputs = [tensor.op.name for tensor in frozen.inputs]
    constant = _constant_operations(graph, set(inputs))
    needed = _frontier(graph, frozen.outputs, constant)
    values = {}
    if needed:
        with tf.compat.v1.Session(graph=graph) as session:
            values = dict(zip(needed, session.run(needed), strict=True))
    folded = _replace(graph.as_graph_def(), values)
    if not _tell_apart(folded) and not needed:
        return frozen
    names_out = [tensor.name for tensor in frozen.outputs]

    def imported():
        tf.graph_util.import_graph_def(folded, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    return wrapped.prune(
        [wrapped.graph.get_tensor_by_name(f"{name}:0") for name in inputs],
        [wrapped.graph.get_tensor_by_name(name) for name in names_out],
    )


def _constant_operations(graph, inputs) -> set[str]:
    """Names of the operations that depend on no input and have no state."""
    constant: set[str] = set()
    for op in graph.get_operations():
        pure = op.name not in inputs and op.type != "Placeholder" and not op.op_def.is_stateful
        # Lists and resources have no constant form.
        # What it says of a weight's scale would be lost in a constant.
        pure = pure and not op.type.startswith("FakeQuant")
        pure = pure and all(tensor.dtype.is_numpy_compatible for tensor in op.outputs)
        if pure and not op.control_inputs and all(tensor.op.name in constant for tensor in op.inputs):
            constant.add(op.name)
    return constant


def _frontier(graph, outputs, constant) -> list[str]:
    """Names of computed tensors that constant operations hand to the others."""
    read = {tensor.name for tensor in outputs}
    for op in graph.get_operations():
        if op.name not in constant:
            read.update(tensor.name for tensor in op.inputs)
    return sorted(
        tensor.name
        for op in graph.get_operations()
        if op.name in constant and op.type != "Const"
        for tensor in op.outputs
        if tensor.name in read
    )


def _replace(graph_def, values):
    """Returns the graph with a constant in place of each tensor `"name:k"` of `values`."""
    import tensorflow as tf

    names = {tensor: f"{tensor.replace(':', '/')}_folded" for tensor in values}
    result = tf.compat.v1.GraphDef()
    result.CopyFrom(graph_def)
    for node in result.node:
        for position, source in enumerate(node.input):
            tensor = source if ":" in source else f"{source}:0"
            if tensor in names:
                node.input[position] = names[tensor]
    for tensor, value in values.items():
        node = result.node.add(op="Const", name=names[tensor])
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return result


def _tell_apart(graph_def) -> bool:
    """Makes the last of equal numbers that are added the next float, and returns whether there were any.

    Of a bias that is one number in all channels the converter rounds every channel with the scale of the
    first, whatever the scales of the others are.
    """
    import numpy as np
    import tensorflow as tf

    added = {name for node in graph_def.node if node.op in ("BiasAdd", "Add", "AddV2") for name in node.input}
    changed = False
    for node in graph_def.node:
        is_float = node.attr["dtype"].type == tf.float32.as_datatype_enum
        if node.op != "Const" or node.name not in added or not is_float:
            continue
        value = np.array(tf.make_ndarray(node.attr["value"].tensor))
        first = value.flat[0] if value.size else 0.0
        if value.size > 1 and first != 0 and (value == first).all():
            value.flat[-1] = np.nextafter(first, np.float32(0))
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
            changed = True
    return changed
