import pytest
import torch


@pytest.fixture
def one_thread(tmp_path_factory, monkeypatch):
    """Results bit for bit, and drawn clips that are built once for all tests."""
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path_factory.getbasetemp() / "stores"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
