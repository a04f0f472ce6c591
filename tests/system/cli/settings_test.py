"""Settings as people write them: folders with ~, somebody else's .env, words in any case."""

import json
import os
import re
import socket
import stat
import subprocess
import threading

import pytest

from support.server import BINARY, PATIENCE

PEM = '"-----BEGIN PRIVATE KEY-----\nMIIE==\nWS_SYNC_PORT=1\n-----END PRIVATE KEY-----"'


def write_config(server, text):
    folder = server.home / ".config/dyad-memory"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.env").write_text(text)


def serve(server, *args, env=None):
    """Starts a server that is told its folder in other ways than by --data-dir."""
    server.command = lambda: [BINARY, "serve", "--port", str(server.port), *args]
    server.env = env or {}
    return server


@pytest.mark.parametrize("source", ["environment", "flag", ".env", "config.env", "--env-file"])
@pytest.mark.parametrize("written", ["~/mem", "$HOME/mem", "${XDG_DATA_HOME:-$HOME}/mem",
                                     '"~/mem"'])
def test_a_folder_with_a_tilde_or_a_variable_is_the_one_that_is_meant(make_server, source, written):
    server = make_server()
    line = f"DYAD_DATA_DIR={written}\n"
    if source == "environment":
        serve(server, env={"DYAD_DATA_DIR": written})
    elif source == "flag":
        serve(server, f"--data-dir={written}")
    elif source == ".env":
        (server.home / ".env").write_text(line)
        serve(server)
    elif source == "config.env":
        write_config(server, line)
        serve(server)
    else:
        (server.home / "other.env").write_text(line)
        serve(server, "--env-file=~/other.env")
    server.start()
    assert (server.home / "mem/memory.db").exists(), server.log()
    names = {path.name for path in server.home.iterdir()}
    assert not any("~" in name or "$" in name or '"' in name for name in names), names


@pytest.mark.parametrize("written,says", [
    ("~nobody-of-this-name/m", "nobody-of-this-name"), ("$NOWHERE/m", "NOWHERE"),
    ("file:///srv/m", "/srv/m"), ("$(pwd)/m", "command"), ("s3://b/m", "address")])
def test_a_folder_that_cannot_be_meant_is_refused_and_none_is_made(make_server, written, says):
    server = serve(make_server(), env={"DYAD_DATA_DIR": written}).spawn()
    assert server.wait_exit() == 2 and says in server.log() and "DYAD_DATA_DIR" in server.log()
    assert [path.name for path in server.home.iterdir()] == ["server.log"]


def test_an_empty_flag_is_no_default(make_server):
    server = serve(make_server(), "--data-dir", "").spawn()
    assert server.wait_exit() == 2 and "--data-dir was given without a value" in server.log()
    done = server.cli("context", "set", "k", "{}", "--user", "")
    assert done.returncode == 2 and "--user" in done.stderr
    done = server.cli("status", "--env-file", "")
    assert done.returncode == 2 and "--env-file" in done.stderr


def test_what_an_earlier_version_kept_in_a_folder_named_tilde_is_not_left_behind(make_server):
    server = make_server(data_dir=None)
    serve(server, "--data-dir", "./~/mem").start()
    assert server.stop() == 0
    serve(server, "--data-dir=~/mem").spawn()
    assert server.wait_exit() == 2 and str(server.home / "~/mem") in server.log()
    assert not (server.home / "mem").exists()
    (server.home / "~/mem").rename(server.home / "mem")
    serve(server, "--data-dir=~/mem").start()


def test_a_file_of_data_may_begin_with_a_tilde(server):
    (server.home / "data.json").write_text('{"a":1}')
    env = {"DYAD_URL": f"http://127.0.0.1:{server.port}"}
    for path in ("@~/data.json", "@$HOME/data.json"):
        assert server.cli("context", "set", "k", path, env=env).returncode == 0
    done = server.cli("context", "set", "k", "@~nobody-of-this-name/x", env=env)
    assert done.returncode == 2 and "nobody-of-this-name" in done.stderr


