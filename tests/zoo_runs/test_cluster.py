"""Tests how TF_CONFIG is read."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import zoo
from zoo.cli import errors
from zoo.runs import cluster


def read(members, kind='worker', index=0):
    return cluster.read({'TF_CONFIG': json.dumps(
        {'cluster': members, 'task': {'type': kind, 'index': index}})})


def test_workers_alone():
    addresses = ['host-1.example:12345', '10.0.0.2:1', '[fe80::1]:65535']
    for i in range(3):
        members = read({'worker': addresses}, index=i)
        assert members.addresses == tuple(addresses) and members.index == i
        assert members.is_chief == (i == 0)
        assert set(members.peers) == set(addresses) - {addresses[i]}


def test_a_list_of_one():
    members = read({'worker': ['localhost:1']})
    assert members.is_chief and members.peers == ()


def test_a_chief_comes_before_the_workers():
    jobs = {'worker': ['b:1', 'c:1'], 'chief': ['a:1']}
    chief, last = read(jobs, 'chief'), read(jobs, 'worker', 1)
    assert chief.addresses == last.addresses == ('a:1', 'b:1', 'c:1')
    assert chief.is_chief and not read(jobs, 'worker').is_chief
    assert (chief.index, last.index) == (0, 2)


@pytest.mark.parametrize('environment', [{}, {'TF_CONFIG': ''}])
def test_it_must_be_set(environment):
    with pytest.raises(errors.UsageError, match='TF_CONFIG must be set, such as .*got nothing'):
        cluster.read(environment)


@pytest.mark.parametrize('text', [
    '{', 'worker', '[]', 'null', '7', '"text"', '{}', '[' * 100_000, '\udcff', '{"cluster": {}}',
    '{"cluster": [], "task": {"type": "worker", "index": 0}}',
    '{"cluster": null, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": 5}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": null}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}',
    '{"cluster": {"worker": ["a:1"]}, "task": ["worker", 0]}',
    "{'cluster': {'worker': ['a:1']}, 'task': {'type': 'worker', 'index': 0}}"])
def test_what_is_no_such_json(text):
    with pytest.raises(errors.UsageError, match='TF_CONFIG must be JSON such as') as error:
        cluster.read({'TF_CONFIG': text})
    assert len(str(error.value)) < 600


@pytest.mark.parametrize('members', [
    {}, {'worker': []}, {'chief': ['a:1', 'b:1'], 'worker': ['c:1']},
    {'worker': ['a:1'], 'ps': ['b:1']}, {'worker': ['a:1'], 'evaluator': ['b:1']},
    {'master': ['a:1']}])
def test_kinds_of_members(members):
    with pytest.raises(errors.UsageError, match='name workers, and at most one chief besides'):
        read(members)


@pytest.mark.parametrize('address', [
    'host', 'host:', ':1', 'host:0', 'host:65536', 'host:1.5', 'http://host:1', 'a b:1',
    'host:\u0661', 'host:1\n', '', 7, None, ['host:1'], {'host': 1}, '::1:12'])
def test_addresses(address):
    with pytest.raises(errors.UsageError, match='hold addresses such as host1:12345'):
        read({'worker': ['a:1', address]})


def test_an_address_of_two_members():
    with pytest.raises(errors.UsageError, match='hold each address once'):
        read({'chief': ['a:1'], 'worker': ['b:1', 'a:1']})


@pytest.mark.parametrize('kind, index', [
    ('worker', 2), ('worker', -1), ('worker', '0'), ('worker', 0.), ('worker', True),
    ('worker', None), ('worker', [0]), ('chief', 0), ('ps', 0), ('', 0), (None, 0),
    (['worker'], 0), ({}, 0)])
def test_the_own_place(kind, index):
    with pytest.raises(errors.UsageError, match='say which of its members this process is'):
        read({'worker': ['a:1', 'b:1']}, kind, index)


ROOT = pathlib.Path(zoo.__file__).parent.parent
PAGE = ROOT / 'docs' / 'distributed.md'
STUBS = '''
scontrol() { [ "$*" = "show hostnames n[0-1]" ] && printf 'n0\\nn1\\n'; }
srun() { SLURM_PROCID=1 "$@"; }
'''


def run_script(text, folder, **environment):
    """Runs a script with a `python` that prints TF_CONFIG and its arguments; returns both."""
    python = folder / 'python'
    python.write_text('#!/bin/bash\nprintf "%s\\n" "$TF_CONFIG" "$*"\n')
    python.chmod(0o755)
    done = subprocess.run(
        ['bash', '-c', f'PATH={folder}:$PATH\n{text}'], env=dict(os.environ, **environment),
        capture_output=True, text=True, check=True)
    config, _, arguments = done.stdout.strip().rpartition('\n')
    return cluster.read({'TF_CONFIG': config}), arguments


@pytest.mark.skipif(not PAGE.exists(), reason='no docs beside zoo')
@pytest.mark.parametrize('resumes', [False, True])
def test_the_scripts_of_the_page(resumes, tmp_path):
    """The examples for Slurm and Kubernetes name all processes, and start a run or go on."""
    if resumes:
        (tmp_path / 'config.json').write_text('{}')
    page = PAGE.read_text().replace('/shared/runs/cifar10', str(tmp_path))
    slurm = re.search(r'^```bash\n(#!/bin/bash.*?)^```', page, re.DOTALL | re.MULTILINE)[1]
    pods = re.search(r'args:\n +- \|\n(.*?)^```', page, re.DOTALL | re.MULTILINE)[1]
    runs = {
        ('n0:12345', 'n1:12345'): run_script(
            STUBS + slurm, tmp_path, SLURM_JOB_NODELIST='n[0-1]'),
        ('flow-0.flow:12345', 'flow-1.flow:12345', 'flow-2.flow:12345'): run_script(
            pods, tmp_path, COUNT='3', RUN=str(tmp_path), JOB_COMPLETION_INDEX='1')}
    for addresses, (members, arguments) in runs.items():
        assert members == cluster.Cluster(addresses, 1)
        assert arguments.startswith('-m zoo.train')
        assert arguments.endswith(f'--workdir={tmp_path}')
        assert ('--resume' in arguments) == resumes != ('--strategy' in arguments)
