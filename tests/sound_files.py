"""WAV files as programs write them, byte by byte."""

import io
import struct
import tarfile

import numpy as np

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def chunk(kind, content, order="<"):
    return kind + struct.pack(f"{order}I", len(content)) + content + b"\0" * (len(content) % 2)


def packed(samples, bits, kind=PCM, order="<"):
    """Samples in [-1, 1) as numbers of so many bits."""
    if kind == FLOAT:
        return samples.astype(f"{order}f{bits // 8}").tobytes()
    whole = np.round(samples * 2 ** (bits - 1)).astype(np.int64)
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    if bits == 24:
        four = (whole.astype(f"{order}i4")).view(np.uint8).reshape(-1, 4)
        return (four[:, :3] if order == "<" else four[:, 1:]).tobytes()
    return whole.astype(f"{order}i{bits // 8}").tobytes()


def wav(samples, rate=8_000, bits=16, kind=PCM, extensible=False, order="<", before=b"", after=b"", size=None):
    """A file of samples [N] or [N, C]; size: what the header promises instead."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    block = channels * bits // 8
    form = struct.pack(f"{order}HHIIHH", kind, channels, rate, rate * block, block, bits)
    if extensible:
        form = struct.pack(f"{order}H", EXTENSIBLE) + form[2:]
        tail = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
        form += struct.pack(f"{order}HHI", 22, bits, 0) + struct.pack(f"{order}H", kind) + tail
    content = packed(samples.reshape(-1), bits, kind, order)
    data = chunk(b"data", content, order)
    if size is not None:
        data = b"data" + struct.pack(f"{order}I", size) + content
    body = b"WAVE" + chunk(b"fmt ", form, order) + before + data + after
    length = len(body) if size is None else min(size, 0xFFFFFFFF)
    return (b"RIFF" if order == "<" else b"RIFX") + struct.pack(f"{order}I", length) + body


def tar(files, mode="w:gz"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()