ENV_FILES = {
    "several lines": f"KEY={PEM}\nJSON='{{\n  \"a\": 1\n}}'\nTEXT=`x\ny`\n",
    "no sense": "[section]\nsource other\nif true; then\n2X=1\n= 3\n{\n  \"a\": 1\n}\n\x01\n",
    "commands": "A=$(rm -rf /)\nB=`whoami`\nC=\"$(x)\"\n",
    "open quotes": "A=\"open\nB='open\nC=`open\n",
    "crlf": f"A=1\r\nKEY={PEM}\r\nB='x'y\r\n".replace("\n", "\r\n").replace("\r\r", "\r"),
    "others' words": "LOG_LEVEL=chatty\nLOG_FORMAT=logfmt\nDEBUG=True\n",
    "latin-1": b"NAME=caf\xe9\nX=\xff\xfe\n",
    "utf-16": "NAME=value\n".encode("utf-16"),
    "binary": bytes(range(256)) * 20,
    "huge": b"A=" + b"x" * 3_000_000 + b"\n",
    "mark": b"\xef\xbb\xbfA=1\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ENV_FILES)
def test_the_env_file_of_another_project_stops_nothing(server, make_server, tmp_path, name):
    text = ENV_FILES[name]
    (tmp_path / ".env").write_bytes(text if isinstance(text, bytes) else text.encode())
    elsewhere = make_server(cwd=tmp_path)
    env = {"DYAD_URL": f"http://127.0.0.1:{server.port}"}
    for command in (("status",), ("context", "set", "k", "{}"), ("config", "check")):
        done = elsewhere.cli(*command, env=env)
        assert done.returncode == 0, (command, done)
    if name in ("utf-16", "binary", "huge"):
        assert str(tmp_path / ".env") in done.stdout, done
    if name == "utf-16":
        assert "UTF-16" in done.stdout
    elsewhere.start()


def test_what_is_no_file_is_passed_over_and_never_waited_for(server, make_server, tmp_path):
    env = {"DYAD_URL": f"http://127.0.0.1:{server.port}"}
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / ".env"
    for make in (path.mkdir, lambda: os.mkfifo(path), lambda: listener.bind(str(path)),
                 lambda: path.symlink_to("nowhere"), lambda: path.symlink_to("/dev/zero")):
        make()
        done = make_server(cwd=tmp_path).cli("status", env=env, timeout=10)
        assert done.returncode == 0, done
        path.rename(tmp_path / f"before-{len(os.listdir(tmp_path))}")
    listener.close()


@pytest.mark.parametrize("text", ["WS_SYNC_PORT=9\n".encode("utf-16"),
                                  "WS_SYNC_PORT=9\n".encode("utf-16-be"),
                                  b"WS_SYNC_PORT=9\n" + b"#" * 2_000_000])
def test_a_file_that_cannot_be_read_but_names_a_setting_of_ours_is_refused(make_server, tmp_path,
                                                                           text):
    (tmp_path / ".env").write_bytes(text)
    done = make_server(cwd=tmp_path).cli("status")
    assert done.returncode == 2 and "WS_SYNC_PORT" in done.stderr and str(tmp_path) in done.stderr
    done = make_server(cwd=tmp_path).cli("status", "--env-file", "/dev/null")
    assert done.returncode == 3, done


@pytest.mark.parametrize("line", ["WS_SYNC_PORT=\"9000", "WS_SYNC_PORT 9000", "LOG_LEVEL=chatty",
                                  "DYAD_HOST='127.0.0.1'x", "DISTRIBUTED_USER_ID=$USER"])
def test_files_of_ours_are_strict_about_our_names_alone(make_server, tmp_path, line):
    server = make_server(cwd=tmp_path)
    for place in ("config.env", "other.env"):
        text = f"no sense\nA='open\nFOREIGN=$(x)\n{line}\nDYAD_COLOUR=red\n"
        write_config(server, text if place == "config.env" else "")
        (tmp_path / "other.env").write_text(text)
        args = ["--env-file", "other.env"] if place == "other.env" else []
        done = server.cli("config", "check", *args)
        assert done.returncode == 2 and "line 4" in done.stdout, done
        assert "DYAD_COLOUR" in done.stdout and "FOREIGN" not in done.stdout
        assert done.stdout.count("✗") == 1, done.stdout


def test_an_env_file_may_come_out_of_a_pipe_that_says_something(make_server):
    server = make_server()
    script = f"exec '{BINARY}' config show --json --env-file <(echo WS_SYNC_PORT=4321)"
    done = subprocess.run(["bash", "-c", script], env=server.environment(), cwd=server.home,
                          capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout)["WS_SYNC_PORT"]["value"] == "4321", done


@pytest.mark.parametrize("name,written,meant", [
    ("LOG_LEVEL", "INFO", "info"), ("LOG_LEVEL", "Warning", "warn"), ("LOG_LEVEL", "none", "off"),
    ("LOG_FORMAT", "JSON", "json"), ("ENABLE_WEBSOCKET", "Enabled", "true"),
    ("ENABLE_WEBSOCKET", "NO", "false"), ("WS_SYNC_PORT", " 4321 ", "4321"),
    ("DYAD_HOST", "LOCALHOST", "localhost"),
    ("ALLOWED_ORIGINS", "https://a.example.com, https://b.example.com,",
     "https://a.example.com,https://b.example.com")])
def test_words_and_numbers_are_taken_as_they_are_meant_from_every_source(make_server, name, written,
                                                                         meant):
    server = make_server()
    (server.home / "other.env").write_text(f'{name}="{written}"\n')
    for args, env in (((), {name: written}), (("--env-file", "other.env"), {})):
        shown = json.loads(server.cli("config", "show", "--json", *args, env=env).stdout)
        assert shown[name]["value"] == meant
        assert server.cli("config", "check", *args, env=env).returncode == 0


def test_flags_of_serve_and_words_of_commands_too(make_server):
    server = make_server(args=["--log-level", "WARNING", "--log-format", "Json", "--websocket",
                               "Enabled", "--allowed-origins", "https://a.example, https://b.example"])
    server.start()
    env = {"DYAD_URL": f"http://127.0.0.1:{server.port}"}
    for command in (("mode", "set", "Parallel"), ("context", "set", "k", "{}", "--type", "CHAT"),
                    ("context", "set", "k", '{"a":1}', "--strategy", "Merge"),
                    ("events", "--type", "Mode-Changed")):
        done = server.cli(*command, env=env)
        assert done.returncode == 0, (command, done)
    for origin in ("https://a.example", "https://b.example"):
        status, _, _ = server.get("/api/v1/status", {"Origin": origin})
        assert status == 200, origin


def test_a_unit_is_refused_with_the_number_to_write(make_server):
    done = make_server().cli("config", "check", env={"WS_PING_INTERVAL": "30s",
                                                     "CONTEXT_TTL_DAYS": "30d"})
    assert done.returncode == 2 and ": 30000" in done.stdout and ": 30" in done.stdout


# ---- DISTRIBUTED_USER_ID=$(uuidgen) ----------------------------------------------------------


def test_an_id_that_cannot_be_kept_is_nobodys(make_server):
    """Where its file is a link that leads nowhere: neither a new one each time, nor the letters."""
    server = make_server().start()
    folder = server.home / ".config/dyad-memory"
    folder.mkdir(parents=True)
    (folder / "user-id").symlink_to(server.home / "nowhere")
    done = server.cli("context", "set", "k", "{}", env={
        "DISTRIBUTED_USER_ID": "$(uuidgen)", "DYAD_URL": f"http://127.0.0.1:{server.port}"})
    assert done.returncode == 2 and "user-id" in done.stderr, done
    assert json.loads(server.get("/api/v1/contexts?user=%24(uuidgen)")[2])["contexts"] == []


def test_the_id_of_uuidgen_is_made_once_and_is_the_same_for_server_and_commands(make_server):
    server = make_server()
    (server.home / ".env").write_text("DISTRIBUTED_USER_ID=$(uuidgen)\n")
    kept = server.home / ".config/dyad-memory/user-id"
    assert server.cli("config", "check").returncode == 0
    assert server.cli("config", "show").returncode == 0 and not kept.exists()
    server.start()
    made = kept.read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert server.log().count(made) == 1 and str(kept) in server.log()
    env = {"DYAD_URL": f"http://127.0.0.1:{server.port}"}
    assert server.cli("context", "set", "k", "{}", env=env).returncode == 0
    status, _, body = server.get("/api/v1/contexts", {"Dyad-User": made})
    assert status == 200 and len(json.loads(body)["contexts"]) == 1
    assert server.stop() == 0
    before = len(server.log())
    server.start()
    assert kept.read_text().strip() == made and made not in server.log()[before:]
    assert sorted(os.listdir(kept.parent)) == ["user-id"]


def test_many_at_once_make_one_id(server, make_server):
    other = make_server()
    (other.home / ".env").write_text('DISTRIBUTED_USER_ID="$(uuidgen)"\n')
    env = {"DYAD_URL": f"http://127.0.0.1:{server.port}"}
    seen, threads = [], []
    for n in range(12):
        threads.append(threading.Thread(target=lambda n=n: seen.append(
            other.cli("context", "set", f"k{n}", "{}", env=env))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(done.returncode == 0 for done in seen), seen
    made = (other.home / ".config/dyad-memory/user-id").read_text().strip()
    assert sum(made in done.stderr for done in seen) == 1
    _, _, body = server.get("/api/v1/contexts", {"Dyad-User": made})
    assert len(json.loads(body)["contexts"]) == 12


def test_an_id_that_cannot_be_kept_is_none(make_server):
    server = make_server()
    (server.home / ".env").write_text("DISTRIBUTED_USER_ID=$(uuidgen)\n")
    (server.home / ".config").write_text("in the way")
    server.spawn()
    assert server.wait_exit() == 2 and "user-id" in server.log()


def test_the_command_in_a_refusal_does_what_was_meant(make_server):
    server = make_server()
    path = server.home / ".env"
    path.write_text("A=1\nDISTRIBUTED_USER_ID=$(echo ada)\nB=2\n")
    done = server.cli("config", "check")
    assert done.returncode == 2
    command = re.search(r"sed -i .*'", done.stdout).group(0)
    subprocess.run(["bash", "-c", command], check=True, timeout=10 * PATIENCE)
    assert path.read_text() == "A=1\nDISTRIBUTED_USER_ID=ada\nB=2\n"
    assert server.cli("config", "check").returncode == 0


def test_folders_that_commands_are_given_are_read_so_too(make_server):
    server = make_server(data_dir=None)
    serve(server, "--data-dir=~/mem").start()
    assert server.cli("context", "set", "k", "{}", env={
        "DYAD_URL": f"http://127.0.0.1:{server.port}"}).returncode == 0
    assert server.stop() == 0
    done = server.cli("salvage", "~/mem", "--to=~/saved")
    assert done.returncode == 0 and (server.home / "saved/memory.db").exists(), done
    assert server.cli("doctor", "$HOME/saved").returncode == 0
    for command in (("salvage", "~/mem", "--to", ""), ("salvage", "~/mem", "--to=$NOWHERE/x"),
                    ("doctor", "~nobody-of-this-name/x")):
        assert server.cli(*command).returncode == 2, command
    assert not any("~" in path.name or "$" in path.name for path in server.home.iterdir())
