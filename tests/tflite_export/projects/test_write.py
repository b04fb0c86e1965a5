import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.tflite_export.small_models import conv_model, dense_model, operator, oracle, pack, tensor
from tflite_export.errors import ModelError
from tflite_export.model_metadata import ModelCard, write_card
from tflite_export.projects.write import render_project, write_project
from tflite_export.read import read
from tflite_export.tflm import measure_arena

STUBS = Path(__file__).parent / "stubs"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
CARD = ModelCard(
    name="Toy net",
    description="Tells a from b.",
    version="2.1",
    author="A. Author",
    license="MIT",
    labels=("a", 'b "quoted"'),
    mean=(127.5,),
    std=(64.0,),
)
MODEL = write_card(pack(dense_model()), CARD)


def compiler(language):
    """The host's compiler, or the one from the test requirements."""
    found = shutil.which({"c": "cc", "c++": "c++"}[language])
    return [found] if found else [sys.executable, "-m", "ziglang", {"c": "cc", "c++": "c++"}[language]]


def run(*command, **options):
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, timeout=300, check=False, **options
    )
    return done.returncode, done.stdout + done.stderr


def unpack(files, folder):
    """Writes rendered files, zips unpacked, and returns the folder."""
    for path, content in files.items():
        if path.endswith(".zip"):
            zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_cmake_project_builds_and_passes_its_self_test(tmp_path):
    write_project(MODEL, tmp_path, "cmake", name="toy")
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
    flags = "-DCMAKE_C_FLAGS=" + " ".join(WARNINGS)
    status, said = run(cmake, "-S", tmp_path, "-B", tmp_path / "build", flags)
    assert status == 0, said
    status, said = run(cmake, "--build", tmp_path / "build")
    assert status == 0, said
    status, said = run(tmp_path / "build" / "toy_demo")
    assert (status, "self-test passed" in said) == (0, True)
    assert re.search(r'toy: (a|b "quoted")\n', said)


def test_self_test_fails_where_the_model_computes_something_else(tmp_path):
    files = render_project(MODEL, "cmake", name="toy")
    text = files["src/toy_self_test.c"]
    numbers = re.search(r"expected_0\[2\] = \{\n\s*(.*)\n", text).group(1)
    first, second = numbers.rstrip(",").split(", ")
    files["src/toy_self_test.c"] = text.replace(numbers, f"{first}, {int(second) ^ 1}")
    unpack(files, tmp_path)
    sources = sorted((tmp_path / "src").glob("*.c"))
    status, said = run(
        *compiler("c"), "-std=c99", *WARNINGS, "-I", tmp_path / "src", *sources, tmp_path / "demo/main.c",
        "-o", tmp_path / "demo.exe",
    )  # fmt: skip
    assert status == 0, said
    status, said = run(tmp_path / "demo.exe")
    assert (status, "self-test FAILED" in said) == (1, True)


@pytest.mark.parametrize("runtime", ["c", "tflm"])
def test_arduino_sketch_compiles_and_runs(tmp_path, runtime):
    folder = unpack(render_project(MODEL, "arduino", name="toy", runtime=runtime), tmp_path) / "Toy"
    sketch = folder / "examples" / "toy_demo" / "toy_demo.ino"
    main = tmp_path / "main.cpp"
    main.write_text(f'#include <Arduino.h>\n#include "{sketch}"\nint main() {{ setup(); loop(); }}\n')
    include = ["-I", folder / "src", "-I", STUBS]
    objects = []
    for source in sorted((folder / "src").glob("*.c*")):
        language = "c" if source.suffix == ".c" else "c++"
        standard = "-std=c11" if language == "c" else "-std=c++17"
        objects.append(source.with_suffix(".o"))
        command = [*compiler(language), standard, *WARNINGS, *include]
        status, said = run(*command, "-c", source, "-o", objects[-1])
        assert status == 0, said
    status, said = run(*compiler("c++"), "-std=c++17", *include, main, *objects, "-o", tmp_path / "sketch")
    assert status == 0, said
    status, said = run(tmp_path / "sketch")
    # The stand-in for TFLM only copies: its self-test has to fail, that of the C code to pass.
    assert status == 0
    assert ("self-test passed" if runtime == "c" else "self-test FAILED") in said
    assert "in 0 microseconds" in said


