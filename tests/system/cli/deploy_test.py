"""The steps in deploy/ and in the README, word for word."""

import json
import os
import re
import shutil
import subprocess

import pytest

from support.plain import Plain
from support.server import BINARY, PATIENCE, ROOT

UNIT = ROOT / "deploy/dyad-memory.service"

# A private view of /etc, /usr/local/bin and /var/lib, of a machine that never heard of the server;
# systemctl checks the unit, and starts as much of it as there is without systemd.
SANDBOX = r"""
set -eu
box=$1 port=$2
mkdir -p "$box"/{etc,bin,lib,tools}
cp -a /etc/. "$box/etc"
for pair in etc:/etc bin:/usr/local/bin lib:/var/lib; do
    mount --bind "$box/${pair%%:*}" "${pair#*:}"
done
if id dyad-memory 2>/dev/null; then echo 'the user is there already' >&2; exit 9; fi
cat > "$box/tools/systemctl" <<'TEXT'
#!/bin/bash
echo "systemctl $*"
case $1 in
enable)
    systemd-analyze verify /etc/systemd/system/dyad-memory.service || exit 1
    install -d -m 700 -o dyad-memory -g dyad-memory /var/lib/dyad-memory ;;
esac
TEXT
chmod +x "$box/tools/systemctl"
export PATH=$box/tools:/usr/local/sbin:/usr/sbin:/sbin:$PATH
cd "$box/clone"
bash -eu steps
stat -c '%a %U %G %n' /etc/dyad-memory /etc/dyad-memory/config.env /usr/local/bin/dyad-memory \
    /etc/systemd/system/dyad-memory.service
echo "WS_SYNC_PORT=$port" >> /etc/dyad-memory/config.env
as_unit() {
    cd /var/lib/dyad-memory
    umask 077
    exec setpriv --reuid dyad-memory --regid dyad-memory --clear-groups \
        env -i PATH=/usr/bin HOME=/var/lib/dyad-memory $settings "$@"
}
settings=$(sed -n 's/^Environment=//p' /etc/systemd/system/dyad-memory.service)
command=$(sed -n 's/^ExecStart=//p' /etc/systemd/system/dyad-memory.service)
echo "CONFIG $(as_unit ${command% *} config show --json)"
as_unit $command & server=$!
trap 'kill $server' EXIT
for _ in $(seq 100); do
    (as_unit ${command% *} context set started '{"a":1}') && break || sleep 0.1
done
stat -c '%a %U %n' /var/lib/dyad-memory /var/lib/dyad-memory/memory.db
if setpriv --reuid nobody --regid nogroup --clear-groups cat /etc/dyad-memory/config.env; then
    echo 'anybody reads the settings'; fi
"""


def steps_of(unit):
    """The indented commands of the comment at the unit's top."""
    head = unit.read_text().split("[Unit]")[0]
    return [line[6:] for line in head.splitlines() if line.startswith("#     ")]


def can_make_a_box(tmp_path):
    tools = all(shutil.which(one) for one in ("unshare", "setpriv", "systemd-analyze", "useradd"))
    return tools and os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "mount", "--bind", tmp_path, tmp_path],
        capture_output=True).returncode == 0


