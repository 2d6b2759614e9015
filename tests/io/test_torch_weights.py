"""Weights that PyTorch saved, from files made here byte by byte: no PyTorch is needed to read them, nor to test it."""

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from pose3d.errors import FormatError
from pose3d.io.torch_weights import read_torch_weights

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Named:
    """Pickles as the name of something in torch."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Tensor:
    """Pickles as a view of a storage."""

    def __init__(self, key, kind, n_values, shape, strides, offset=0):
        self.storage = ("storage", Named("torch", kind), key, "cpu", n_values)
        self.layout = (offset, shape, strides)


class Call:
    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Pickler(pickle._Pickler):
    """Python's own pickler in Python, which can be made to name what is not installed."""

    def persistent_id(self, value):
        return value[1:] if isinstance(value, tuple) and value[:1] == ("stored",) else None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Named):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Tensor):
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            self.save((("stored", *value.storage), *value.layout, False, OrderedDict()))
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def dump(value, protocol=2):
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def legacy(state, storages, *, keys=None, machine=MACHINE):
    parts = [dump(MAGIC), dump(1001), dump(machine), state if isinstance(state, bytes) else dump(state)]
    parts.append(dump(list(storages) if keys is None else keys))
    for values in storages.values():
        parts.append(struct.pack("<q", values.size) + values.tobytes())
    return b"".join(parts)


def zipped(state, storages, *, compression=zipfile.ZIP_STORED, protocol=2, order=b"little"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("net/data.pkl", state if isinstance(state, bytes) else dump(state, protocol))
        archive.writestr("net/byteorder", order)
        for key, values in storages.items():
            archive.writestr(f"net/data/{key}", values.tobytes())
        archive.writestr("net/version", b"3\n")
    return stream.getvalue()


STORAGES = {
    "0": np.arange(24, dtype="<f4"),
    "1": np.array([1.5, -2, 3], "<f2"),
    "2": np.array([7], "<i8"),
}
STATE = OrderedDict(
    [
        ("kernel", Tensor("0", "FloatStorage", 24, (2, 3, 4), (12, 4, 1))),
        ("turned", Tensor("0", "FloatStorage", 24, (4, 3), (1, 4), 12)),
        ("half", Tensor("1", "HalfStorage", 3, (3,), (1,))),
        ("count", Tensor("2", "LongStorage", 1, (), ())),
        ("none", Tensor("2", "LongStorage", 1, (0, 5), (5, 1))),
    ]
)


@pytest.fixture
def write(tmp_path):
    def put(data):
        path = tmp_path / "weights.pth"
        path.write_bytes(data)
        return path

    return put


@pytest.mark.parametrize("make", [legacy, zipped])
def test_tensors_come_back_by_name_and_in_order(write, make):
    tensors = read_torch_weights(write(make(STATE, STORAGES)))
    assert list(tensors) == list(STATE)
    assert {array.dtype for array in tensors.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(tensors["kernel"], np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(tensors["turned"], np.arange(12, 24).reshape(3, 4).T)
    np.testing.assert_array_equal(tensors["half"], [1.5, -2, 3])
    assert tensors["count"] == 7
    assert tensors["none"].shape == (0, 5)


def test_a_plain_dictionary_of_a_newer_pickle_is_read(write):
    assert list(read_torch_weights(write(zipped(dict(STATE), STORAGES, protocol=4)))) == list(STATE)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def by_hand(path):
    """Build a payload of a shorter kind: an opcode that calls while it reads."""
    return b"\x80\x02(S'" + str(path).encode() + b"'\nios\nmkdir\n."


@pytest.mark.parametrize("make", [legacy, zipped])
@pytest.mark.parametrize(
    "attack",
    [
        lambda path: dump(Payload(path)),
        lambda path: dump({"kernel": STATE["kernel"], "more": Payload(path)}),
        lambda path: pickle.dumps({"more": Payload(path)}, 4),
        by_hand,
        lambda path: b"cbuiltins\neval\n(V__import__('os').mkdir(" + repr(str(path)).encode() + b")\ntR.",
    ],
)
def test_code_in_a_file_is_refused_and_never_run(write, tmp_path, make, attack):
    trace = tmp_path / "was-run"
    data = attack(trace)
    with pytest.raises(FormatError, match=r"weights\.pth: is not read, .*; nothing of it was run"):
        read_torch_weights(write(make(data, STORAGES)))
    assert not trace.exists()


@pytest.mark.parametrize("attack", [by_hand, lambda path: dump(Payload(path))])
def test_the_payloads_do_run_where_pickles_are_trusted(tmp_path, attack):
    pickle.loads(attack(tmp_path / "was-run"))
    assert (tmp_path / "was-run").is_dir()


@pytest.mark.parametrize(
    "state",
    [
        Tensor("0", "FloatStorage", 24, (2, 3, 4), (12, 4, 1)),
        {},
        {"epoch": 3},
        {"a": {"b": STATE["kernel"]}},
        {3: STATE["kernel"]},
        {"a": Tensor("0", "FloatStorage", 24, (25,), (1,))},
        {"a": Tensor("0", "FloatStorage", 24, (5, 5), (5, 1))},
        {"a": Tensor("0", "FloatStorage", 24, (5,), (-1,), 20)},
        {"a": Tensor("0", "FloatStorage", 24, (10,), (1,), -5)},
        {"a": Tensor("0", "FloatStorage", 24, (1000, 1000), (0, 0))},
        {"a": Tensor("0", "FloatStorage", 24, (4.0,), (1,))},
        {"a": Tensor("0", "FloatStorage", 24, (True,), (1,))},
        {"a": Tensor("0", "FloatStorage", -24, (2,), (1,))},
        {"a": Tensor("0", "FloatStorage", 2**40, (2,), (1,))},
        {"a": Tensor("0", "QInt8Storage", 24, (2,), (1,))},
        {"a": Tensor("missing", "FloatStorage", 24, (2,), (1,))},
        {"a": STATE["kernel"], "b": Tensor("0", "LongStorage", 12, (2,), (1,))},
    ],
)
@pytest.mark.parametrize("make", [legacy, zipped])
def test_what_is_no_tensor_in_its_storage_is_refused(write, make, state):
    with pytest.raises(FormatError, match=r"weights\.pth: "):
        read_torch_weights(write(make(state, {"0": STORAGES["0"]})))


def test_one_storage_named_by_many_tensors_does_not_fill_the_memory(write):
    values = np.zeros(10_000, "<f4")
    state = {f"t{i}": Tensor("0", "FloatStorage", values.size, (values.size,), (1,)) for i in range(20)}
    with pytest.raises(FormatError, match="larger than the file"):
        read_torch_weights(write(zipped(state, {"0": values})))


def test_a_zip_bomb_is_refused(write):
    values = np.zeros(4_000_000, "<f4")
    data = zipped(
        {"a": Tensor("0", "FloatStorage", values.size, values.shape, (1,))},
        {"0": values},
        compression=zipfile.ZIP_DEFLATED,
    )
    assert len(data) < 100_000
    with pytest.raises(FormatError, match=r"compressed|larger than the file"):
        read_torch_weights(write(data))


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02" + b"]" + b"q\x00h\x00" * 10 + b"0.",  # an operation that weights have no use for
        b"\x80\x02r\xff\xff\xff\x7f.",  # memory at a place that would need gigabytes
        b"\x80\x02}" + b"u.",
        b"\x80\x02" + b"(" * 1000 + b"t" * 1000 + b".",
        b"\x80\x02.",
        b"\x80\x02}",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
        b"\x80\x02)Q.",
        b"\x80\x02)b.",
        b"",
        b"\x00",
    ],
)
@pytest.mark.parametrize("make", [legacy, zipped])
def test_a_damaged_description_is_refused(write, make, program):
    with pytest.raises(FormatError, match=r"weights\.pth: "):
        read_torch_weights(write(make(program, STORAGES)))


