"""What must hold on a GPU. `make gpu` runs these with `-m gpu`, alone: they need neither the page nor its packages.

Each runs on the CPU too, as a rehearsal, so that the tests themselves are known to work where there is no GPU.
"""

import pytest
import torch


@pytest.fixture(params=[pytest.param("cuda", marks=pytest.mark.gpu), pytest.param("cpu", marks=pytest.mark.slow)])
def device(request, monkeypatch, tmp_path_factory):
    """Where to compute, in whole float32: TF32 would hide small mistakes."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU here")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path_factory.getbasetemp() / "stores"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)                                 # beside other tests two wait for one another
    yield torch.device(request.param)
    torch.set_num_threads(threads)
