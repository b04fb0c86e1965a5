import numpy as np

from tests.tflite_export.c.models import T, single
from tests.tflite_export.c.properties import activation, equals_tflm, pick


def const(values):
    return T(np.shape(values), "int32", data=np.asarray(values, np.int32))


def data(rng, shape, dtype=None):
    return activation(rng, dtype or pick(rng, "int8", "int8", "int16"), shape=shape)


def like(source, shape):
    return T(shape, source.dtype, source.scale, source.zero_point)


def shape_of(rng, rank):
    return tuple(int(v) for v in rng.integers(1, 6, rank))


def concatenation(rng):
    rank = int(rng.integers(1, 5))
    axis, shape = int(rng.integers(rank)), list(shape_of(rng, rank))
    first = data(rng, tuple(shape))
    sources = [first]
    for _ in range(rng.integers(1, 4)):
        shape[axis] = int(rng.integers(1, 5))
        sources.append(like(first, tuple(shape)))
    if rng.random() < 0.3:
        last = sources[-1]
        values = rng.integers(-100, 100, last.shape)
        sources[-1] = T(last.shape, last.dtype, last.scale, last.zero_point, values)
    shape[axis] = sum(s.shape[axis] for s in sources)
    written = axis if rng.random() < 0.5 else axis - rank
    return single("CONCATENATION", sources, [like(first, tuple(shape))], "ConcatenationOptions", axis=written)


def pack(rng):
    shape = shape_of(rng, int(rng.integers(1, 4)))
    axis, count = int(rng.integers(len(shape) + 1)), int(rng.integers(1, 4))
    first = data(rng, shape, "int8")
    sources = [first, *(like(first, shape) for _ in range(count - 1))]
    target = like(first, (*shape[:axis], count, *shape[axis:]))
    return single("PACK", sources, [target], "PackOptions", valuesCount=count, axis=axis)


def unpack(rng):
    shape = shape_of(rng, int(rng.integers(2, 5)))
    axis = int(rng.integers(len(shape)))
    source = data(rng, shape, "int8")
    targets = [like(source, (*shape[:axis], *shape[axis + 1 :])) for _ in range(shape[axis])]
    return single("UNPACK", [source], targets, "UnpackOptions", num=shape[axis], axis=axis)


def split(rng):
    shape, count = list(shape_of(rng, int(rng.integers(1, 5)))), int(rng.integers(1, 4))
    axis = int(rng.integers(len(shape)))
    parts = tuple(shape)
    shape[axis] *= count
    source = data(rng, tuple(shape))
    targets = [like(source, parts) for _ in range(count)]
    return single("SPLIT", [const([axis]), source], targets, "SplitOptions", numSplits=count)


def split_v(rng):
    shape, sizes = list(shape_of(rng, 3)), [int(v) for v in rng.integers(1, 5, 3)]
    axis = int(rng.integers(3))
    shape[axis] = sum(sizes)
    source = data(rng, tuple(shape))
    targets = [like(source, (*shape[:axis], n, *shape[axis + 1 :])) for n in sizes]
    return single("SPLIT_V", [source, const(sizes), const([axis])], targets, "SplitVOptions", numSplits=3)


def slice_(rng):
    shape = shape_of(rng, int(rng.integers(1, 5)))
    begin = [int(rng.integers(n)) for n in shape]
    size = [int(rng.integers(1, n - b + 1)) for n, b in zip(shape, begin, strict=True)]
    source = data(rng, shape)
    written = [
        -1 if b + s == n and rng.random() < 0.5 else s for b, s, n in zip(begin, size, shape, strict=True)
    ]
    return single("SLICE", [source, const(begin), const(written)], [like(source, tuple(size))])


