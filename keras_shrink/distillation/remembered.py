"""What teachers answer to a data set, kept on disk for data that is walked many times."""

from __future__ import annotations

import hashlib
import json
import operator
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

_CONTENTS = "contents.json"
_KEYS = {"inputs", "teachers"}


def untaught(x):
    """Returns the inputs of a model, and what teachers say of them, or None where that is not there."""
    if isinstance(x, dict) and set(x) == _KEYS:
        return x["inputs"], x["teachers"]
    return x, None


def remember(teachers, data, folder, *, batch_size):
    """Returns `data` with the answers of the teachers; see `Distiller.remember`."""
    if isinstance(data, tf.data.Dataset):
        return _remembered_dataset(teachers, data, Path(folder))
    arrays = keras.tree.flatten(data)
    if not arrays or not all(hasattr(array, "shape") and hasattr(array, "dtype") for array in arrays):
        raise ValueError(
            "data must be arrays, as fit takes them for x, or a tf.data.Dataset of batches. "
            f"Received: data of type {type(data).__name__}."
        )
    count = arrays[0].shape[0]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())

    def batches():
        for start in range(0, count, batch_size):
            rows = slice(start, start + batch_size)
            yield keras.tree.map_structure(operator.itemgetter(rows), data)

    told = {"teachers": teachers.fingerprint(), "samples": count, "data": digest.hexdigest()}
    known = _stored(Path(folder), told) or _ask(teachers, batches(), Path(folder), told, count)
    return {"inputs": data, "teachers": known}


def _stored(folder, told):
    """Returns the arrays in a folder, or None if it holds none; raises if they answer something else."""
    if not (folder / _CONTENTS).exists():
        return None
    contents = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
    if any(contents.get(key) != value for key, value in told.items()):
        other = [key for key, value in told.items() if contents.get(key) != value]
        raise ValueError(
            f"The folder holds answers that differ in {other}. Received: folder={str(folder)!r}. "
            "Choose another folder, or remove this one."
        )
    return {
        name: np.load(folder / f"{index}.npy", mmap_mode="r") for index, name in enumerate(contents["names"])
    }


def _ask(teachers, batches, folder, told, count):
    """Fills the folder with the answers to all batches, or leaves it as it was."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    answer = tf.function(teachers, reduce_retracing=True)
    files: dict[str, np.memmap] = {}
    done = 0
    for batch in batches:
        known = {name: keras.ops.convert_to_numpy(value) for name, value in answer(batch).items()}
        for index, (name, value) in enumerate(sorted(known.items())):
            if name not in files:
                path, shape = unfinished / f"{index}.npy", (count, *value.shape[1:])
                files[name] = np.lib.format.open_memmap(path, mode="w+", dtype=value.dtype, shape=shape)
            if value.shape[1:] != files[name].shape[1:]:
                raise ValueError(
                    f"Answers of one shape can be remembered. Received: {name} of shapes "
                    f"{files[name].shape[1:]} and {value.shape[1:]}. Pad all samples to one length."
                )
            files[name][done : done + len(value)] = value
        done += len(value)
    for file in files.values():
        file.flush()
    contents = {**told, "names": sorted(files)}
    (unfinished / _CONTENTS).write_text(json.dumps(contents, indent=1), encoding="utf-8")
    if folder.exists():
        folder.rmdir()  # only ever an empty one: a full one was read, or refused
    unfinished.rename(folder)
    return _stored(folder, told)


def _remembered_dataset(teachers, dataset, folder):
    """Returns the data set with the answers batch by batch, watched for batches that changed."""
    marks, sizes = [], []
    for batch in dataset:
        x = _inputs_of(batch)
        marks.append(float(_mark(x)))
        sizes.append(int(keras.tree.flatten(x)[0].shape[0]))
    told = {
        "teachers": teachers.fingerprint(),
        "samples": sum(sizes),
        "data": hashlib.sha256(np.asarray(marks).tobytes()).hexdigest(),
    }
    batches = (_inputs_of(batch) for batch in dataset)
    known = _stored(folder, told) or _ask(teachers, batches, folder, told, sum(sizes))
    ends = np.cumsum(sizes)

    def answers():
        for mark, size, end in zip(marks, sizes, ends, strict=True):
            yield mark, {name: np.asarray(value[end - size : end]) for name, value in known.items()}

    signature = {
        name: tf.TensorSpec((None, *value.shape[1:]), tf.as_dtype(value.dtype))
        for name, value in known.items()
    }
    told_apart = tf.data.Dataset.from_generator(
        answers, output_signature=(tf.TensorSpec((), tf.float64), signature)
    )
    return (
        tf.data.Dataset.zip(dataset, told_apart)
        .map(_joined)
        .apply(tf.data.experimental.assert_cardinality(len(sizes)))
    )


def _inputs_of(batch):
    return batch[0] if isinstance(batch, tuple) else batch


def _mark(x):
    """Returns a number that changes with the samples of a batch and with their order."""
    total = tf.constant(0.0, tf.float64)
    for part in keras.tree.flatten(x):
        rows = tf.reshape(tf.cast(part, tf.float64), (tf.shape(part)[0], -1))
        places = tf.range(1, tf.shape(rows)[0] + 1, dtype=tf.float64)
        total += tf.reduce_sum(places * tf.reduce_mean(rows, axis=1))
    return total


def _joined(batch, told):
    mark, known = told
    x = _inputs_of(batch)
    now = _mark(x)
    same = tf.abs(now - mark) <= 1e-6 * (1.0 + tf.abs(mark))
    message = (
        "The data set gives other batches than those that were remembered. Shuffle and augment what "
        "remember() returns, or do not remember."
    )
    with tf.control_dependencies([tf.debugging.Assert(same, [message])]):
        taught = {"inputs": keras.tree.map_structure(tf.identity, x), "teachers": known}
    return (taught, *batch[1:]) if isinstance(batch, tuple) else taught
