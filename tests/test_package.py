"""What a user installs: the wheel, completion, manual pages, hooks of pre-commit, the GitHub action."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from source_trees import ROOT

from hds.cli.main import SUBCOMMANDS
from hds.version import DISTRIBUTION, VERSION

pytestmark = pytest.mark.programs

VERSIONS = ("3.11", "3.12", "3.13")


def run(*words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program that must succeed; pip's words come with it where it does not."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    ran = subprocess.run(words, cwd=cwd, env={**clean, **(env or {})}, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
    return ran


def python_of(version: str) -> str | None:
    """An interpreter of this version, if there is one."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    named = shutil.which(f"python{version}")
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for path in [*([named] if named else []), *map(str, kept)]:
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what git has of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def installed(python: str, folder: Path, *requirements: str) -> Path:
    """A new environment with these; its folder of programs."""
    run(python, "-m", "venv", folder, cwd=folder.parent)
    run(folder / "bin" / "python", "-m", "pip", "install", "-q", "--prefer-binary", *requirements, cwd=folder)
    return folder / "bin"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works_in_a_clean_environment(version: str, wheel: Path, tmp_path: Path) -> None:
    python = python_of(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    programs = installed(python, tmp_path / "env", str(wheel))
    hds = programs / "hds"
    assert run(hds, "--version", cwd=tmp_path).stdout == f"hds {VERSION}\n"
    assert run(programs / "python", "-m", "hds", "--version", cwd=tmp_path).stdout == f"hds {VERSION}\n"
    assert "linux/strace.hds" in run(hds, "examples", cwd=tmp_path).stdout
    run(hds, "examples", "mine", cwd=tmp_path)
    counted = run(hds, "run", "mine/count_writes.hds", "mine/guests/greet.asm", cwd=tmp_path)
    assert counted.stdout == "3 writes, 18 bytes\n"
    names = run(
        hds, "run", "--root", "mine/linux/root", "mine/linux/strace.hds", "mine/guests/reader.asm", cwd=tmp_path
    )
    assert "openat" in names.stdout  # by what it includes
    run(hds, "check", *sorted((tmp_path / "mine").glob("*.hds")), cwd=tmp_path)
    # What is optional is not there, and the tool says how it comes.
    assert subprocess.run([programs / "python", "-c", "import llvmlite"], capture_output=True).returncode == 1
    refused = subprocess.run([hds, "lsp"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert refused.returncode == 2
    assert f"pip install '{DISTRIBUTION}[lsp]'" in refused.stderr
    pages = {path.name for path in (tmp_path / "env" / "share" / "man" / "man1").iterdir()}
    assert pages == {"hds.1", *(f"hds-{row.name}.1" for row in SUBCOMMANDS)}


def test_bash_completes_subcommands_and_options() -> None:
    completion = subprocess.check_output([sys.executable, "-m", "hds", "completion", "bash"], cwd=ROOT, text=True)
    script = 'complete() { :; }; eval "$COMPLETION"; COMP_WORDS=(hds "$@"); COMP_CWORD=$#; '
    script += '_shtab_hds; printf "%s\\n" "${COMPREPLY[@]}"'
    asked = {("ru",): ["run"], ("run", "--agg"): ["--aggregate"], ("completion", "z"): ["zsh"]}
    for words, expected in asked.items():
        env = {**os.environ, "COMPLETION": completion}
        said = subprocess.check_output(["bash", "-c", script, "bash", *words], env=env, text=True)
        assert said.split() == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed (Debian: fish)")
def test_fish_completes_subcommands_and_options(tmp_path: Path) -> None:
    completion = subprocess.check_output([sys.executable, "-m", "hds", "completion", "fish"], cwd=ROOT, text=True)
    (tmp_path / "hds.fish").write_text(completion, encoding="utf-8")
    for line, expected in {"hds ru": "run", "hds run --agg": "--aggregate", "hds completion fi": "fish"}.items():
        script = f"source hds.fish; complete -C '{line}'"
        said = subprocess.check_output(["fish", "--no-config", "-c", script], cwd=tmp_path, text=True)
        assert expected in [row.partition("\t")[0] for row in said.splitlines()]


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_manual_pages_are_well_formed() -> None:
    for path in (ROOT / "docs" / "man").iterdir():
        read = subprocess.run(["groff", "-man", "-ww", "-Tutf8", path], capture_output=True, text=True)
        assert (read.returncode, read.stderr) == (0, "")
        assert "SYNOPSIS" in read.stdout.replace("\b", "").replace("SSYYNNOOPPSSIISS", "SYNOPSIS")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A repository of a user, with one script in it that has a test."""
    run("git", "init", "-q", ".", cwd=tmp_path)
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "one.hds").write_text("? print(0n6 * 0n7);\n\n// test: a product\n//   run:\n//   out: 2a\n")
    return folder


def test_the_action_checks_and_tests_scripts(scripts: Path, tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    steps = [step for step in action["runs"]["steps"] if "run" in step]
    inputs = {f"inputs.{name}": row["default"] for name, row in action["inputs"].items()} | {
        "inputs.scripts": "scripts"
    }
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for step in steps[1:]:  # the first installs hds
        given = {name: inputs[value.strip("${} ")] for name, value in step.get("env", {}).items()}
        run("bash", "-e", "-o", "pipefail", "-c", step["run"], cwd=tmp_path, env=env | given)
    assert (tmp_path / inputs["inputs.junit"]).is_file()
    given = {**os.environ, **env, "SCRIPTS": "scripts", "OPTIONS": "", "JUNIT": "none.xml"}

    def codes() -> list[bool]:
        ran = [subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=given) for step in steps[1:]]
        return [each.returncode == 0 for each in ran]

    (scripts / "one.hds").rename(scripts / "one.ds").write_text("? print(6);\n")
    assert codes() == [True, True]  # there is no test, which is no mistake
    (scripts / "one.ds").write_text("? print(6 * );\n")
    assert codes()[0] is False


def test_hooks_of_pre_commit_do_what_they_are_called(scripts: Path, tmp_path: Path) -> None:
    rows = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    hooks = {row["id"]: [Path(sys.executable).parent / "hds", *row["entry"].split()[1:]] for row in rows}
    script = scripts / "one.hds"
    for words in hooks.values():
        run(*words, script, cwd=tmp_path)
    script.write_text("? print( 1 );\n\n// test: a number\n//   run:\n//   out: 2\n")
    codes = {name: subprocess.run([*words, script], capture_output=True).returncode for name, words in hooks.items()}
    assert codes == {"hds-check": 0, "hds-fmt": 0, "hds-test": 1}
    assert script.read_text().startswith("? print(1);\n")
    script.write_text("? print(1);\n")
    run(*hooks["hds-test"], script, cwd=tmp_path)  # there is no test, which is no mistake
    assert {row["files"] for row in rows} == {r"\.(hds|ds)$"}
