"""Numbers out of range are refused by the flag's name, before anything is done."""

import importlib

import pytest

PREPARE = "--images x --name n --data_dir d --resolution 8"
PACK = "--data_dir d --dataset n --out o"
EVALUATE = "--workdir w --data_dir d --dataset n"
TRAIN = "stylegan --workdir w --data_dir d"
EDIT = "--source a --target b --out o"


@pytest.mark.parametrize(
    ("command", "line", "flag"),
    [
        ("prepare", f"{PREPARE} --workers -1", "workers"),
        ("prepare", f"{PREPARE} --workers 0", "workers"),
        ("prepare", f"{PREPARE} --limit -1", "limit"),
        ("prepare", "--synthetic 0 --name n --data_dir d --resolution 8", "synthetic"),
        ("prepare", "--synthetic 4 --seed -1 --name n --data_dir d --resolution 8", "seed"),
        ("pack", f"{PACK} --max_file_mb nan", "max_file_mb"),
        ("pack", f"{PACK} --max_file_mb -1", "max_file_mb"),
        ("evaluate", f"{EVALUATE} --seed -1", "seed"),
        ("evaluate", f"{EVALUATE} --num x", "num"),
        ("train", f"{TRAIN} --minutes 0", "minutes"),
        ("train", f"{TRAIN} --minutes inf", "minutes"),
        ("train", f"{TRAIN} --max_total_mb 0", "max_total_mb"),
        ("edit", f"{EDIT} --strength nan", "strength"),
        ("edit", f"{EDIT} --steps -1", "steps"),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(command, line, flag, capsys):
    with pytest.raises(SystemExit) as raised:
        importlib.import_module(f"jaxgan.commands.{command}").main(line.split())
    assert raised.value.code == 2
    assert f"argument --{flag}: must be a" in capsys.readouterr().err.splitlines()[-1]
