"""A tiny checkpoint and the files of every task."""

import grammar
import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    """What --init_checkpoint takes; two layers, 32 wide, never trained."""
    return grammar.write_checkpoint(
        str(tmp_path_factory.mktemp("checkpoint") / "tiny"), hidden_size=32
    )


@pytest.fixture(scope="session")
def task_files(tmp_path_factory):
    """A folder with the files of all tasks, twelve examples each."""
    folder = tmp_path_factory.mktemp("tasks")
    grammar.write_glue(folder, 12)
    grammar.write_squad(folder, 12)
    grammar.write_tags(folder, 12)
    return folder
