"""Writes harbor-cases.jsonl: small task.toml files, and what Harbor 0.26 makes of each.

Usage: pip install 'harbor==0.26.*' (Python 3.12 or newer), then: python record-harbor.py > harbor-cases.jsonl
"""

import json
import math
import tomllib
import warnings

from harbor.models.registry import DatasetSpec
from harbor.models.task.config import TaskConfig

warnings.simplefilter("ignore")

CASES = []


def case(*texts):
    CASES.extend(texts)


def values(prefix, *texts):
    CASES.extend(prefix + text for text in texts)


# The version.
case("", 'version = "1.0"', 'schema_version = "1.1"', 'version = 1.0\nschema_version = "1.2"', 'version = "1.0"\nschema_version = "1.3"', "version = 1.0",
     "schema_version = 1", 'schema_version = ["1.0"]', 'source = "x"', "source = 1", "metadata = 1", "[metadata]\na = 1\nb.c = [1, 'x']", "unknown = 1",
     "a = ", 'a = "', "a = 1\na = 2", "[agent]\n[agent]")

# [task].
values("[task]\n", "", "name = 'a/b'", "name = 'a'", "name = 'a/b/c'", "name = '/b'", "name = 'a/'", "name = '.a/b'", "name = 'a/.b'", "name = 'a..b/c'",
       "name = 'a.b_c-d/e.f'", "name = 'A1/2b'", "name = 'ä/b'", "name = 'a b/c'", "name = 1", "name = 'a/b'\nversion = ''", "name = 'a/b'\nversion = '0.1'",
       "name = 'a/b'\nversion = 1", "name = 'a/b'\ndescription = 1", "name = 'a/b'\ndescription = 'x'", "name = 'a/b'\nkeywords = ['x', 1]",
       "name = 'a/b'\nkeywords = 'x'", "name = 'a/b'\nkeywords = []", "name = 'a/b'\nauthors = [{name = 'n'}]",
       "name = 'a/b'\nauthors = [{email = 'n'}]", "name = 'a/b'\nauthors = [{name = 'n', email = 1}]", "name = 'a/b'\nauthors = ['n']",
       "name = 'a/b'\nauthors = [{name = 'n', email = 'e', url = 1}]", "name = 'a/b'\nextra = 1")
case("task = 1")

# Numbers.
for key in ["[agent]\ntimeout_sec", "[verifier]\ntimeout_sec", "[environment]\nbuild_timeout_sec"]:
    values(key + " = ", "1", "1.5", "'600'", "' 1.5 '", "'1e3'", "'1_000'", "'x'", "''", "[1]", "{a = 1}", "2020-01-01", "'0x10'")
for key in ["[environment]\ncpus", "[environment]\nmemory_mb", "[environment]\nstorage_mb", "[environment]\ngpus"]:
    values(key + " = ", "1", "2.0", "1.5", "'2'", "'2.0'", "'1.5'", "' 2 '", "'1_000'", "'x'", "''", "[1]", "1e3", "nan", "inf")
for key in ["memory", "storage"]:
    values("[environment]\n%s = " % key, "'2G'", "'2g'", "'512M'", "' 2G '", "' 2 G '", "'1.5G'", "'1.5M'", "'2048K'", "'2GB'", "'2Gi'", "'1T'", "'x'", "''",
           "'G'", "'1e1G'", "'1_0G'", "'G2'", "'+1G'", "['1G']")
case("[environment]\nmemory = '1G'\nmemory_mb = 1024", "[environment]\nstorage = '1G'\nstorage_mb = 1024", "[environment]\nmemory = '1G'\nstorage = '2G'",
     "[environment.tpu]\ntype = 'v6e'\ntopology = '2x4'", "[environment.tpu]\ntype = 'v6e'\ntopology = ' 2x2x1 '", "[environment.tpu]\ntype = ''\ntopology = '2x4'",
     "[environment.tpu]\ntype = 'v6e'\ntopology = '2'", "[environment.tpu]\ntype = 'v6e'\ntopology = '02x4'", "[environment.tpu]\ntype = 'v6e'",
     "[environment.tpu]\ntopology = '2x4'", "[environment.tpu]\ntype = 'v6e'\ntopology = '2x0'", "[environment.tpu]\ntype = 'v6e'\ntopology = '2X4'",
     "[environment]\ntpu = 'v6e'", "[environment]\ngpu_types = ['H100', 'A100']", "[environment]\ngpu_types = []", "[environment]\ngpu_types = 'H100'",
     "[environment]\ngpu_types = [1]")