def test_the_steps_of_the_unit_work_on_a_machine_that_never_saw_it(tmp_path):
    if not can_make_a_box(tmp_path):
        pytest.skip("needs root, mount namespaces and systemd's tools")
    clone = tmp_path / "clone"
    (clone / "build/release").mkdir(parents=True)
    shutil.copy(BINARY, clone / "build/release/dyad-memory")
    shutil.copytree(ROOT / "deploy", clone / "deploy")
    (clone / "steps").write_text("\n".join(steps_of(UNIT)) + "\n")
    tmp_path.chmod(0o755)
    done = subprocess.run(["unshare", "--mount", "--kill-child", "bash", "-c", SANDBOX, "-",
                           str(tmp_path), "28765"], capture_output=True, text=True,
                          timeout=120 * PATIENCE)
    assert done.returncode == 0, done
    out = done.stdout
    for line in ("750 root dyad-memory /etc/dyad-memory\n",
                 "640 root dyad-memory /etc/dyad-memory/config.env\n",
                 "755 root root /usr/local/bin/dyad-memory\n",
                 "700 dyad-memory /var/lib/dyad-memory\n", "started: created, version 1\n"):
        assert line in out, (line, done)
    assert "anybody reads" not in out
    for line in ("daemon-reload", "enable --now dyad-memory", "restart dyad-memory"):
        assert f"systemctl {line}\n" in out
    shown = json.loads(re.search(r"CONFIG (.*)", out).group(1))
    assert shown["WS_SYNC_PORT"]["source"].startswith("/etc/dyad-memory/config.env")
    assert shown["DYAD_DATA_DIR"]["value"] == "/var/lib/dyad-memory"


@pytest.mark.skipif(not shutil.which("dpkg"), reason="this machine has no dpkg")
def test_the_unit_names_every_package_that_the_program_is_linked_with():
    """Beside those that every Debian has: without one of them it does not start."""
    linked = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    paths = {os.path.realpath(path) for path in re.findall(r"=> (/\S+)", linked)}
    packages = set()
    for path in paths:
        # Where /lib is a link to /usr/lib, dpkg may know the file by either name.
        for name in (path, path.removeprefix("/usr"), "/usr" + path):
            found = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
            if found.returncode == 0:
                packages.add(found.stdout.split(":")[0])
                break
    said = re.search(r"apt-get install (.*?)\n\[Unit\]", UNIT.read_text(), re.S).group(1)
    missing = packages - set(said.replace("#", " ").split()) - {"libc6", "libgcc-s1", "libstdc++6"}
    assert not {one for one in missing if not one.startswith(("libasan", "libubsan", "libtsan"))}


def test_the_settings_of_deploy_are_settings(make_server, tmp_path):
    text = (ROOT / "deploy/config.env").read_text()
    (tmp_path / "all.env").write_text(re.sub(r"^#([A-Z])", r"\1", text, flags=re.M))
    done = make_server().cli("config", "check", "--env-file", str(tmp_path / "all.env"))
    assert done.returncode == 0 and "good" in done.stdout, done


def blocks(text):
    return [block.strip() for block in re.findall(r"```\w*\n(.*?)```", text, re.S)]


def test_the_commands_of_the_readme_work_as_they_stand(make_server):
    readme = (ROOT / "README.md").read_text()
    server = make_server().start()
    (server.home / "bin").mkdir()
    (server.home / "bin/dyad-memory").symlink_to(BINARY)
    env = {**server.environment(), "WS_SYNC_PORT": str(server.port),
           "PATH": f"{server.home}/bin:{os.environ['PATH']}"}
    ran = 0
    for block in blocks(readme):
        for line in block.splitlines():
            if line.startswith(("dyad-memory ", "curl ")):
                done = subprocess.run(
                    ["bash", "-c", line.replace("8765", str(server.port)) +
                     (" --fail --silent --show-error" if line.startswith("curl") else "")],
                    env=env, cwd=server.home, capture_output=True, text=True,
                    timeout=30 * PATIENCE)
                assert done.returncode == 0, (line, done)
                ran += 1
            elif line.startswith("{"):
                message = json.loads(line)
                client = Plain(server.port, message["userId"], "right")
                other = Plain(server.port, message["userId"], message["instanceId"])
                other.send(message["type"], message["payload"])
                if message["type"] == "context-sync":
                    assert client.receive("context-sync")["payload"]["contextKey"] == \
                        message["payload"]["contextKey"]
                ran += 1
            elif line.startswith("./x"):
                known = subprocess.run([ROOT / "x", "--help"], capture_output=True, text=True)
                assert re.search(rf"^  {re.escape(line.split()[1])}\b", known.stdout, re.M), line
    assert ran >= 10
    assert len(re.findall(r"^./x (demo|ci)$", readme, re.M)) == 2
