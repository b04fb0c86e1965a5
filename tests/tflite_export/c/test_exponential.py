import subprocess

import numpy as np

from tests.tflite_export.c.judged import STRICT, host_compiler
from tflite_export.c.write import RUNTIME
from tflite_export.fixed_point_functions import exp_on_negative_values

MAIN = """
#include <stdio.h>
#include "exponential.h"

int main(void) {
  int32_t value;
  while (fread(&value, 4, 1, stdin) == 1) {
    value = te_exp_on_negative(value);
    fwrite(&value, 4, 1, stdout);
  }
  return 0;
}
"""


def test_the_exponential_in_c_is_the_one_of_the_tables(tmp_path):
    (tmp_path / "main.c").write_text(MAIN)
    command = [*host_compiler(), *STRICT, "-O1", f"-I{RUNTIME}", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    far = np.random.default_rng(0).integers(-(31 << 26), 1, 100_000)
    values = np.concatenate([far, -np.arange(100_000), [-(31 << 26)]]).astype(np.int32)
    done = subprocess.run([tmp_path / "main"], input=values.tobytes(), capture_output=True, check=True)
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.int32), exp_on_negative_values(values))
