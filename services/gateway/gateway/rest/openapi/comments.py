"""The comments of the contracts, by the full name of what they are about."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from google.protobuf import descriptor_pb2


@cache
def comments() -> Mapping[str, str]:
    """Return the leading comment of every service, method, message, field, enum and value, by full name."""
    data = resources.files("carnet").joinpath("descriptors.binpb").read_bytes()
    found: dict[str, str] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        if not file.package.startswith("carnet."):
            continue
        for location in file.source_code_info.location:
            if text := location.leading_comments.strip():
                name = _name_at(file, tuple(location.path))
                found[f"{file.package}.{name}"] = " ".join(text.split())
    return found


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: tuple[int, ...]) -> str:
    names, node = list[str](), file
    for number, index in zip(path[::2], path[1::2], strict=False):
        node = getattr(node, node.DESCRIPTOR.fields_by_number[number].name)[index]
        names.append(node.name)
    return ".".join(names)
