import dataclasses

import ai_edge_litert.schema_py_generated as oracle
import numpy as np
import pytest

from tests.tflite_export.small_models import conv_model, dense_model, pack
from tflite_export import schema
from tflite_export.flatbuffer import Reader
from tflite_export.flatbuffer_write import write


def plain(value):
    """Tables as nested tuples, absent and empty vectors alike."""
    if dataclasses.is_dataclass(value):
        return tuple(plain(getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    return b"" if value is None else value.tobytes() if isinstance(value, np.ndarray) else value


def read_tables(content):
    return Reader(content).root(schema.ModelTable)


@pytest.mark.parametrize("model", [dense_model, conv_model])
def test_what_is_written_reads_the_same(model):
    tables = read_tables(pack(model()))
    assert plain(read_tables(write(tables, b"TFL3"))) == plain(tables)


def test_others_read_it_the_same():
    def facts(content):
        model = oracle.ModelT.InitFromObj(oracle.Model.GetRootAs(content))
        graph = model.subgraphs[0]
        return (
            [(t.name, list(t.shape), t.type, list(t.quantization.scale)) for t in graph.tensors],
            [(list(o.inputs), list(o.outputs), vars(o.builtinOptions)) for o in graph.operators],
            [b"" if b.data is None else bytes(b.data) for b in model.buffers],
            model.description,
        )

    content = pack(conv_model())
    assert facts(write(read_tables(content), b"TFL3")) == facts(content)


def test_constants_lie_on_sixteen_bytes():
    written = write(read_tables(pack(conv_model())), b"TFL3")
    base = np.frombuffer(written, np.uint8).__array_interface__["data"][0]
    starts = [
        b.data.__array_interface__["data"][0] - base for b in read_tables(written).buffers if b.data.size
    ]
    assert len(starts) == 8
    assert not any(start % 16 for start in starts)
    assert len(written) % 16 == 0


def test_equal_vectors_are_stored_once():
    data = np.arange(400).astype(np.uint8)
    one = schema.ModelTable(3, buffers=(schema.BufferTable(data),))
    two = schema.ModelTable(3, buffers=(schema.BufferTable(data), schema.BufferTable(data.copy())))
    assert len(write(two, b"TFL3")) - len(write(one, b"TFL3")) <= 16


def test_wide_fields_are_aligned():
    written = write(schema.ModelTable(3, buffers=(schema.BufferTable(None, 2**40, 77),)), b"TFL3")
    buffer = read_tables(written).buffers[0]
    assert (buffer.offset, buffer.size) == (2**40, 77)
    assert oracle.Model.GetRootAs(written).Buffers(0).Offset() == 2**40
    assert written.index(np.uint64(2**40).tobytes()) % 8 == 0
