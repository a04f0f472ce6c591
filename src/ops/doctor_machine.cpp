#include "ops/doctor.hpp"

#include <cerrno>
#include <cstring>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace dyad::ops {
namespace {

constexpr std::uint64_t kSpaceFail = 64ull << 20;
constexpr std::uint64_t kSpaceWarn = 1ull << 30;
constexpr rlim_t kDescriptorsWarn = 4096;

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

bool answers(const net::Url& url) {
    net::ClientRequest request;
    request.target = "/healthz";
    request.timeout_ms = 2000;
    const auto response = net::http_request(url, request);
    return response && (response->body == "ok\n" || response->body == "degraded\n");
}

Check check_port(const DoctorSubject& subject) {
    const std::string port = std::to_string(subject.port);
    const std::string holder = net::port_holder(subject.port);
    net::Url here = subject.url;
    here.port = subject.port;
    if (answers(here)) return {"port", Verdict::ok, "Port " + port + " is our server's.", ""};
    if (const auto free = net::listen_tcp("127.0.0.1", subject.port))
        return {"port", Verdict::ok, "Port " + port + " is free.", ""};
    return {"port", Verdict::fail,
            "Port " + port + " is in use by " + (holder.empty() ? "another process" : holder) +
                ", which is not our server.",
            "Stop that process, or choose another port: WS_SYNC_PORT=" +
                std::to_string(subject.port == 65535 ? 8765 : subject.port + 1) + "."};
}

// The folder itself, or the nearest one above it that exists.
std::string existing_folder(std::string folder) {
    struct stat found {};
    while (folder.size() > 1 && stat(folder.c_str(), &found) != 0) {
        const std::size_t slash = folder.rfind('/');
        folder.resize(slash == 0 || slash == std::string::npos ? 1 : slash);
        folder[0] = '/';
    }
    return folder;
}

Check check_folder(const std::string& folder) {
    struct stat found {};
    const bool there = stat(folder.c_str(), &found) == 0;
    const std::string place = there ? folder : existing_folder(folder);
    const std::string choose = "Give yourself the right to write there, or choose another folder "
                               "with --data-dir or DYAD_DATA_DIR.";
    if (there && !S_ISDIR(found.st_mode))
        return {"data-folder", Verdict::fail, folder + " is not a folder.", choose};
    if (access(place.c_str(), W_OK | X_OK) != 0)
        return {"data-folder", Verdict::fail,
                "The data folder " + folder + " cannot be " + (there ? "written" : "made") + ": " +
                    std::strerror(errno) + ".",
                choose};
    if (!there)
        return {"data-folder", Verdict::ok,
                "The data folder " + folder + " is not there yet; the server will make it.", ""};
    if ((found.st_mode & 077) != 0)
        return {"data-folder", Verdict::warn,
                "Others on this machine may look into the data folder " + folder + ".",
                "chmod 700 '" + folder + "'"};
    return {"data-folder", Verdict::ok,
            "The data folder " + folder + " is writable, and by nobody else.", ""};
}

Check check_space(const std::string& folder) {
    struct statvfs disk {};
    if (statvfs(existing_folder(folder).c_str(), &disk) != 0)
        return {"disk-space", Verdict::warn,
                std::string("The free space cannot be told: ") + std::strerror(errno) + ".",
                "Look at it with df."};
    const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    const std::string text = mebibytes(free) + " are free for the data.";
    if (free < kSpaceFail)
        return {"disk-space", Verdict::fail, "Only " + text,
                "Free some space: writes are refused when the disk is full."};
    if (free < kSpaceWarn) return {"disk-space", Verdict::warn, "Only " + text, "Free some space."};
    return {"disk-space", Verdict::ok, text, ""};
}

Check check_descriptors() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY)
        return {"descriptors", Verdict::ok, "The number of open files is not limited.", ""};
    const std::string text =
        "A server may have " + std::to_string(limit.rlim_max) + " open files";
    if (limit.rlim_max < kDescriptorsWarn)
        return {"descriptors", Verdict::warn, text + ", and each client takes one.",
                "Raise the limit (ulimit -Hn, or LimitNOFILE= in the systemd unit)."};
    return {"descriptors", Verdict::ok, text + ".", ""};
}

}  // namespace

std::vector<Check> check_machine(const DoctorSubject& subject) {
    std::vector<Check> checks{check_port(subject)};
    if (subject.data_dir.empty()) {
        checks.push_back({"data-folder", Verdict::fail, "There is no HOME to keep the data in.",
                          "Say where with --data-dir or DYAD_DATA_DIR."});
    } else {
        checks.push_back(check_folder(subject.data_dir));
        checks.push_back(check_space(subject.data_dir));
    }
    checks.push_back(check_descriptors());
    return checks;
}

}  // namespace dyad::ops
