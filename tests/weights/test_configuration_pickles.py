"""Checkpoints with yacs' configuration: read as a plain table; whatever else a pickle wants is refused."""

import os
import sys
import types

import pytest
import torch

from vdepth_core.errors import WeightsError
from vdepth_core.weights.loading import read_weights

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3)}


@pytest.fixture
def yacs(monkeypatch):
    """The configuration class as yacs has it; the module is gone again when the file is read."""

    class CfgNode(dict):
        def __init__(self, values=()):
            super().__init__(values)
            self.__dict__["__immutable__"] = False
            self.__dict__["__deprecated_keys__"] = {"old.key"}
            self.__dict__["__renamed_keys__"] = {}
            self.__dict__["__new_allowed__"] = False

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    package, module = types.ModuleType("yacs"), types.ModuleType("yacs.config")
    module.CfgNode = CfgNode
    for name, value in (("yacs", package), ("yacs.config", module)):
        monkeypatch.setitem(sys.modules, name, value)
    return CfgNode


class Calls:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


def saved(path, config, monkeypatch, legacy=False):
    content = {"config": config, "epoch": 3, "state_dict": STATE, "optimizer": {}, "scheduler": {}}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    for name in ("yacs", "yacs.config"):
        monkeypatch.delitem(sys.modules, name)
    return path


@pytest.mark.parametrize("legacy", [False, True])
def test_a_configuration_is_read_as_a_table_without_its_class(yacs, tmp_path, monkeypatch, legacy):
    config = yacs({"name": "run", "model": yacs({"depth_net": yacs({"name": "PackNet01"})})})
    weights = read_weights(saved(tmp_path / "w.ckpt", config, monkeypatch, legacy))
    assert weights.state.keys() == STATE.keys()
    assert torch.equal(weights.state["a.weight"], STATE["a.weight"])
    assert "yacs" not in sys.modules
    with pytest.raises(Exception, match="CfgNode"):  # nobody else's files are read any differently
        torch.load(tmp_path / "w.ckpt", weights_only=True)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_inside_a_configuration_is_refused_and_does_not_run(yacs, tmp_path, monkeypatch, legacy):
    proof = tmp_path / "ran"
    evil = Calls(os.system, f"touch '{proof}'")
    for config in (evil, yacs({"name": evil}), [yacs({"a": {"b": evil}})]):
        monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
        module = types.ModuleType("yacs.config")
        module.CfgNode = yacs
        monkeypatch.setitem(sys.modules, "yacs.config", module)
        path = saved(tmp_path / "w.ckpt", config, monkeypatch, legacy)
        with pytest.raises(WeightsError, match="run code"):
            read_weights(path)
        assert not proof.exists()


@pytest.mark.parametrize("name", ["load_cfg", "CfgNode.load_cfg", "_VALID_TYPES"])
def test_nothing_else_of_the_module_is_allowed(tmp_path, name):
    module, _, attribute = f"yacs.config.{name}".rpartition(".")
    pickled = f"c{module}\n{attribute}\n)R.".encode()
    magic = torch.save  # the legacy format: pickles one behind the other
    assert magic
    import pickle

    with (tmp_path / "w.ckpt").open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(part, file, protocol=2)
        file.write(b"\x80\x02" + pickled)
        pickle.dump([], file, protocol=2)
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "w.ckpt")


def test_a_state_may_not_become_code_by_its_configuration_s_attributes(yacs, tmp_path, monkeypatch):
    """Attributes of the table are data: whatever they are called, nothing looks them up."""
    config = yacs({"name": "run"})
    config.__dict__.update(get=4, __class__="x", keys="none")
    weights = read_weights(saved(tmp_path / "w.ckpt", config, monkeypatch))
    assert weights.state.keys() == STATE.keys()
