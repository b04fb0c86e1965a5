"""Variables, which hold their initial values when an invocation begins."""

import numpy as np

from keras_shrink.simulation.kernel import emitted, simulates


@simulates("VAR_HANDLE", "CALL_ONCE")
def prepare(node):
    """Names a variable or gives it its initial value, once."""
    emitted(node)
    nothing = (None,) * len(node.op.outputs)
    return lambda operands: nothing


@simulates("READ_VARIABLE")
def read_variable(node):
    """The value of a variable."""
    emitted(node)
    key, target = node.variables[node.op.inputs[0]], node.output()

    def run(operands):
        if key not in operands.evaluation.states:
            initial = np.frombuffer(node.states[key].initial, target.dtype).reshape(target.shape)
            operands.evaluation.states[key] = operands.for_each_sample(initial)
        return operands.evaluation.states[key]

    return run


@simulates("ASSIGN_VARIABLE")
def assign_variable(node):
    """Gives a variable a value."""
    emitted(node)
    key = node.variables[node.op.inputs[0]]

    def run(operands):
        operands.evaluation.states[key] = operands.each(1)
        return ()

    return run