@pytest.mark.parametrize("make", [legacy, zipped])
def test_a_file_cut_short_anywhere_is_refused(write, make):
    data = make(STATE, STORAGES)
    for length in range(1, len(data) - 1, 7):
        with pytest.raises(FormatError):
            read_torch_weights(write(data[:length]))


def test_a_damaged_file_gives_tensors_or_one_clear_error(write):
    rng = np.random.default_rng(0)
    refused = 0
    for make in (legacy, zipped):
        data = np.frombuffer(make(STATE, STORAGES), np.uint8)
        for _ in range(300):
            damaged = data.copy()
            damaged[rng.integers(0, data.size, 3)] = rng.integers(0, 256, 3)
            try:
                read_torch_weights(write(damaged.tobytes()))
            except FormatError:
                refused += 1
    assert 300 < refused < 600


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 no zip",
        b"\x89HDF\r\n\x1a\n",
        np.random.default_rng(0).bytes(2000),
        legacy(STATE, STORAGES, machine={**MACHINE, "little_endian": False}),
        legacy(STATE, STORAGES, keys=["0", "0", "1"]),
        legacy(STATE, STORAGES, keys=["0"]),
        legacy(STATE, STORAGES, keys=3),
        zipped(STATE, STORAGES, order=b"big"),
    ],
)
def test_foreign_files_are_refused(write, data):
    with pytest.raises(FormatError, match=r"weights\.pth: "):
        read_torch_weights(write(data))


def test_absent_and_empty_files_are_refused(write, tmp_path):
    with pytest.raises(FormatError, match="no such"):
        read_torch_weights(tmp_path / "none.pth")
    with pytest.raises(FormatError, match="empty"):
        read_torch_weights(write(b""))


def test_the_installed_weights_of_efficientnet_are_read():
    from pose3d.network.pretrained import find_weights

    path = find_weights("efficientnet-lite0")
    assert isinstance(path, Path)
    tensors = read_torch_weights(path)
    assert sum(array.size for array in tensors.values()) == 4_694_073
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert all(np.isfinite(array).all() for array in tensors.values())
