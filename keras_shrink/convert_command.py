"""`keras-shrink convert`: a Keras file in, a `.tflite` out."""

from rich.console import Console

from keras_shrink.arrays import load_array


def convert_file(model_path, representative, output, samples, c_array, dtype=None):
    """Converts a file, writes the result and prints what came of it."""
    import tflite_export as te
    from keras_shrink.loading import load_uncompiled
    from tflite_export.c.names import check_identifier

    if c_array is not None:
        check_identifier(c_array)
    console = Console()
    with console.status("Loading the model ..."):
        model = load_uncompiled(model_path)
        data = None if representative is None else load_array(representative, limit=samples)
    with console.status("Converting ..."):
        tflite = te.convert(model, data, dtype=dtype)
    paths = [tflite.save(output)]
    if c_array is not None:
        paths += te.write_c_array(tflite, c_array, output.parent)
    for path in paths:
        console.print(f"wrote {path} ({path.stat().st_size:,} bytes)", highlight=False)
    for side, tensors in (("input", tflite.inputs), ("output", tflite.outputs)):
        for name, tensor in tensors.items():
            params = tensor.quantization
            scaled = (
                "" if params is None else f", scale {params.scale[0]:.7g}, zero point {params.zero_point[0]}"
            )
            console.print(
                f"{side} {name}: {tensor.dtype} {tensor.shape}{scaled}", highlight=False, markup=False
            )
