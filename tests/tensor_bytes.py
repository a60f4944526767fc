"""Files of tensors, byte by byte, so that they can be as wrong as wanted."""

import io
import json
import pathlib
import struct
import zipfile

PYTORCH = pathlib.Path(__file__).parent / "golden" / "pytorch"


def safetensors(header: dict | bytes, data: bytes = b"", length=None) -> bytes:
    """A header (name -> dtype, shape, offsets), and the length it claims."""
    if isinstance(header, dict):
        keys = ("dtype", "shape", "data_offsets")
        described = {
            name: dict(zip(keys, each, strict=True))
            for name, each in header.items()
        }
        header = json.dumps(described).encode()
    length = len(header) if length is None else length
    return struct.pack("<Q", length) + header + data


def text(value: str) -> bytes:
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def number(value: int) -> bytes:
    content = value.to_bytes(12, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def several(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def numbers(values) -> bytes:
    return several(*map(number, values))


def named(whole: str) -> bytes:
    module, _, name = whole.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def called(whole: str, *arguments: bytes) -> bytes:
    return named(whole) + several(*arguments) + b"R"


def storage(dtype="torch.FloatStorage", key="0", size=4, kind="storage"):
    reference = text(kind), named(dtype), text(key), text("cpu"), number(size)
    return several(*reference) + b"Q"


def tensor(of=None, offset=0, shape=(2, 2), strides=(2, 1), *rest: bytes):
    return called(
        "torch._utils._rebuild_tensor_v2",
        storage() if of is None else of,
        number(offset),
        numbers(shape),
        numbers(strides),
        b"\x89",  # requires_grad=False
        named("collections.OrderedDict") + b")R",
        *rest,
    )


def dictionary(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"}(" + b"".join(b"".join(pair) for pair in pairs) + b"u"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def zipped(
    value: bytes,
    data: bytes = bytes(16),
    compression=zipfile.ZIP_STORED,
    **members: bytes,
) -> bytes:
    """What PyTorch writes for a pickled value and one storage."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        archive.writestr("model/data.pkl", pickled(value))
        archive.writestr("model/data/0", data)
        for name, member in members.items():
            archive.writestr(f"model/{name}", member)
    return content.getvalue()


def a_tensor(*arguments, **named_arguments) -> bytes:
    """A zip file with that tensor, called w."""
    described = tensor(*arguments, **named_arguments)
    return zipped(dictionary((text("w"), described)))


def legacy(count=4, keys=("0",), magic=0x1950A86A20F9469CFC6C, little=True):
    """What PyTorch wrote before 1.6: pickles in a row, then storages."""
    value = dictionary((text("w"), tensor()))
    machine = dictionary(
        (text("little_endian"), b"\x88" if little else b"\x89")
    )
    listed = b"](" + b"".join(map(text, keys)) + b"e"
    parts = number(magic), number(1001), machine, value, listed
    pickles = b"".join(map(pickled, parts))
    return pickles + struct.pack("<q", count) + bytes(16)
