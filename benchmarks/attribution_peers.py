"""The peers of `attribution.py`: the packages traker (TRAK) and dattri, each through its own interface, on the networks that it is given.

    pip install --no-deps --no-build-isolation traker; pip install --no-deps dattri tqdm

The target is the margin (log odds of the right class) for all of them. What can be tuned is tuned on other test examples than those
reported: TRAK its projection and its ridge, dattri's methods their regularisation.
"""

from __future__ import annotations

import copy
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Result = tuple[str, np.ndarray, float]  # the setting, float32[test, example], CPU seconds
Pictures = tuple[Tensor, Tensor]


def trak(nets: Sequence[nn.Module], train: Pictures, test: Pictures, *, width: int, ridges: Sequence[float]) -> Iterator[Result]:
    """TRAK (Park et al. 2023) by its authors' package, `width` projected dimensions; the gradients are projected once for all ridges."""
    from trak import TRAKer  # a peer, imported where it is there

    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        options: dict[str, Any] = {"device": "cpu", "use_half_precision": False, "logging_level": logging.ERROR, "proj_dim": width}
        model = copy.deepcopy(nets[0])
        traker = TRAKer(model, "image_classification", len(train[0]), save_dir=folder, **options)
        for number, net in enumerate(nets):
            traker.load_checkpoint(net.state_dict(), model_id=number)
            for x, y in _batches(*train):
                traker.featurize(batch=(x, y), num_samples=len(x))
        traker.projector.free_memory = lambda: None  # several ridges are solved with the same projected gradients
        scored = False
        shared = time.process_time() - begun
        for ridge in ridges:
            begun = time.process_time()
            scale = _scale(traker, len(nets))
            traker.score_computer.lambda_reg = ridge * scale
            for number in range(len(nets)):
                traker.saver.model_ids[number]["is_finalized"] = 0
            traker.finalize_features()
            if not scored:
                for number, net in enumerate(nets):
                    traker.start_scoring_checkpoint("test", net.state_dict(), number, len(test[0]))
                    for x, y in _batches(*test):
                        traker.score(batch=(x, y), num_samples=len(x))
                shared += time.process_time() - begun
                begun, scored = time.process_time(), True
            found = traker.finalize_scores("test")
            yield f"{width} dimensions, ridge {ridge:g}", np.array(found).T.copy(), shared + time.process_time() - begun


def _scale(traker: Any, models: int) -> float:
    """Give the mean of the diagonal of the features' product, so that a ridge has no unit."""
    total = 0.0
    for number in range(models):
        traker.saver.load_current_store(number)
        gradients = torch.as_tensor(np.array(traker.saver.current_store["grads"]))
        total += float(gradients.square().sum(0).mean()) / models
    return total


def _dattri_task(nets: Sequence[nn.Module]) -> Any:
    from dattri.task import AttributionTask  # a peer, imported where it is there

    model = copy.deepcopy(nets[0]).eval()

    def scores_of(params: Any, data: Any) -> tuple[Tensor, Tensor]:
        image, label = data  # one example or a batch, by the method
        return torch.func.functional_call(model, params, image.reshape(-1, *image.shape[-3:])), label.reshape(-1)

    def margin(params: Any, data: Any) -> Tensor:
        return _margin(*scores_of(params, data)).sum()

    def loss(params: Any, data: Any) -> Tensor:
        return F.cross_entropy(*scores_of(params, data))

    states = [{name: tensor for name, tensor in net.state_dict().items()} for net in nets]
    return AttributionTask, margin, loss, model, states


def dattri_trak(nets: Sequence[nn.Module], train: Pictures, test: Pictures, *, width: int, ridges: Sequence[float]) -> Iterator[Result]:
    """TRAK as dattri has it."""
    from dattri.algorithm.trak import TRAKAttributor

    task_type, margin, _, model, states = _dattri_task(nets)

    def probability(params: Any, data: Any) -> Tensor:
        image, label = data
        scores = torch.func.functional_call(model, params, image.unsqueeze(0))
        return torch.exp(-F.cross_entropy(scores, label.reshape(1)))

    for ridge in ridges:
        begun = time.process_time()
        task = task_type(loss_func=margin, model=model, checkpoints=states, target_func=margin)
        given = {"proj_dim": width, "device": "cpu"}
        made = TRAKAttributor(task, probability, projector_kwargs=given, device="cpu", regularization=ridge)
        with torch.no_grad():
            made.cache(_loader(*train))
            found = made.attribute(_loader(*test))
        yield f"{width} dimensions, regularisation {ridge:g}", found.numpy().T.copy(), time.process_time() - begun


def dattri_influence(
    kind: str, nets: Sequence[nn.Module], train: Pictures, test: Pictures, *, regularisations: Sequence[float]
) -> Iterator[Result]:
    """Influence functions as dattri has them: DataInf, Arnoldi, EK-FAC; summed over the networks."""
    from dattri.algorithm import influence_function

    task_type, margin, loss, model, states = _dattri_task(nets)
    for value in regularisations:
        begun = time.process_time()
        total: Any = 0.0
        for state in states:
            task = task_type(loss_func=loss, model=model, checkpoints=[state], target_func=margin)
            made = _influence_kind(influence_function, kind)(task, value)
            made.cache(_loader(*train))
            total = total + made.attribute(_loader(*train), _loader(*test)).detach()
        # The slope of a margin is minus that of a loss: leaving an example out is the other way round.
        yield f"regularisation {value:g}", -total.numpy().T.copy(), time.process_time() - begun


def _influence_kind(module: Any, kind: str) -> Callable[[Any, float], Any]:
    if kind == "DataInf":
        return lambda task, value: module.IFAttributorDataInf(task=task, device="cpu", regularization=value)
    if kind == "EK-FAC":
        return lambda task, value: module.IFAttributorEKFAC(task=task, device="cpu", damping=value)
    return lambda task, value: module.IFAttributorArnoldi(task=task, device="cpu", regularization=value, proj_dim=50, max_iter=60)


def dattri_tracin(nets: Sequence[nn.Module], train: Pictures, test: Pictures) -> Iterator[Result]:
    """TracIn over the networks' last weights, as dattri has it."""
    from dattri.algorithm.tracin import TracInAttributor

    task_type, margin, loss, model, states = _dattri_task(nets)
    for normalised in (False, True):
        begun = time.process_time()
        task = task_type(loss_func=loss, model=model, checkpoints=states, target_func=margin)
        made = TracInAttributor(task, weight_list=torch.ones(len(states)), normalized_grad=normalised, device="cpu")
        with torch.no_grad():
            found = made.attribute(_loader(*train), _loader(*test))
        name = "cosine of the gradients" if normalised else "product of the gradients"
        yield name, -found.numpy().T.copy(), time.process_time() - begun


def _margin(scores: Tensor, labels: Tensor) -> Tensor:
    own = scores.gather(1, labels[:, None])[:, 0]
    return own - scores.scatter(1, labels[:, None], -torch.inf).logsumexp(1)


def _batches(x: Tensor, y: Tensor, size: int = 100) -> Iterator[Pictures]:
    for at in range(0, len(x), size):
        yield x[at : at + size], y[at : at + size]


def _loader(x: Tensor, y: Tensor) -> DataLoader[Any]:
    return DataLoader(TensorDataset(x, y), batch_size=200, shuffle=False)
