"""The files that many nodes are deployed with, each held against the tool that reads it and against
what the server says of itself. There is no Docker engine and no Kubernetes here: what only these
could show is not shown."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from support.plain import Plain
from support.server import BINARY, PATIENCE, ROOT, Server, wait_until

sys.path.insert(0, str(ROOT / "tools"))
from cluster import Nginx  # noqa: E402

DEPLOY = ROOT / "deploy"
COMPOSE = "docker-compose.distributed.yml"
EXAMPLE = ".env.distributed.example"
# The guide's minimal configuration, as it stands there.
MINIMAL = """\
ENABLE_DISTRIBUTED_MEMORY=true
MONGODB_URL=mongodb://localhost:27017
REDIS_URL=redis://localhost:6379
WS_SYNC_PORT=8765
DISTRIBUTED_USER_ID=your-email@example.com
"""


def check_settings(make_server, tmp_path, settings):
    """`config check` of these settings and no others."""
    (tmp_path / "all.env").write_text(
        "".join(f"{name}='{value}'\n" for name, value in settings.items()))
    done = make_server().cli("config", "check", "--env-file", str(tmp_path / "all.env"))
    assert done.returncode == 0, done
    assert "there is no such setting" not in done.stdout, done
    return done.stdout


# ---- compose --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / COMPOSE).read_text())


def test_the_guides_paths_are_those_of_deploy():
    for name in (COMPOSE, EXAMPLE):
        assert (ROOT / name).resolve() == DEPLOY / name


def test_docker_compose_takes_the_file():
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    def services(*profiles):
        done = subprocess.run(["docker-compose", "-f", COMPOSE, *profiles, "config", "--services"],
                              cwd=ROOT, capture_output=True, text=True, timeout=60 * PATIENCE)
        assert done.returncode == 0, done
        return set(done.stdout.split())

    # Compose's first version lists what is in profiles, too.
    assert {"mongodb", "redis"} <= services()
    assert services("--profile", "tools", "--profile", "server") == {
        "mongodb", "redis", "dyad-memory", "mongo-express", "redis-commander"}


def test_compose_has_what_the_guide_names(compose):
    services = compose["services"]
    plain = {name for name, service in services.items() if "profiles" not in service}
    assert plain == {"mongodb", "redis"}
    assert {name for name, service in services.items() if service.get("profiles") == ["tools"]} == {
        "mongo-express", "redis-commander"}
    for name, container, port in (("mongodb", "dyad-mongodb", "127.0.0.1:27017:27017"),
                                  ("redis", "dyad-redis", "127.0.0.1:6379:6379"),
                                  ("mongo-express", None, "127.0.0.1:8082:8081"),
                                  ("redis-commander", None, "127.0.0.1:8081:8081")):
        assert services[name]["ports"] == [port]
        assert container is None or services[name]["container_name"] == container
    environment = services["mongo-express"]["environment"]
    assert environment["ME_CONFIG_BASICAUTH_USERNAME"] == "admin"
    assert environment["ME_CONFIG_BASICAUTH_PASSWORD"] == "admin"
    for name in ("mongodb", "redis", "dyad-memory"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    named = {volume.split(":")[0] for service in services.values()
             for volume in service.get("volumes", [])}
    assert named == set(compose["volumes"]), "data outlives the containers"


def test_compose_opens_nothing_to_other_machines(compose):
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)
        assert service.get("network_mode") is None


def test_the_service_of_the_server_has_good_settings(compose, make_server, tmp_path):
    service = compose["services"]["dyad-memory"]
    settings = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
                for name, value in service["environment"].items()}
    check_settings(make_server, tmp_path, settings)
    assert re.search(r"://(\w+)", settings["MONGODB_URL"]).group(1) in compose["services"]
    assert re.search(r"://(\w+)", settings["REDIS_URL"]).group(1) in compose["services"]
    assert service["ports"][0].endswith(":8765")
    assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


# ---- the image ------------------------------------------------------------------------------

def installed_by(stage):
    """The Debian packages that a stage of the Dockerfile installs."""
    text = re.search(r"apt-get install(.*?)&&", stage.replace("\\\n", " "), re.S).group(1)
    return {word for word in text.split() if not word.startswith("-")}


def stages():
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M)
    return ["FROM" + stage for stage in text.split("FROM")[1:]]


def packages_of(binary):
    """Those that hold the libraries which the program is linked with."""
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    found = set()
    for path in re.findall(r"=> (/\S+)", linked):
        path = os.path.realpath(path)
        for name in (path, path.removeprefix("/usr"), "/usr" + path):
            done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
            if done.returncode == 0:
                found.add(done.stdout.split(":")[0])
                break
    return found - {"libc6", "libgcc-s1", "libstdc++6"}


def test_the_image_builds_and_runs_on_debian_12_as_nobody_in_particular():
    build, run = stages()
    assert build.startswith("FROM debian:12-slim AS build")
    assert run.startswith("FROM debian:12-slim\n")
    assert not re.search(r"amd64|x86|arm64|aarch64", build + run), "for both processors"
    user = re.search(r"^USER (\d+):(\d+)$", run, re.M)
    assert user and int(user.group(1)) > 0
    assert "STOPSIGNAL SIGTERM" in run and 'ENTRYPOINT ["/usr/local/bin/dyad-memory"]' in run


@pytest.mark.skipif(not shutil.which("dpkg"), reason="this machine has no dpkg")
def test_the_image_installs_what_is_needed():
    build, run = stages()
    needs = re.search(r"BUILD_NEEDS=\((.*?)\)", (ROOT / "x").read_text(), re.S).group(1).split()
    assert set(needs) - {"ccache"} <= installed_by(build)
    linked = {one for one in packages_of(BINARY)
              if not one.startswith(("libasan", "libubsan", "libtsan"))}
    # The last three are loaded by the program, or are files.
    assert linked | {"libmongoc-1.0-0", "libcurl4", "libssl3", "ca-certificates"} == \
        installed_by(run)


# ---- nginx ----------------------------------------------------------------------------------

def test_nginx_takes_the_file_as_it_stands(tmp_path):
    text = (DEPLOY / "nginx.conf").read_text()
    text = text.replace("/run/", f"{tmp_path}/").replace("/var/log/nginx/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(text)
    done = subprocess.run(["nginx", "-t", "-e", tmp_path / "e.log", "-c", tmp_path / "nginx.conf"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done
    assert text.count("server 127.0.0.1:") == 3
    assert "ip_hash" not in text and "sticky" not in text
    assert re.search(r"location /sync \{[^}]*proxy_read_timeout 86400;", text)


def test_nginx_passes_everything_on_and_goes_round_a_node_that_is_down():
    with Server() as one, Server() as other, Server() as gone:
        gone.stop()
        with Nginx([gone.port, one.port, other.port]) as proxy:
            front = Server(port=proxy.port)  # never started: for its requests
            try:
                seen = set()
                for _ in range(20):
                    code, _, body = front.get("/api/v1/status")
                    assert code == 200, body
                    seen.add(json.loads(body)["instanceId"])
                assert len(seen) == 2, "both nodes serve"
                with Plain(proxy.port, "ada", "dyad-1", path="/sync") as client:
                    client.ping()
                    client.write("k", {"through": "nginx"})
                    wait_until(lambda: client.state()["contexts"], 5, what="the write")
                with Plain(proxy.port, "ada", "dyad-2", path="/") as client:
                    client.ping()
            finally:
                front.close()


# ---- Kubernetes -----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def manifests():
    found = {}
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            assert document["apiVersion"] and document["metadata"]["name"] == "dyad-memory"
            found[document["kind"]] = document
    return found


def test_the_manifests_belong_together(manifests):
    assert set(manifests) == {"ConfigMap", "Secret", "Deployment", "Service",
                              "PodDisruptionBudget"}
    deployment = manifests["Deployment"]["spec"]
    pod = deployment["template"]
    labels = pod["metadata"]["labels"]
    assert deployment["replicas"] == 3
    for selector in (deployment["selector"]["matchLabels"],
                     manifests["Service"]["spec"]["selector"],
                     manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    container, = pod["spec"]["containers"]
    port, = container["ports"]
    assert str(port["containerPort"]) == manifests["ConfigMap"]["data"]["WS_SYNC_PORT"]
    assert manifests["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert "sessionAffinity" not in manifests["Service"]["spec"]
    names = {list(source.values())[0]["name"] for source in container["envFrom"]}
    assert names == {"dyad-memory"} and len(container["envFrom"]) == 2
    user = re.search(r"^USER (\d+)", stages()[1], re.M).group(1)
    assert str(pod["spec"]["securityContext"]["runAsUser"]) == user


def test_the_manifests_settings_are_good_and_their_probes_answered(manifests, make_server,
                                                                   tmp_path):
    settings = {**manifests["ConfigMap"]["data"], **manifests["Secret"]["stringData"]}
    check_settings(make_server, tmp_path, settings)
    assert not any("change-me" in value for value in manifests["ConfigMap"]["data"].values())
    # A probe comes to the pod's address with the header that it is given.
    container, = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    server = make_server(env={"DYAD_HOST": settings["DYAD_HOST"], "DYAD_ALLOW_REMOTE": "true",
                              "ALLOWED_HOSTS": settings["ALLOWED_HOSTS"]}).start()
    for probe in ("readinessProbe", "livenessProbe"):
        ask = container[probe]["httpGet"]
        headers = {header["name"]: header["value"] for header in ask["httpHeaders"]}
        assert server.get(ask["path"], headers)[0] == 200
    assert server.get("/readyz", {"Host": "10.1.2.3:8765"})[0] != 200, "the header is needed"


# ---- settings and systemd -------------------------------------------------------------------

def test_the_example_of_settings_begins_as_the_guide_has_it(make_server, tmp_path):
    text = (ROOT / EXAMPLE).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[:5] == MINIMAL.splitlines()
    (tmp_path / ".env").write_text(text)
    done = make_server(cwd=tmp_path).cli("config", "check")
    assert done.returncode == 0 and "guide's example" in done.stdout, done
    assert "there is no such setting" not in done.stdout


def test_what_the_example_has_in_comments_is_good_too(make_server, tmp_path):
    text = (ROOT / EXAMPLE).read_text()
    (tmp_path / "all.env").write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", text, flags=re.M))
    done = make_server().cli("config", "check", "--env-file", str(tmp_path / "all.env"))
    assert done.returncode == 0 and "there is no such setting" not in done.stdout, done
    shown = json.loads(make_server().cli("config", "show", "--json", "--env-file",
                                         str(tmp_path / "all.env")).stdout)
    assert shown["REDIS_URL"]["value"].startswith("rediss://user:***@")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path):
    text = (DEPLOY / "dyad-memory.service").read_text()
    (tmp_path / "dyad-memory.service").write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={BINARY}", text, flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / "dyad-memory.service"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "dyad-memory.service" not in done.stderr, done


def test_the_dashboard_asks_for_what_the_server_measures(server):
    measured = set(re.findall(r"^# TYPE (\w+) ", server.get("/metrics")[2].decode(), re.M))
    board = json.loads((DEPLOY / "grafana/dyad-memory.json").read_text())
    asked = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked |= set(re.findall(r"\bdyad_\w+", target["expr"]))
    assert len(asked) > 15
    missing = {name for name in asked if re.sub(r"_bucket$", "", name) not in measured}
    assert not missing


def test_metrics_are_as_prometheus_reads_them(server):
    text = server.get("/metrics")[2].decode()
    buckets = [(float(bound.replace("+Inf", "inf")), int(count)) for bound, count in
               re.findall(r'^dyad_http_request_seconds_bucket\{le="([^"]+)"\} (\d+)$', text, re.M)]
    assert len(buckets) == 17 and buckets == sorted(buckets)
    assert buckets[-1][1] == int(re.search(r"^dyad_http_request_seconds_count (\d+)$", text,
                                           re.M).group(1))
    assert all(re.fullmatch(r'# (HELP|TYPE) .+|\w+(\{le="[^"]+"\})? [0-9.]+', line)
               for line in text.splitlines())


def test_the_access_log_is_a_scope_of_its_own(make_server):
    server = make_server(env={"DEBUG": "dyad:distributed:access"})
    server.start()
    server.get("/api/v1/search?q=my-secret-words")
    server.get("/healthz")
    wait_until(lambda: "/healthz" in server.log())
    lines = [line for line in server.log().splitlines() if "[access]" in line]
    assert any(re.search(r"GET /healthz 200 \d+ bytes \d+ us$", line) for line in lines)
    assert "my-secret-words" not in server.log()
