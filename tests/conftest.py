"""Which tests one worker takes one after the other, where several run side by side."""

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/browser/test_browser_rollouts.py",
    "tests/e2e/test_bad_input.py",
    "tests/e2e/test_real_services.py",
    "tests/e2e/test_streams.py",
    "tests/security/test_whole_installation.py",
}
"""Files whose tests share an installation, which takes more than a minute to make."""


class Scheduling(LoadScopeScheduling):
    """Those files as a whole, all other tests one by one."""

    def _split_scope(self, nodeid):
        file = nodeid.split("::", 1)[0]
        return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)  # where tests run one after the other, nobody asks
def pytest_xdist_make_scheduler(config, log):
    """For `--dist loadscope`, which would keep the tests of every file together."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadscope" else None
