"""Generate libs/protos from protos/: `make protos`.

Writes what the platform imports, all of it committed: Python modules with type stubs, the validation rules module they
refer to, and `carnet/descriptors.binpb`, the descriptor set with comments from which the gateway derives REST and
OpenAPI and against which `buf breaking` compares. Must not be imported at run time.
"""

import argparse
import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

import google.api
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
)
from grpc_tools import protoc
from protovalidate._gen.buf.validate import validate_pb

SOURCES = Path(__file__).resolve().parent
PACKAGE = SOURCES.parent / "libs" / "protos"
GENERATED = ("buf", "carnet")  # the folders below PACKAGE that belong to this program
RULES = "buf/validate/validate.proto"


def rules_descriptors() -> bytes:
    """Return the validation rules as a serialized descriptor set: their wheel carries no .proto text."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
    ):
        files.file.append(descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb))
    files.file.append(descriptor_pb2.FileDescriptorProto.FromString(validate_pb._DESC.proto.to_binary()))
    return files.SerializeToString(deterministic=True)


def run_protoc(*arguments: str) -> None:
    """Run protoc and leave with its exit code when it refuses."""
    if code := protoc.main(["protoc", *arguments]):
        sys.exit(code)


def generate(output: Path) -> None:
    """Write the generated tree below the empty folder `output`."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # protoc-gen-mypy
    files = sorted(str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.proto"))
    services = [name for name in files if not name.endswith(("events.proto", "options.proto"))]
    googleapis = Path(next(iter(google.api.__path__))).parent.parent
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch, "rules.binpb")
        rules.write_bytes(rules_descriptors())
        inputs = (f"--descriptor_set_in={rules}", f"-I{SOURCES}", f"-I{googleapis}")
        run_protoc(*inputs, f"--python_out={output}", f"--mypy_out=quiet:{output}", *files, RULES)
        run_protoc(*inputs, f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}", *services)
        descriptors = output / "carnet" / "descriptors.binpb"
        run_protoc(
            *inputs,
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={descriptors}",
            *files,
        )
    for folder in GENERATED:
        for directory in [output / folder, *(path for path in (output / folder).rglob("*") if path.is_dir())]:
            (directory / "__init__.py").touch()
    (output / "carnet" / "py.typed").touch()


def differences(left: Path, right: Path) -> list[str]:
    """Return the relative paths of files that differ or stand on one side only."""
    names = {
        str(path.relative_to(side))
        for side in (left, right)
        for folder in GENERATED
        for path in (side / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    return sorted(n for n in names if not _same(left / n, right / n))


def _same(left: Path, right: Path) -> bool:
    return left.exists() and right.exists() and filecmp.cmp(left, right, shallow=False)


def main() -> None:
    """Regenerate the package, or with --check fail when the committed one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on a difference")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        if check:
            stale = differences(fresh, PACKAGE)
            sys.exit(f"libs/protos is stale, run `make protos`: {', '.join(stale)}" if stale else 0)
        for folder in GENERATED:
            shutil.rmtree(PACKAGE / folder, ignore_errors=True)
            shutil.copytree(fresh / folder, PACKAGE / folder)


if __name__ == "__main__":
    main()
