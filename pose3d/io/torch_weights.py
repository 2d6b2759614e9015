"""Weights that PyTorch saved (.pth), read without PyTorch and without unpickling: nothing in a file is ever executed.

Such a file is a pickle, a program for a small stack machine, beside the numbers. Here the program is run by a machine
of our own that knows dictionaries, tuples, numbers, texts and "a tensor lies there", and refuses the rest.

References
----------
``_legacy_load`` and ``_load`` of PyTorch's torch/serialization.py; Python's pickletools, for what the opcodes mean.
"""

import io
import math
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import FormatError
from pose3d.io.files import require_file

__all__ = ["read_torch_weights"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MOST_BYTES = 2**31
_MOST_PROGRAM_BYTES = 2**22
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|u1",
}
_REBUILD = ("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = ("torch._utils", "_rebuild_parameter")
_DICTIONARY = ("collections", "OrderedDict")
_PLAIN = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class _Global:
    module: str
    name: str


@dataclass(frozen=True)
class _Storage:
    dtype: str
    key: str
    n_values: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """Where a list of items begins on the stack."""


class _Refused(ValueError):
    """The file asks for something that weights do not need."""


def read_torch_weights(path: str | Path) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of a ``state_dict`` that ``torch.save`` wrote, in the zip form or the one before it.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        Name to array, in the file's order. Whole numbers become floating point as well.

    Raises
    ------
    FormatError
        If the file is no such file, is cut short or damaged, or holds anything but tensors; code in it is not run.
    """
    path = require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of, damaged texts, is no better than an error here
            return _read(path)
    except _Refused as error:
        raise FormatError(
            f"{path}: is not read, {error}; nothing of it was run; only a state_dict of torch.save is accepted"
        ) from error
    except (
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
        Warning,
        zipfile.BadZipFile,
    ) as error:
        raise FormatError(f"{path}: holds no weights of PyTorch, or is cut short or damaged; copy it anew") from error


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise _Refused(f"{size:,} bytes are more than are read")
    data = path.read_bytes()
    tensors, values = _read_zip(data) if zipfile.is_zipfile(io.BytesIO(data)) else _read_legacy(data)
    if sum(math.prod(tensor.shape) for tensor in tensors.values()) > size:
        raise _Refused("its tensors are larger than the file")
    return {name: _array(tensor, values[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_legacy(data: bytes) -> tuple[dict[str, _Tensor], dict[str, NDArray[Any]]]:
    stream = io.BytesIO(data)
    if _run(stream) != _MAGIC or _run(stream) != _PROTOCOL:
        raise ValueError("no file of torch.save")
    machine = _run(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise _Refused("its numbers are in an order that is not read here")
    tensors = _tensors(_run(stream))
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    values: dict[str, NDArray[Any]] = {}
    for key in _run(stream):
        storage = storages[key]
        (count,) = np.frombuffer(data, "<i8", 1, stream.tell())
        if count != storage.n_values or key in values:
            raise ValueError("a storage has another size than its tensor")
        start = stream.tell() + 8
        values[key] = np.frombuffer(data, storage.dtype, storage.n_values, start)
        stream.seek(start + values[key].nbytes)
    return tensors, values


def _read_zip(data: bytes) -> tuple[dict[str, _Tensor], dict[str, NDArray[Any]]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(names) != 1:
            raise ValueError("no file of torch.save")
        folder = names[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and _member(archive, f"{folder}byteorder") != b"little":
            raise _Refused("its numbers are in an order that is not read here")
        tensors = _tensors(_run(io.BytesIO(_member(archive, names[0]))))
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        if sum(np.dtype(storage.dtype).itemsize * storage.n_values for storage in storages.values()) > len(data):
            raise _Refused("its tensors are larger than the file")
        values = {}
        for key, storage in storages.items():
            content = _member(archive, f"{folder}data/{key}")
            if len(content) < np.dtype(storage.dtype).itemsize * storage.n_values:
                raise ValueError("a storage is cut short")
            values[key] = np.frombuffer(content, storage.dtype, storage.n_values)
    return tensors, values


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    member = archive.getinfo(name)
    # torch never compresses: what is compressed here was made to be larger than it looks.
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise _Refused("it is compressed")
    return archive.read(member)


def _tensors(state: object) -> dict[str, _Tensor]:
    if not isinstance(state, dict) or not state:
        raise _Refused("it holds no dictionary of tensors")
    for name, value in state.items():
        if not isinstance(value, _Tensor):
            raise _Refused(f"{name!r:.60} in it is no tensor")
    keys: dict[str, _Storage] = {}
    for tensor in state.values():
        if keys.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError("a storage is named twice")
    return state


def _array(tensor: _Tensor, values: NDArray[Any]) -> NDArray[np.float32]:
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, np.float32)
    steps = [stride * values.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps, writeable=False)
    return np.array(view, np.float32, order="C")


def _run(stream: io.BytesIO) -> Any:
    """Run one pickle, up to its end, and return what it builds."""
    start = stream.tell()
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for operation, argument, position in pickletools.genops(stream):
        if position is not None and position - start > _MOST_PROGRAM_BYTES:
            raise _Refused("its description is too long to be true")
        name = operation.name
        if name == "STOP":
            return stack.pop()
        if name in _PLAIN:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name == "MARK":
            stack.append(_Mark())
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _TUPLES:
            stack.append(tuple(_taken(stack, _TUPLES[name])))
        elif name == "GLOBAL":
            stack.append(_global(*argument.split(" ", 1)))
        elif name not in ("PROTO", "FRAME"):
            _combine(stack, name)
    raise ValueError("a pickle without an end")


def _combine(stack: list[Any], name: str) -> None:
    """Run an operation that takes things off the stack."""
    if name == "TUPLE":
        stack.append(tuple(_marked(stack)))
    elif name == "STACK_GLOBAL":
        stack.append(_global(*_taken(stack, 2)))
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name == "REDUCE":
        function, arguments = _taken(stack, 2)
        stack.append(_called(function, arguments))
    elif name == "BUILD":  # attributes: those of a dictionary are versions of the modules, which nothing here needs
        stack.pop()
        if not isinstance(stack[-1], dict):
            raise _Refused("it sets attributes")
    elif name in ("SETITEM", "SETITEMS"):
        items = _taken(stack, 2) if name == "SETITEM" else _marked(stack)
        if not isinstance(stack[-1], dict) or not all(isinstance(key, str) for key in items[::2]):
            raise _Refused("it holds a dictionary without names")
        stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name in ("APPEND", "APPENDS"):
        items = _taken(stack, 1) if name == "APPEND" else _marked(stack)
        if not isinstance(stack[-1], list):
            raise ValueError("no list")
        stack[-1].extend(items)
    else:
        raise _Refused(f"it needs {name}, which weights do not")


def _taken(stack: list[Any], count: int) -> list[Any]:
    if len(stack) < count:
        raise ValueError("the stack is empty")
    items = stack[-count:]
    del stack[-count:]
    return items


def _marked(stack: list[Any]) -> list[Any]:
    place = len(stack) - 1
    while place >= 0 and not isinstance(stack[place], _Mark):
        place -= 1
    if place < 0:
        raise ValueError("a list without a begin")
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _global(module: object, name: object) -> _Global:
    known = (module, name) in (_REBUILD, _PARAMETER, _DICTIONARY) or (module == "torch" and name in _STORAGES)
    if not known:
        raise _Refused(f"it asks for {module!s:.40}.{name!s:.40}")
    return _Global(str(module), str(name))


def _storage(identity: object) -> _Storage:
    match identity:
        case ("storage", _Global(module="torch", name=kind), str(key), str(), int(count), *rest) if rest in (
            [],
            [None],
        ):
            if count < 0 or kind not in _STORAGES:
                raise ValueError("no storage")
            return _Storage(_STORAGES[kind], key, count)
    raise _Refused("it names a storage of an unknown kind")


def _called(function: object, arguments: object) -> Any:
    match function, arguments:
        case _Global(name="OrderedDict"), ():
            return {}
        case _Global(name="_rebuild_parameter"), (_Tensor() as tensor, *_):
            return tensor
        case _Global(name="_rebuild_tensor_v2"), (_Storage() as storage, int(offset), tuple(shape), tuple(strides), *_):
            return _checked(_Tensor(storage, offset, shape, strides))
    raise _Refused("it calls something that makes no tensor")


def _checked(tensor: _Tensor) -> _Tensor:
    sizes: Mapping[str, tuple[int, ...]] = {"shape": tensor.shape, "strides": tensor.strides}
    if len(tensor.shape) != len(tensor.strides) or len(tensor.shape) > 8:
        raise ValueError("shape and strides differ")
    if tensor.offset < 0 or any(type(n) is not int or n < 0 for numbers in sizes.values() for n in numbers):
        raise ValueError("a size is negative")
    n_values = math.prod(tensor.shape)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if n_values and (last >= tensor.storage.n_values or n_values > tensor.storage.n_values):
        raise ValueError("a tensor is larger than its storage")
    return tensor
