"""The benchmark of a GPU counts what a compiled step launches."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

MODULE = """HloModule jit_step, is_scheduled=true

%region_0.1 (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %add = f32[] add(%a, %b)
}

%fused_computation (p: f32[8]) -> f32[8] {
  %p = f32[8]{0} parameter(0)
  %m = f32[8]{0} multiply(%p, %p)
  ROOT %n = f32[8]{0} negate(%m)
}

%command_buffer (p.1: f32[8]) -> f32[8] {
  %p.1 = f32[8]{0} parameter(0)
  %f = f32[8]{0} fusion(%p.1), kind=kLoop, calls=%fused_computation
  ROOT %g = (f32[8]{0}, u8[0]{0}) custom-call(%f), custom_call_target="__cudnn$convForward"
}

%body (s: (f32[8])) -> (f32[8]) {
  %s = (f32[8]{0}) parameter(0)
  %e = f32[8]{0} get-tuple-element(%s), index=0
  %h = f32[8]{0} fusion(%e), kind=kLoop, calls=%fused_computation
  ROOT %t = (f32[8]{0}) tuple(%h)
}

ENTRY %main (x: f32[8]) -> f32[] {
  %x = f32[8]{0} parameter(0)
  %zero = f32[] constant(0)
  %c = (f32[8]{0}) call(%x), to_apply=%command_buffer
  %w = (f32[8]{0}) while(%c), condition=%condition, body=%body
  %y = f32[8]{0} get-tuple-element(%w), index=0
  ROOT %r = f32[] reduce(%y, %zero), dimensions={0}, to_apply=%region_0.1
}
"""


def test_kernels_and_traffic_are_those_of_what_is_launched():
    code = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import launched; print(*launched.launched({MODULE!r}))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    kernels, gigabytes = found.stdout.split()
    assert int(kernels) == 4  # two in the command buffer, one in the loop, the reduction
    # their arguments and results, of 32 bytes each, but for the reduction's start and result
    assert float(gigabytes) == (2 * 32 + 2 * 32 + 2 * 32 + 32 + 4 + 4) / 1e9
