"""The operators that an exported graph may use: those that compute, and nothing that a file could misuse.

An operator of the core ATen set is known by its tag; of the others, those that exporters leave are listed.
Left out are the ones that open files, hand out memory as it is, draw random numbers or change their input.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TRAINING", "operator_of"]

#: ATen operators beyond the core set, by name without the overload.
_LISTED = frozenset(
    """
    _assert_scalar _assert_tensor_metadata adaptive_avg_pool2d alias_copy arange batch_norm
    broadcast_tensors broadcast_to chunk clamp_max clamp_min complex concat concatenate contiguous conv1d
    conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity detach detach_ diff
    divide dot dropout einsum expand_as eye fft_fft fft_fft2 fft_fftshift fft_ifft fft_irfft fft_rfft
    flatten glu group_norm gru hamming_window hann_window hardsigmoid hardswish imag inner instance_norm
    istft item layer_norm lift_fresh_copy linalg_norm linalg_vector_norm linear linspace log_sigmoid
    log_softmax logsumexp lstm matmul max_pool1d max_pool2d meshgrid mish moveaxis movedim multiply mv
    narrow new_full new_ones new_zeros norm numpy_T ones ones_like outer pad pairwise_distance pixel_shuffle
    pixel_unshuffle polar prelu ravel real relu6 reshape reshape_as resolve_conj resolve_neg rms_norm roll
    rsub scaled_dot_product_attention select selu silu softmax softplus split square squeeze stack std stft
    subtract sum swapaxes swapdims sym_constrain_range sym_constrain_range_for_size t take_along_dim
    tensor_split threshold tile to transpose tril triu true_divide type_as unbind unflatten unfold
    unsafe_chunk unsafe_split upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d
    var view_as view_as_complex view_as_real where zeros zeros_like
    """.split()  # noqa: SIM905 - a word list reads best as words
)
#: Those that draw random numbers only where an argument of `TRAINING` says so.
_STILL = frozenset({"dropout", "gru", "lstm", "scaled_dot_product_attention"})
#: Arguments that are set in a model that is being trained: it draws random numbers, or segments of a batch
#: change each other.
TRAINING = frozenset({"dropout_p", "train", "training"})
#: Core operators that hand out memory as it is.
_RAW = frozenset({"empty", "empty_like", "empty_strided"})
#: ``detach_`` changes no value.
_HARMLESS = frozenset({"detach_"})
_NUMBERS: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            *("abs", "add", "floordiv", "mod", "mul", "neg", "sub", "truediv", "getitem"),
            *("and_", "eq", "ge", "gt", "le", "lt", "ne", "not_", "or_"),
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "sqrt", "trunc")},
    "torch.sym_float": float,
    "torch.sym_int": int,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
    "torch.sym_sum": sum,
}


def operator_of(target: str) -> Callable[..., Any]:
    """Return what a node calls.

    Args:
        target: as the file writes it, such as ``torch.ops.aten.conv1d.default``.

    Raises:
        LookupError: it is not one of ours; the text says why.
    """
    if target in _NUMBERS:
        return _NUMBERS[target]
    parts = target.split(".")
    if parts[:3] != ["torch", "ops", "aten"] or len(parts) != 5:
        raise LookupError("it is none of ATen's")
    import torch

    name, overload = parts[3:]
    packet = getattr(torch.ops.aten, name, None) if name.isidentifier() else None
    found: Any = getattr(packet, overload, None) if overload in getattr(packet, "overloads", list)() else None
    if found is None:
        raise LookupError("this torch has no such operator")
    tags = set(found.tags)
    if torch.Tag.nondeterministic_seeded in tags and name not in _STILL:
        raise LookupError("it draws random numbers")
    if found._schema.is_mutable and name not in _HARMLESS:  # noqa: SLF001 - torch shows it nowhere else
        raise LookupError("it changes its input in place")
    if name in _RAW or not (torch.Tag.core in tags or name in _LISTED):
        raise LookupError("it is not among those that are known to be safe")
    call: Callable[..., Any] = found
    return call