# Texts.
values("[environment]\n", "docker_image = 'i:1'", "docker_image = ''", "docker_image = 1", "os = 'linux'", "os = 'Linux'", "os = 'WINDOWS'", "os = 'bsd'", "os = 1",
       "os = ''", "skills_dir = 'skills'", "skills_dir = 1", "skills_dir = ''", "workdir = '/app'", "workdir = ''", "workdir = 1", "env = {A = 'b', B = '${X}'}",
       "env = {}", "env = {A = 1}", "env = {A = true}", "env = ['A']", "env.A.B = 'x'", "'env' = {'A B' = ''}", "unknown = {a = 1}")
case("environment = 1", "environment = []", "[[environment]]\ncpus = 1", "agent = 'x'", "verifier = 1", "solution = 1", "[solution]\nenv = {A = 'b'}", "[solution]\nenv = {A = 1}",
     "[solution]\nenv = []", "[solution]\nx = 1")

# Users.
for table in ["agent", "verifier"]:
    values("[%s]\nuser = " % table, "'root'", "'agent'", "''", "0", "1000", "'1000'", "1000.0", "1.5", "[]", "-1")

# Networks.
for table in ["agent", "verifier", "environment", "verifier.environment"]:
    values("[%s]\n" % table, "network_mode = 'public'", "network_mode = 'no-network'", "network_mode = 'allowlist'", "network_mode = 'none'", "network_mode = ''",
           "network_mode = 1", "allowed_hosts = []", "allowed_hosts = ['a.b']", "network_mode = 'public'\nallowed_hosts = []",
           "network_mode = 'public'\nallowed_hosts = ['a.b']", "network_mode = 'no-network'\nallowed_hosts = ['a.b']",
           "network_mode = 'allowlist'\nallowed_hosts = ['a.b']", "network_mode = 'allowlist'\nallowed_hosts = 'a.b'",
           "network_mode = 'allowlist'\nallowed_hosts = [1]", "allow_internet = true", "allow_internet = false", "allow_internet = 'no'", "allow_internet = 'x'",
           "allow_internet = false\nnetwork_mode = 'public'", "allow_internet = true\nnetwork_mode = 'no-network'", "allow_internet = false\nallowed_hosts = []")
for host in ["a", "a.b", "A.B.", "a.b..", " a.b ", "", " ", ".", "*.a", "*.a.b", "*.", "*", "*a", "a.*", "*.1.2.3.4", "*.1.2.3", "a_b", "-a", "a-", "a-b", "a..b", "a" * 63,
             "a" * 64, "é", "http://a", "a:80", "a/b", "[::1]", "1.2.3.4", "999.1.1.1", "1.2.3.4/32", "1.2.3.4/24", "1.2.3.0/24", "10.0.0.0/8", "0.0.0.0/0",
             "10.0.0.0/08", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/255.0.255.0", "10.0.0.0/8/8", "10/8",
             "010.0.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "::1", "::", "2001:DB8::1", "2001:db8:0:0:1:0:0:1", "1:2:3:4:5:6:7:8", "1:0:0:4:0:0:0:8", "1:0:3:4:5:6:7:8",
             "::ffff:1.2.3.4", "1::2::3", "1:2", "fe80::1%eth0", "2001:db8::/32", "2001:db8::1/32", "2001:db8::/129", "::/0", "2001:DB8:0::/48", "fe80::%1/64",
             "0.0.0.0/0.0.0.0", "255.255.255.255/255.255.255.255", "1.2.3.4/0.0.0.0"]:
    case("[environment]\nnetwork_mode = 'allowlist'\nallowed_hosts = [%s]" % json.dumps(host))

# Health checks.
for table in ["environment", "verifier.environment"]:
    values("[%s.healthcheck]\n" % table, "", "command = 'true'", "command = 1", "command = ''",
           "command = 'a'\ninterval_sec = 1\ntimeout_sec = 2\nstart_period_sec = 3\nstart_interval_sec = 4\nretries = 5", "command = 'a'\nretries = 1.5",
           "command = 'a'\nretries = '2'", "command = 'a'\ninterval_sec = 0", "command = 'a'\nextra = 1", "command = 'a'\ninterval_sec = 'x'")
