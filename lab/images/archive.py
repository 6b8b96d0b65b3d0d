"""Writing container images without a container engine: one OCI image archive for all, imported by containerd.

The layout is the OCI image layout (image-spec, image-layout.md) in a tar file. Layers are uncompressed tar files, so
that their digest is their diff id, and a layer that several images share stands in the archive once.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed tar file on disk."""

    path: Path
    digest: str
    size: int

    @classmethod
    def of(cls, path: Path) -> Layer:
        """The layer in the tar file at `path`; reads it once for its digest."""
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        return cls(path, f"sha256:{digest.hexdigest()}", path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its full name as containerd stores it, its layers from the lowest up, and how it starts."""

    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    user: str = ""
    env: dict[str, str] = field(default_factory=dict)


def write_layer(path: Path, files: dict[str, tuple[Path, int]], directories: dict[str, int] | None = None) -> Layer:
    """Write a layer of ``files`` (path in the image → source and mode) and ``directories`` (path → mode), owned by
    root.

    The same input gives the same bytes: entries are sorted and carry no time.
    """
    partial = path.with_name(path.name + ".partial")
    with tarfile.open(partial, "w") as archive:
        for name, mode in sorted((directories or {}).items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        for name, (source, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, mode
            with source.open("rb") as stream:
                archive.addfile(entry, stream)
    partial.rename(path)
    return Layer.of(path)


def write_archive(path: Path, images: tuple[Image, ...]) -> None:
    """Write all ``images`` into one OCI archive at ``path``; what is there is whole, since it is renamed into place."""
    partial = path.with_name(path.name + ".partial")
    written: set[str] = set()
    manifests: list[dict[str, Any]] = []
    with tarfile.open(partial, "w") as archive:
        _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        for image in images:
            for layer in image.layers:
                if layer.digest not in written:
                    written.add(layer.digest)
                    entry = tarfile.TarInfo(_blob(layer.digest))
                    entry.size = layer.size
                    with layer.path.open("rb") as stream:
                        archive.addfile(entry, stream)
            config = _put(archive, written, _config(image), "application/vnd.oci.image.config.v1+json")
            manifest = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [
                    {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.digest, "size": layer.size}
                    for layer in image.layers
                ],
            }
            descriptor = _put(archive, written, manifest, "application/vnd.oci.image.manifest.v1+json")
            manifests.append({**descriptor, "annotations": {"io.containerd.image.name": image.name}})
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
        _add(archive, "index.json", json.dumps(index).encode())
    partial.rename(path)


def _config(image: Image) -> dict[str, Any]:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": [path, *(f"{key}={value}" for key, value in sorted(image.env.items()))],
            "User": image.user,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
    }


def _put(archive: tarfile.TarFile, written: set[str], content: dict[str, Any], media_type: str) -> dict[str, Any]:
    data = json.dumps(content, sort_keys=True).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if digest not in written:
        written.add(digest)
        _add(archive, _blob(digest), data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
