"""The package builds, holds everything it needs, and is what setup.cfg and the README say."""

import configparser
import email
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGES = ("keras_shrink", "tflite_export")
BESIDE = (
    "CHANGELOG.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "constraints.txt",
    "pyproject.toml",
    "setup.cfg",
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def settings():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Source distribution and wheel, made by the tools installed here, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    copy = tmp_path_factory.mktemp("source") / "keras_shrink"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


def sources():
    """Every file of the two packages, as paths from the root."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == set(sources())
    assert {name.rpartition(".")[2] for name in names} >= {"py", "c", "h", "ld", "j2", "toml", "json"}


@pytest.mark.slow
def test_the_source_distribution_holds_what_builds_it(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(sources()) <= names
    assert set(BESIDE) <= names


@pytest.mark.slow
def test_the_metadata_is_valid_and_describes_the_package(built, settings):
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        content = wheel.read(name)
        entry_points = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    metadata = Metadata.from_email(content)  # an index refuses what this refuses
    assert str(metadata.version) == settings["metadata"]["version"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description.strip() == README.strip()
    assert set(metadata.provides_extra) == set(settings["options.extras_require"])
    assert email.message_from_bytes(content)["License"] == "Apache-2.0"
    assert "keras-shrink = keras_shrink.cli:main" in entry_points


@pytest.mark.slow
def test_the_installed_wheel_answers_without_tensorflow(built, tmp_path):
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(tmp_path)
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing them would fail
sys.argv = ["keras-shrink", "--version"]
from keras_shrink import cli
assert cli.__file__.startswith(sys.path[1])
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
    )
    assert re.fullmatch(r"keras-shrink \d+\.\d+\.\d+\n", done.stdout), done.stderr


def test_every_extra_is_in_the_readme(settings):
    extras = set(settings["options.extras_require"])
    assert set(re.findall(r"`\[([a-z]+)\]`", README)) == extras


def test_every_dependency_has_an_exact_version_in_the_constraints(settings):
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in pins if "==" in line}
    lists = [settings["options"]["install_requires"], *settings["options.extras_require"].values()]
    for requirement in (Requirement(line) for text in lists for line in text.split("\n") if line):
        assert re.sub(r"[-_.]+", "-", requirement.name).lower() in pinned, requirement.name


def test_the_changelog_begins_with_this_version(settings):
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, flags=re.M)
    assert versions[0] in ("Unreleased", settings["metadata"]["version"])
    assert settings["metadata"]["version"] in versions