def test_glue_of_a_model_with_state_provides_its_variables(tmp_path):
    model = dense_model()
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor("state", [], oracle.TensorType.RESOURCE, 0))
    options = oracle.VarHandleOptionsT()
    options.container, options.sharedName = "", "state"
    operator(model, "VAR_HANDLE", [], [len(tensors) - 1], options)
    folder = unpack(render_project(pack(model), "cmake", name="toy", runtime="tflm"), tmp_path)
    glue = folder / "src" / "toy_tflm.cpp"
    assert "MicroResourceVariables::Create(allocator, 1)" in glue.read_text()
    assert "MicroMutableOpResolver<2>" in glue.read_text()
    status, said = run(*compiler("c++"), "-std=c++17", *WARNINGS, "-I", STUBS, "-fsyntax-only", glue)
    assert status == 0, said


def test_sources_compile_for_a_cortex_m(tmp_path):
    folder = unpack(render_project(MODEL, "zephyr", name="toy"), tmp_path)
    for source in sorted((folder / "src").glob("*.c")):
        status, said = run(
            sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4",
            "-std=c99", "-O2", *WARNINGS, "-I", folder / "src", "-c", source, "-o", source.with_suffix(".o"),
        )  # fmt: skip
        assert status == 0, said


def test_arduino_manifest_has_what_the_library_manager_asks_for():
    files = zipfile.ZipFile(io.BytesIO(render_project(MODEL, "arduino", name="toy")["toy.zip"]))
    text = files.read("Toy/library.properties").decode()
    values = dict(line.split("=", 1) for line in text.splitlines())
    asked = "name version author maintainer sentence paragraph category url includes"
    assert set(asked.split()) <= set(values)
    assert values["version"] == "2.1.0"
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.\-]*", values["name"])
    assert (values["author"], values["includes"]) == ("A. Author", "toy.h")
    assert (
        "depends=Arduino_TensorFlowLite"
        in zipfile.ZipFile(
            io.BytesIO(render_project(MODEL, "arduino", name="toy", runtime="tflm")["toy.zip"])
        )
        .read("Toy/library.properties")
        .decode()
    )