case("[environment]\nhealthcheck = 'true'")

# MCP servers.
values("[[environment.mcp_servers]]\n", "", "name = 'm'", "name = 'm'\nurl = 'http://x'", "name = 'm'\nurl = ''", "name = 'm'\ncommand = 'c'",
       "name = 'm'\ntransport = 'stdio'", "name = 'm'\ntransport = 'stdio'\ncommand = 'c'", "name = 'm'\ntransport = 'stdio'\ncommand = 'c'\nargs = ['a', 'b']",
       "name = 'm'\ntransport = 'stdio'\ncommand = 'c'\nargs = [1]", "name = 'm'\ntransport = 'http'\nurl = 'u'", "name = 'm'\ntransport = 'streamable-http'\nurl = 'u'",
       "name = 'm'\ntransport = 'x'\nurl = 'u'", "name = 1\nurl = 'u'", "name = ''\nurl = 'u'", "name = 'm'\nurl = 'u'\ncommand = 'c'",
       "name = 'm'\ntransport = 'stdio'\ncommand = 'c'\nheaders = {A = 'b'}", "name = 'm'\nurl = 'u'\nextra = 1")
for header in ["{A = 'b'}", "{A = 1}", "{'a b' = 'x'}", "{'' = 'x'}", "{A = \"x\\ny\"}", "{A = '${X}'}", "{A = '${X:-d}'}", "{A = '${X:-${Y}}'}", "{A = '${}'}", "{A = '${1}'}",
               "{A = 'x${X'}", "{A = '$X'}", "{Authorization = 'Bearer abc'}", "{Authorization = 'Bearer ${T}'}", "{Authorization = '${T}'}", "{Authorization = 'Bearer${T}'}",
               "{Authorization = 'Bearer ${T:-x}'}", "{Authorization = 'Bearer ${T:-}'}", "{Authorization = ''}", "{Authorization = ' '}", "{Authorization = '${T} '}",
               "{Authorization = ' Token ${A}:${B}'}", "{Authorization = '${A} - ${B}'}", "{Authorization = '${A},${B}'}", "{Authorization = '${A}x'}",
               "{Authorization = 'Bearer x ${A}'}", "{Authorization = '${A}-'}", "{Cookie = 'a=${A}'}", "{Cookie = '${A}'}", "{X-Api-Key = 'k'}", "{X-Api-Key = '${K}'}",
               "{X-Tokens = '5'}", "{X-Token = '5'}", "{X-Tokens-Token = '5'}", "{A = '${MY_KEY:-x}'}", "{A = '${MY_KEY:-}'}", "{A = '${MY_TOKENS:-x}'}",
               "{A = 'b ${C} ${D:-e}'}", "{password = 'x'}", "{Set-Cookie = 'x'}", "{Authorization = '${A}${B}'}", "{Authorization = 'Basic1 ${A}'}"]:
    case("[[environment.mcp_servers]]\nname = 'm'\nurl = 'u'\nheaders = " + header)
case("[environment]\nmcp_servers = []", "[environment]\nmcp_servers = {}", "[environment]\nmcp_servers = ['m']")

# The verifier.
values("[verifier]\n", "env = {A = 'b'}", "env = {A = 1}", "environment_mode = 'shared'", "environment_mode = 'separate'", "environment_mode = 'x'", "environment_mode = 1",
       "environment_mode = 'shared'\nenvironment.cpus = 1", "environment_mode = 'separate'\nenvironment.cpus = 1", "environment = {}", "environment = 'x'",
       "collect = []", "collect = ['x']", "collect = {}", "network.mode = 'x'", "timeout = 5")
values("[[verifier.collect]]\n", "", "command = 'c'", "command = 'c'\nservice = 's'", "command = 'c'\nservice = ' s '", "command = 'c'\nservice = ''",
       "command = 'c'\nservice = '-s'", "command = 'c'\nservice = 'a b'", "command = 'c'\nservice = 'a.b_c-d'", "command = 'c'\nservice = 1", "command = 'c'\ntimeout_sec = 5",
       "command = 'c'\ntimeout_sec = 'x'", "command = 'c'\nuser = 'u'", "command = 'c'\nuser = 7", "command = 'c'\nuser = []", "command = 'c'\nextra = 1", "command = ''")
