"""Files to download, and what an earlier run may have left of them."""

from __future__ import annotations

import hashlib
import random

import pytest
from weights.file_server import Fault, Page
from weights.listener import Listener

from vdepth_core.errors import Cancelled
from vdepth_core.weights.fetch.download import download

BODY = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(310_000)
SHA = hashlib.sha256(BODY).hexdigest()
SIZE = len(BODY)
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


def leftovers(target):
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def leave(server, target, count, page=None, **kwargs):
    """An earlier run that was stopped when ``count`` bytes were on disk."""
    page = page or Page(BODY)
    page.faults = iter([Fault(cut=count)])
    url = server.add("/w.bin", page)
    with pytest.raises(Cancelled):
        download(url, target, progress=Listener(count), **kwargs)
    assert target.with_name("w.bin.part").stat().st_size == count
    server.asked.clear()
    return url