def strided_slice(rng):
    shape = shape_of(rng, int(rng.integers(1, 5)))
    rank = len(shape)
    begin, end, stride, masks, box = [], [], [], [0, 0, 0], []
    for d, n in enumerate(shape):
        step = pick(rng, 1, 1, 2, 3, -1, -2)
        first, last = sorted(int(v) for v in rng.choice(n + 1, 2, replace=n < 1)) if n > 0 else (0, 1)
        if first == last:
            first, last = 0, n
        if step < 0:
            first, last = last - 1, first - 1 - (n if first == 0 else 0)
            if first == 0 and last < 0:
                last = -n - 1
        begin.append(first - n if rng.random() < 0.3 and step > 0 else first)
        end.append(last)
        stride.append(step)
        cut = [begin[-1], end[-1] if not (step < 0 and end[-1] < -n) else None, step]
        if rng.random() < 0.2:
            masks[0] |= 1 << d
            cut[0] = None
        if rng.random() < 0.2:
            masks[1] |= 1 << d
            cut[1] = None
        box.append(slice(*cut))
    shrink = int(rng.integers(rank)) if rank > 1 and rng.random() < 0.3 else None
    taken = np.empty(shape)[tuple(box)]
    out = list(taken.shape)
    if shrink is not None and out[shrink]:
        masks = [m & ~(1 << shrink) for m in masks]
        begin[shrink], end[shrink], stride[shrink] = int(rng.integers(shape[shrink])), shape[shrink], 1
        masks[2] = 1 << shrink
        del out[shrink]
    if 0 in out:
        return strided_slice(rng)
    source = data(rng, shape)
    return single(
        "STRIDED_SLICE",
        [source, const(begin), const(end), const(stride)],
        [like(source, tuple(out))],
        "StridedSliceOptions",
        beginMask=masks[0],
        endMask=masks[1],
        shrinkAxisMask=masks[2],
    )


def transpose(rng):
    shape = shape_of(rng, int(rng.integers(2, 5)))
    order = [int(v) for v in rng.permutation(len(shape))]
    source = data(rng, shape)
    return single("TRANSPOSE", [source, const(order)], [like(source, tuple(shape[d] for d in order))])


def pad(rng):
    shape = shape_of(rng, int(rng.integers(1, 5)))
    around = rng.integers(0, 3, (len(shape), 2)) * rng.integers(0, 2, (len(shape), 1))
    source = data(rng, shape)
    inputs = [source, const(around)]
    code = pick(rng, "PAD", "PADV2")
    if code == "PADV2":
        inputs.append(T((1,), source.dtype, source.scale, source.zero_point, [int(rng.integers(-128, 128))]))
    return single(code, inputs, [like(source, tuple(int(v) for v in np.add(shape, around.sum(1))))])


def mirror_pad(rng):
    shape = tuple(int(v) for v in rng.integers(3, 6, int(rng.integers(1, 5))))
    around = rng.integers(0, 3, (len(shape), 2)) * rng.integers(0, 2, (len(shape), 1))
    source = data(rng, shape, "int8")
    target = like(source, tuple(int(v) for v in np.add(shape, around.sum(1))))
    return single(
        "MIRROR_PAD", [source, const(around)], [target], "MirrorPadOptions", mode=int(rng.integers(2))
    )


def gather(rng):
    shape = shape_of(rng, int(rng.integers(1, 4)))
    axis = int(rng.integers(len(shape)))
    picks = rng.integers(0, shape[axis], shape_of(rng, int(rng.integers(1, 3))))
    source = data(rng, shape, "int8")
    target = like(source, (*shape[:axis], *picks.shape, *shape[axis + 1 :]))
    return single("GATHER", [source, const(picks)], [target], "GatherOptions", axis=axis, batchDims=0)


def resize(rng):
    code = pick(rng, "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
    size, wanted = [int(v) for v in rng.integers(1, 7, 2)], [int(v) for v in rng.integers(1, 13, 2)]
    source = data(rng, (pick(rng, 1, 2), *size, int(rng.integers(1, 5))), "int8")
    target = like(source, (source.shape[0], *wanted, source.shape[3]))
    corners, half = pick(rng, (False, False), (True, False), (False, True))
    options = "ResizeNearestNeighborOptions" if "NEAREST" in code else "ResizeBilinearOptions"
    return single(
        code, [source, const(wanted)], [target], options, alignCorners=corners, halfPixelCenters=half
    )


def reshape(rng):
    code = pick(rng, "RESHAPE", "SQUEEZE", "EXPAND_DIMS")
    source = data(rng, (1, 3, 4), "int8")
    if code == "RESHAPE":
        return single(
            code, [source, const([4, 3])], [like(source, (4, 3))], "ReshapeOptions", newShape=[4, 3]
        )
    if code == "SQUEEZE":
        return single(code, [source], [like(source, (3, 4))], "SqueezeOptions", squeezeDims=[0])
    return single(code, [source, const([1])], [like(source, (1, 1, 3, 4))], "ExpandDimsOptions")


MAKERS = (
    concatenation,
    pack,
    unpack,
    split,
    split_v,
    slice_,
    strided_slice,
    transpose,
    pad,
    mirror_pad,
    gather,
)
test_resize_equals_tflm = equals_tflm(resize, models=16)
test_reshape_equals_tflm = equals_tflm(reshape, models=6, examples=1)
for _make in MAKERS:
    globals()[f"test_{_make.__name__.strip('_')}_equals_tflm"] = equals_tflm(
        _make, models=14, examples=1, count=2
    )