values("[verifier.environment]\n", "docker_image = 'v:1'", "cpus = 0.5\nmemory_mb = 64\nstorage_mb = 100\ngpus = 1", "env = {A = '${B}'}", "memory = '1G'", "os = 'windows'",
       "workdir = '/v'", "unknown = 1")

# Artifacts.
for place in ["", "[[steps]]\nname = 's'\n"]:
    values(place + "artifacts = ", "[]", "['/a']", "['a/b']", "['']", "['../a']", "['/a/../b']", "['a..b']", "['..']", "[1]", "'a'", "{}", "[{source = '/a'}]", "[{}]", "[{source = 1}]",
           "[{source = '/a/..'}]", "[{source = ''}]", "[{source = '/a', destination = 'b/c'}]", "[{source = '/a', destination = ''}]", "[{source = '/a', destination = '/b'}]",
           "[{source = '/a', destination = 'b/../c'}]", "[{source = '/a', destination = '.'}]", "[{source = '/a', destination = './b'}]",
           "[{source = '/a', destination = 'b\\\\c'}]", "[{source = '/a', destination = 'manifest.json'}]", "[{source = '/a', destination = 'manifest.json/'}]",
           "[{source = '/a', destination = './manifest.json'}]", "[{source = '/a', destination = 'x/manifest.json'}]", "[{source = '/a', destination = 1}]",
           "[{source = '/a', exclude = ['*.o']}]", "[{source = '/a', exclude = '*.o'}]", "[{source = '/a', exclude = [1]}]", "[{source = '/a', service = 'db'}]",
           "[{source = 'a', service = 'db'}]", "[{source = 'a', service = 'main'}]", "[{source = 'C:/a', service = 'db'}]", "[{source = 'C:\\\\a', service = 'db'}]",
           "[{source = 'C:a', service = 'db'}]", "[{source = '/a', service = ''}]", "[{source = '/a', service = ' db '}]", "[{source = '/a', service = 'd b'}]",
           "[{source = '/a', service = 1}]", "[{source = '/a', extra = 1}]", "['/a', '/a']", "['/a', {source = '/a/b', destination = 'a'}]")

# Steps.
for name in ["one", "Step 1", "", " ", ".", "..", "a.", "a ", " a", "a/b", "a\\\\b", "a:b", "a?", "a*", "a|b", "<a>", "con", "CON.txt", "con .x", "aux", "nul.", "COM1", "com0", "lpt9.log",
             "COM¹", "conin$", "console", "é", "a\\u0000", "a\\tb", "a\\u007f", "x" * 255, "x" * 256, "é" * 128]:
    case('[[steps]]\nname = "%s"' % name)
case("[[steps]]", "[[steps]]\nname = 1", "steps = []", "steps = 1", "steps = ['a']", "[[steps]]\nname = 'a'\n[[steps]]\nname = 'b'", "[[steps]]\nname = 'a'\n[[steps]]\nname = 'a'",
     "[[steps]]\nname = 'a'\n[[steps]]\nname = 'A'", '[[steps]]\nname = "\\u00e9"\n[[steps]]\nname = "e\\u0301"', "[[steps]]\nname = 'straße'\n[[steps]]\nname = 'STRASSE'",
     "[[steps]]\nname = 'a'\nextra = 1")
values("[[steps]]\nname = 'a'\n", "min_reward = 1", "min_reward = 0.5", "min_reward = '0.5'", "min_reward = 'x'", "min_reward = -1", "min_reward = {reward = 1, x = 0.5}",
       "min_reward = {}", "min_reward = {reward = 'x'}", "min_reward = [1]", "agent.timeout_sec = 5", "agent.user = 'u'", "agent.network_mode = 'no-network'",
       "agent.allowed_hosts = []", "verifier.timeout_sec = 5", "verifier.env = {A = 'b'}", "verifier.environment_mode = 'separate'",
       "verifier.environment.docker_image = 'i'", "verifier.environment.allow_internet = false", "verifier.environment_mode = 'shared'\nverifier.environment.cpus = 1",
       "verifier.collect = [{command = 'c'}]", "healthcheck.command = 'c'", "healthcheck = {}", "artifacts = ['/a']", "agent = 1")
