"""Plots need matplotlib, which is the user's choice."""


def subplots(*shape, **settings):
    """Returns the axes of a new matplotlib figure, as `matplotlib.pyplot.subplots` makes them.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("plot needs matplotlib: pip install matplotlib.") from error
    return plt.subplots(*shape, layout="constrained", **settings)[1]
