"""Only the newest control plane writes what Envoy reads, and it leaves nothing half-written."""

import pytest

from surefoot.adapters.envoy.staging import Staging
from surefoot.domain.errors import Relieved


@pytest.fixture
def folder(tmp_path):
    """Where files are staged, beside what Envoy reads."""
    made = tmp_path / "staging"
    made.mkdir()
    return made


def test_what_an_earlier_one_had_begun_is_removed(folder, tmp_path):
    """A full disk or a kill leaves a part of a file; no later epoch keeps it."""
    Staging(folder, 1).take_over()
    (folder / "stage.1" / "cds.json.4711").write_text('{"version')
    later = Staging(folder, 2)
    later.take_over()
    assert [path.name for path in folder.rglob("*")] == ["stage.2"]
    later.write(tmp_path / "cds.json", {"version_info": "2.1"})
    assert (tmp_path / "cds.json").read_text() == '{"version_info": "2.1"}'


def test_an_earlier_one_writes_no_more(folder, tmp_path):
    """Its folder is gone, and what is in place stays."""
    earlier, later = Staging(folder, 1), Staging(folder, 2)
    earlier.take_over()
    later.take_over()
    with pytest.raises(Relieved):
        earlier.write(tmp_path / "cds.json", {})
    with pytest.raises(Relieved):
        earlier.take_over()
    assert not (tmp_path / "cds.json").exists()