values("multi_step_reward_strategy = ", "'mean'", "'final'", "'max'", "''", "1")
case("multi_step_reward_strategy = 'final'\n[[steps]]\nname = 'a'")


# Where Assay differs on purpose.
for key in ["[agent]\ntimeout_sec", "[environment]\ncpus", "[environment]\nstorage_mb", "[[steps]]\nname = 's'\nverifier.timeout_sec"]:
    values(key + " = ", "true", "0", "-1")
for key in ["[agent]\ntimeout_sec", "[environment.healthcheck]\ncommand = 'c'\ninterval_sec", "[[steps]]\nname = 's'\nmin_reward"]:
    values(key + " = ", "inf", "nan", "'inf'")
case("[environment]\ngpus = -1", "[environment.healthcheck]\ncommand = 'c'\nretries = -1", "[environment.healthcheck]\ncommand = 'c'\ninterval_sec = -1",
     "[agent]\nuser = true", "[[steps]]\nname = 's'\nmin_reward = true", "[environment]\ncpus = 1025", "[environment]\nmemory_mb = 16777217", "[environment]\nstorage = '16385G'",
     "schema_version = '2.0'", "schema_version = '0.9'", "version = ''", "[environment]\nmemory = '1G'\nmemory_mb = 512", "[environment]\nstorage = '1G'\nstorage_mb = '1024'",
     "[environment]\nmemory = 2", "[environment]\nstorage = 2.5", "[environment]\nmemory = '1K'", "[environment]\nstorage = '0.5M'", "[environment]\nmemory = '0G'",
     "[environment]\nworkdir = 'app'", "[environment]\nworkdir = './app'")

REGISTRIES = [
    "[]", "{}", "1", "[1]", "[{}]",
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": []}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a/t"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a/t", "git_url": "https://h/r", "git_commit_id": "abc"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a/t", "git_url": "https://h/r", "git_commit_id": "head"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a/t", "git_url": "https://h/r"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a/t", "git_url": null, "git_commit_id": null}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a/t", "extra": 1}], "extra": 1}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "./a//t/"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [], "metrics": [{"type": "mean"}, {"type": "max", "kwargs": {"a": 1}}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [], "metrics": [{"type": "uv-script"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [], "metrics": [{}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [], "metrics": [{"type": "median"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [], "metrics": {}}]',
    '[{"name": "d", "version": 1, "description": "x", "tasks": []}]',
    '[{"name": 1, "version": "1.0", "description": "x", "tasks": []}]',
    '[{"name": "d", "description": "x", "tasks": []}]',
    '[{"name": "d", "version": "1.0", "tasks": []}]',
    '[{"name": "d", "version": "1.0", "description": 1, "tasks": []}]',
    '[{"name": "d", "version": "1.0", "description": "x"}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": {}}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [1]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"path": "a/t"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": 1, "path": "a/t"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": 1}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a", "git_url": 1}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a", "git_commit_id": "abc"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "a"}, {"name": "t", "path": "b"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "/a"}]}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "t", "path": "../a"}]}]',
    '[{"name": "", "version": "1.0", "description": "x", "tasks": []}]',
    '[{"name": "d", "version": "", "description": "x", "tasks": []}]',
    '[{"name": "d", "version": "1.0", "description": "x", "tasks": [{"name": "", "path": "a"}]}]',
]


def lean(value):
    """Without null, empty lists and empty tables."""
    if isinstance(value, dict):
        return {key: item for key, item in ((key, lean(item)) for key, item in value.items()) if item not in (None, [], {})}
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such numbers.
        return str(value)
    return [lean(item) for item in value] if isinstance(value, list) else value


for text in dict.fromkeys(CASES):
    line = {"toml": text}
    try:
        line["harbor"] = lean(TaskConfig.model_validate(tomllib.loads(text)).model_dump(mode="json", exclude={"metadata"}))
    except Exception as error:  # noqa: BLE001
        line["refused"] = " ".join(str(error).split())[:120]
    print(json.dumps(line, ensure_ascii=False))

for text in REGISTRIES:
    line = {"registry": text}
    try:
        line["harbor"] = [lean(DatasetSpec.model_validate(row).model_dump(mode="json")) for row in json.loads(text)]
    except Exception as error:  # noqa: BLE001
        line["refused"] = " ".join(str(error).split())[:120]
    print(json.dumps(line, ensure_ascii=False))
