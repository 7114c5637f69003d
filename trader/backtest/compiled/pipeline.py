"""Numba's way from Python to machine code, without the stops that the loop has no use for: it has no closures
and no array expressions, nothing to unroll or to rewrite, and a variable is of one type. Those stops were a
third of the time."""

from __future__ import annotations

from typing import Any

from numba.core import compiler, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager


class Lean(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    def define_pipelines(self) -> list[Any]:
        passes = PassManager("lean")
        for one, why in (
            (untyped_passes.TranslateByteCode, "read the bytecode"),
            (untyped_passes.FixupArgs, "name the arguments"),
            (untyped_passes.IRProcessing, "order the code"),
            (typed_passes.NopythonTypeInference, "find the types"),
            (typed_passes.IRLegalization, "see that it can be lowered"),
            (typed_passes.AnnotateTypes, "keep the types"),
            (typed_passes.NativeLowering, "make LLVM's code"),
            (typed_passes.NoPythonBackend, "make machine code"),
        ):
            passes.add_pass(one, why)
        passes.finalize()
        return [passes]
