"""Torch's time for a frame over ONNX Runtime's on this CPU, and over OpenVINO's where that is installed.

    python benchmarks/runtimes.py [--model embedded] [--model PATH] [--size 256x448] [--threads 1]

Each model at each size on each number of threads, in one process: frames go round the runtimes in turn, so
that whatever else the machine does falls on all of them. Of one thread the processor's time counts, of more
the clock's, best of all rounds; torch runs as vdepth runs it, normalisations folded, channels last. Beside it
stand what the answers differ by, as a share of the largest value, and how long exporting takes. ``ratio`` is
that of ONNX Runtime for the first model and size on one thread.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from importlib.util import find_spec
from typing import Any

import torch
from footage import machine

from vdepth_core.models.network_model import NetworkModel
from vdepth_core.models.registry import load_model
from vdepth_core.models.runtime import OnnxNetwork, onnx_runtime


class OpenVino:
    """The exported network on OpenVINO."""

    runtime = "openvino"

    def __init__(self, network: OnnxNetwork, size: tuple[int, int], threads: int) -> None:
        import openvino

        core = openvino.Core()
        graph = core.read_model(io.BytesIO(network.graph))
        graph.reshape([1, 3, *size])
        hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
        self._request = core.compile_model(graph, "CPU", hints).create_infer_request()

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self._request.infer({0: batch.contiguous().numpy()})[0].copy())


def loaded(name: str) -> NetworkModel:
    """The model, as a job loads it."""
    model = load_model(name, "cpu", "fp32")
    assert isinstance(model, NetworkModel)
    return model


def compare(name: str, size: tuple[int, int], threads: int, rounds: int) -> dict[str, Any]:
    """Milliseconds a frame by runtime."""
    torch.set_num_threads(threads)
    models = {"torch": loaded(name), "onnx": loaded(name)}
    began = time.process_time()
    exported = OnnxNetwork(models["onnx"].network, models["onnx"].spec.multiple)
    export = (time.process_time() - began) * 1000
    models["onnx"].hand_to(exported)
    if find_spec("openvino") is not None:
        models["openvino"] = loaded(name)
        models["openvino"].hand_to(OpenVino(exported, size, threads))
    frames = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    answers = {runtime: model.predict(frames) for runtime, model in models.items()}
    clock = time.process_time if threads == 1 else time.perf_counter
    spent: dict[str, list[float]] = {runtime: [] for runtime in models}
    for _ in range(rounds):
        for runtime, model in models.items():
            began = clock()
            model.predict(frames)
            spent[runtime].append((clock() - began) * 1000)
    largest = float(answers["torch"].abs().max())
    found: dict[str, Any] = {"model": name, "size": "x".join(map(str, size)), "threads": threads}
    for runtime, times in spent.items():
        found[runtime] = round(min(times), 1)
        if runtime != "torch":
            found[f"torch/{runtime}"] = round(min(spent["torch"]) / min(times), 2)
            found[f"{runtime} off"] = float(
                f"{(answers[runtime] - answers['torch']).abs().max() / largest:.1e}"
            )
    return found | {"export": round(export)}


def main() -> None:
    """Prints a line each and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", help="name or path; may be repeated (embedded)")
    parser.add_argument("--size", action="append", help="HxW; may be repeated (256x448 and 384x672)")
    parser.add_argument("--threads", type=int, action="append", help="may be repeated (1 and 2)")
    parser.add_argument("--frames", type=int, default=12, help="rounds")
    options = parser.parse_args()
    found = [
        compare(name, (int(rows), int(columns)), threads, options.frames)
        for name in options.model or ["embedded"]
        for rows, columns in (size.split("x") for size in options.size or ["256x448", "384x672"])
        for threads in options.threads or [1, 2]
    ]
    for line in found:
        print(", ".join(f"{key} {value}" for key, value in line.items()))
    first = found[0]
    facts = {
        "benchmark": "runtimes",
        "ratio": first["torch/onnx"],
        "ours": first["onnx"],
        "baseline": first["torch"],
        "unit": "ms a frame",
        "runtime": onnx_runtime(),
        "all": found,
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
