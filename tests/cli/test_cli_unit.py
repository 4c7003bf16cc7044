"""The systemd unit that `up --unit` prints."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from console import Console, lonely

__all__ = ["lonely"]  # pytest takes fixtures by name from here

ANALYZE = shutil.which("systemd-analyze")
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def printed(console: Console, kind: str, *more: str, **environment: str) -> str:
    said = console("up", "--unit", kind, *more, **environment)
    assert (said.code, said.err) == (0, "")
    return said.out


def test_a_unit_is_of_this_installation_and_starts_nothing(lonely: Console) -> None:
    """Its interpreter, its home, and what releases get from here; no home is made."""
    text = printed(lonely, "system", "--listen", "127.0.0.1:7070", PATH="/here/bin")
    assert f'ExecStart="{sys.executable}" -m surefoot up --foreground' in text
    assert '--listen "127.0.0.1:7070"' in text
    assert f'Environment="SUREFOOT_HOME={lonely.home}"' in text
    assert 'Environment="PATH=/here/bin"' in text
    assert not lonely.home.exists()


@pytest.mark.parametrize("kind", ["user", "system"])
def test_stopping_the_control_plane_stops_nothing_else(lonely: Console, kind: str) -> None:
    """Each setting that keeps users served is there, and the page says why."""
    text = printed(lonely, kind)
    page = OPERATIONS.read_text(encoding="utf-8")
    for setting in ("KillMode=process", "OOMPolicy=continue", "Restart=on-failure"):
        assert re.search(f"^{setting}$", text, re.MULTILINE)
        assert f"`{setting}`" in page
    assert ("User=" in text) is (kind == "system")


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not here")
@pytest.mark.parametrize("kind", ["user", "system"])
@pytest.mark.parametrize("home", ["home", 'a b%c"d\\e$f'])
def test_systemd_understands_the_unit(
    lonely: Console, tmp_path: Path, kind: str, home: str
) -> None:
    """Homes with odd names included."""
    environment = {"SUREFOOT_HOME": str(tmp_path / home)}
    unit = tmp_path / "surefoot.service"
    unit.write_text(printed(lonely, kind, **environment))
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", f"--{kind}", str(unit)],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "initialize manager" in done.stderr:
        pytest.skip(f"systemd cannot look at units here: {done.stderr}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