def test_platformio_manifest_names_what_is_there():
    files = render_project(MODEL, "platformio", name="toy")
    manifest = json.loads(files["lib/toy/library.json"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["headers"] == ["toy.h"]
    assert "lib/toy/src/toy.h" in files
    assert "[env:native]" in files["platformio.ini"]


def test_esp_idf_component_lists_its_sources():
    for runtime in ("c", "tflm"):
        files = render_project(MODEL, "esp-idf", name="toy", runtime=runtime)
        manifest = yaml.safe_load(files["components/toy/idf_component.yml"])
        assert manifest["version"] == "2.1.0"
        assert ("espressif/esp-tflite-micro" in manifest["dependencies"]) == (runtime == "tflm")
        listed = set(re.findall(r'"(\w+\.(?:c|cpp))"', files["components/toy/CMakeLists.txt"]))
        inside = [Path(f) for f in files if f.startswith("components/toy/")]
        there = {f.name for f in inside if f.suffix in (".c", ".cpp")}
        assert listed == there
        assert "void app_main(void)" in files["main/main.c"]


def test_zephyr_module_and_sample_are_consistent():
    files = render_project(MODEL, "zephyr", name="toy", runtime="tflm")
    module = yaml.safe_load(files["zephyr/module.yml"])
    assert module["build"] == {"cmake": ".", "kconfig": "Kconfig"}
    assert "config TOY\n" in files["Kconfig"]
    assert "CONFIG_TOY=y" in files["samples/toy_demo/prj.conf"]
    assert "CONFIG_TENSORFLOW_LITE_MICRO=y" in files["samples/toy_demo/prj.conf"]
    assert yaml.safe_load(files["samples/toy_demo/sample.yaml"])["tests"]["sample.toy.self_test"]


def test_android_app_has_model_labels_and_preprocessing():
    files = render_project(MODEL, "android", name="toy")
    assert files["app/src/main/assets/labels.txt"] == 'a\nb "quoted"\n'
    assert read(files["app/src/main/assets/toy.tflite"]).main.ops[0].code == "FULLY_CONNECTED"
    code = files["app/src/main/java/org/example/toy/ToyModel.kt"]
    assert "floatArrayOf(127.5f)" in code
    assert "input.put(((real / 0.5f).roundToInt() + 3).coerceIn(-128, 127).toByte())" in code
    assert "(output.get().toInt() - (-128)) * 1.0f" in code
    assert code.count("{") == code.count("}")
    xml.etree.ElementTree.fromstring(files["app/src/main/AndroidManifest.xml"])
    assert "com.google.ai.edge.litert:litert" in files["app/build.gradle.kts"]
    assert 'noCompress += "tflite"' in files["app/build.gradle.kts"]


def test_values_are_quantized_like_the_runtime_does(tmp_path):
    files = unpack(render_project(MODEL, "cmake", name="toy"), tmp_path)
    main = tmp_path / "main.c"
    main.write_text(
        '#include <stdio.h>\n#include "toy_values.h"\nint main(void) {\n'
        '  printf("%d %d %d %d %d ", toy_quantize_0(0.25f), toy_quantize_0(-2.25f), toy_quantize_0(1e30f),\n'
        "         toy_quantize_0(-1e30f), toy_quantize_0(0.0f / 0.0f));\n"
        '  printf("%g %g %s\\n", toy_dequantize_0(-126), toy_normalize(191.5f, 0), toy_label(1));\n'
        "  return 0;\n}\n"
    )
    status, said = run(
        *compiler("c"), "-std=c99", "-Wall", "-Wextra", "-I", files / "src", main, "-o", tmp_path / "x"
    )
    assert status == 0, said
    # 0.25 / 0.5 + 3 = 3.5 rounds away from zero, as -1.5 does.
    assert run(tmp_path / "x")[1] == '4 -2 127 -128 -128 2 1 b "quoted"\n'


def test_arena_macro_covers_what_tflm_needs_to_start():
    files = render_project(MODEL, "cmake", name="toy", runtime="tflm")
    arena = int(re.search(r"#define TOY_ARENA_BYTES (\d+)u", files["src/toy.h"]).group(1))
    assert arena >= measure_arena(MODEL).required_bytes * 1.05
    assert "MicroMutableOpResolver<1>" in files["src/toy_tflm.cpp"]
    assert "resolver.AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())" in files["src/toy_tflm.cpp"]


def test_nothing_is_written_where_something_is_wrong(tmp_path):
    for arguments, error, message in (
        ({"target": "amiga"}, ValueError, "target must be one of arduino, platformio"),
        ({"target": "cmake", "name": "no spaces"}, ValueError, "name must be a C identifier"),
        ({"target": "cmake", "runtime": "java"}, ValueError, "runtime must be one of c, tflm"),
    ):
        with pytest.raises(error, match=message):
            write_project(MODEL, tmp_path / "out", **arguments)
    model = conv_model()
    operator(model, "TOPK_V2", [0], [])
    with pytest.raises(ModelError, match="TFLM does not have TOPK_V2"):
        write_project(pack(model), tmp_path / "out", "cmake", runtime="tflm")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["arduino", "platformio", "esp-idf", "zephyr", "cmake", "android"])
def test_projects_are_deterministic(target):
    assert render_project(MODEL, target) == render_project(MODEL, target)
