"""Compiles generated C under sanitizers, runs it, and compares it with TensorFlow Lite Micro."""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.tflite_export.c.tflm_batch import run_tflm_batch
from tflite_export.c.emit import plan_program
from tflite_export.c.program import BYTES
from tflite_export.c.write import RUNTIME, write_c
from tflite_export.read import read

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
ZIG = [sys.executable, "-m", "ziglang", "cc"]

_MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
%(includes)s
typedef struct {
  uint32_t arena, inputs, outputs;
  const uint32_t *input_bytes, *output_bytes;
  void *(*input)(void *, int), *(*output)(void *, int);
  void (*invoke)(void *), (*reset)(void *);
} model;
%(glue)s
static const model models[] = {%(table)s};

/* Reads: model, samples, whether to reset between them, then the inputs of each sample. The arena is as
 * large as it says and no larger, so that the address sanitizer sees what lies beyond. */
int main(void) {
  uint32_t head[3];
  while (fread(head, 4, 3, stdin) == 3) {
    const model *m = &models[head[0]];
    char *arena = malloc(m->arena);
    for (uint32_t i = 0; i < m->arena; ++i) arena[i] = (char)(i * 37u);
    for (uint32_t s = 0; s < head[1]; ++s) {
      if (m->reset && (s == 0 || head[2])) m->reset(arena);
      for (uint32_t i = 0; i < m->inputs; ++i)
        if (fread(m->input(arena, (int)i), 1, m->input_bytes[i], stdin) != m->input_bytes[i]) return 1;
      m->invoke(arena);
      for (uint32_t i = 0; i < m->outputs; ++i)
        fwrite(m->output(arena, (int)i), 1, m->output_bytes[i], stdout);
    }
    free(arena);
  }
  return 0;
}
"""


@functools.cache
def host_compiler():
    """The host's compiler with both sanitizers, else the one from PyPI with the one it has."""
    found = next((c for c in ("gcc", "clang", "cc") if shutil.which(c)), None)
    if found:
        return [found, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    return [*ZIG, "-fsanitize=undefined", "-fno-sanitize-recover=all"]


@functools.cache
def kernels():
    """Folder with an archive of every kernel, compiled once for each state of the runtime."""
    digest = hashlib.sha256(repr(host_compiler()).encode())
    for path in sorted(RUNTIME.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    folder = Path(tempfile.gettempdir(), f"tflite_export_kernels_{os.getuid()}_{digest.hexdigest()[:16]}")
    if not (folder / "ready").exists():
        build = Path(tempfile.mkdtemp(dir=folder.parent))
        sources = sorted(RUNTIME.glob("*.c"))
        half = (len(sources) + 1) // 2
        runs = [
            subprocess.Popen(
                [*host_compiler(), *STRICT, "-O1", "-c", *map(str, part)], cwd=build, stderr=subprocess.PIPE
            )
            for part in (sources[:half], sources[half:])
            if part
        ]
        for run in runs:
            stderr = run.communicate()[1]
            if run.returncode:
                raise RuntimeError(stderr.decode())
        objects = [f"{s.stem}.o" for s in sources]
        subprocess.run(["ar", "rcs", "libkernels.a", *objects], cwd=build, check=True)
        (build / "ready").touch()
        try:
            build.rename(folder)
        except OSError:  # another worker was faster
            shutil.rmtree(build)
    return folder


def generate(models, folder, **options):
    """Writes the C of models named m0, m1, ... and a main program into a folder; returns the programs."""
    programs = []
    for i, content in enumerate(models):
        write_c(content, f"m{i}", folder, self_test=False, **options)
        programs.append(plan_program(read(content), **options))
    glue, table = [], []
    for i, p in enumerate(programs):
        sizes = [
            ", ".join(str(q.size * BYTES[q.ctype]) for q in ports) or "0" for ports in (p.inputs, p.outputs)
        ]
        glue += [
            f"static const uint32_t in{i}[] = {{{sizes[0]}}}, out{i}[] = {{{sizes[1]}}};",
            f"static void *input{i}(void *a, int k) {{ return m{i}_input_in(a, k); }}",
            f"static void *output{i}(void *a, int k) {{ return m{i}_output_in(a, k); }}",
        ]
        reset = f"m{i}_reset_in" if p.states else "0"
        table.append(
            f"{{M{i}_ARENA_BYTES, {len(p.inputs)}, {len(p.outputs)}, in{i}, out{i}, input{i}, output{i}, "
            f"m{i}_invoke_in, {reset}}}"
        )
    includes = "\n".join(f'#include "m{i}.h"' for i in range(len(models)))
    main = _MAIN % {"includes": includes, "glue": "\n".join(glue), "table": ",\n".join(table)}
    Path(folder, "main.c").write_text(main)
    return programs


def compiled(models, folder, **options):
    """Returns the path of a program that runs models, with every kernel under sanitizers, and their plans."""
    programs = generate(models, folder, **options)
    sources = ["main.c", *(f"m{i}.c" for i in range(len(models)))]
    command = [*host_compiler(), *STRICT, "-O0", *sources, f"-L{kernels()}", "-lkernels", "-lm", "-o", "run"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return Path(folder, "run"), programs


def run_c(models, samples, *, reset=True, **options):
    """Returns the outputs of models for samples, nested as `run_tflm_batch` nests them."""
    with tempfile.TemporaryDirectory() as folder:
        program, plans = compiled(models, folder, **options)
        feed = b"".join(
            np.array([i, len(rows), int(reset)], np.uint32).tobytes()
            + b"".join(np.ascontiguousarray(a).tobytes() for row in rows for a in row)
            for i, rows in enumerate(samples)
        )
        done = subprocess.run([program], input=feed, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr.decode()[:4000]
    answers, at = [], 0
    for plan, rows in zip(plans, samples, strict=True):
        answers.append([])
        for _ in rows:
            outputs = []
            for port in plan.outputs:
                dtype = np.dtype(port.dtype)
                end = at + port.size * dtype.itemsize
                outputs.append(np.frombuffer(done.stdout[at:end], dtype).reshape(port.shape))
                at = end
            answers[-1].append(outputs)
    assert at == len(done.stdout)
    return answers


def random_inputs(content, rng, count):
    """Returns random samples for a model: full-range integers, a few floats beyond their range."""
    rows = []
    for _ in range(count):
        row = []
        for t in read(content).inputs:
            if t.dtype == "float32":
                row.append(rng.normal(0, 2, t.shape).astype(np.float32))
            else:
                info = np.iinfo(t.dtype)
                row.append(rng.integers(info.min, info.max + 1, t.shape, dtype=t.dtype))
        rows.append(row)
    return rows


def assert_equals_tflm(models, rng, *, count=3, reset=True):
    """Generates, compiles and runs models and compares every output bit with TensorFlow Lite Micro's."""
    samples = [random_inputs(content, rng, count) for content in models]
    try:
        judged = run_tflm_batch(list(zip(models, samples, strict=True)), reset=reset)
    except AssertionError as error:
        number = int(str(error).split("at job ")[1].split(":")[0])
        raise AssertionError(f"{error} {describe(models[number])}") from None
    for i, (ours, theirs) in enumerate(zip(run_c(models, samples, reset=reset), judged, strict=True)):
        for row, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            for a, b in zip(mine, other, strict=True):
                context = f"model {i} of {len(models)}, sample {row}: {describe(models[i])}"
                np.testing.assert_array_equal(a.view(_bits(a)), b.reshape(a.shape).view(_bits(a)), context)


def describe(content):
    graph = read(content)
    lines = [f"{op.code} {op.options}" for op in graph.main.ops]
    return "; ".join(lines + [f"{t.dtype}{t.shape} {t.quantization}" for t in graph.main.tensors])


def _bits(array):
    return f"u{array.dtype.itemsize}"
