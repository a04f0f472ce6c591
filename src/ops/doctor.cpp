#include "ops/doctor.hpp"

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/folder.hpp"
#include "store/sqlite/journaled.hpp"
#include "store/sqlite/schema.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace dyad::ops {
namespace {

constexpr std::uint64_t kSpaceFail = 64ULL << 20;
constexpr std::uint64_t kSpaceWarn = 1ULL << 30;
constexpr std::int64_t kEarliestMs = 1'735'689'600'000;  // 2025-01-01
constexpr std::int64_t kLatestMs = 4'102'444'800'000;    // 2100-01-01
constexpr std::int64_t kSkewMs = 5000;
constexpr const char* kChains = "Hash chains";

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

// The folder itself, or the nearest one above it that exists.
std::string existing_part(std::string path) {
    struct stat status{};
    while (path.size() > 1 && stat(path.c_str(), &status) != 0) {
        const std::size_t slash = path.rfind('/');
        path.resize(slash == std::string::npos || slash == 0 ? 1 : slash);
    }
    return path;
}

Finding check_space(const std::string& path) {
    struct statvfs space{};
    if (statvfs(path.c_str(), &space) != 0)
        return {Verdict::warn, "Free space", "cannot be told", ""};
    const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
    if (free < kSpaceFail)
        return {Verdict::fail, "Free space", mebibytes(free) + " left on the disk of " + path,
                "free some space, or choose another folder with --data-dir"};
    if (free < kSpaceWarn)
        return {Verdict::warn, "Free space", mebibytes(free) + " left on the disk of " + path,
                "free some space soon; a full disk refuses writes"};
    return {Verdict::ok, "Free space", mebibytes(free) + " left", ""};
}

Finding check_permissions(const std::string& folder) {
    for (const std::string& path :
         {folder, folder + "/" + sqlite::kDatabaseName, folder + "/memory.lock"}) {
        struct stat status{};
        if (stat(path.c_str(), &status) != 0) continue;
        if (status.st_uid != geteuid() && geteuid() != 0)
            return {Verdict::fail, "Permissions", path + " belongs to another user",
                    "run as that user, or choose another folder with --data-dir"};
        if ((status.st_mode & 077) != 0)
            return {Verdict::warn, "Permissions", path + " can be opened by other users",
                    "chmod go= '" + path + "'"};
    }
    return {Verdict::ok, "Permissions", "for the owner only", ""};
}

// What the file's header says (https://www.sqlite.org/fileformat2.html), without opening it as a
// database: to open one can already change it.
enum class Kind : std::uint8_t { none, ours, foreign };
Kind kind_of(const std::string& database) {
    std::array<char, 100> header{};
    std::ifstream file(database, std::ios::binary);
    file.read(header.data(), header.size());
    if (file.gcount() == 0) return Kind::none;
    // A damaged header is for SQLite to find.
    if (!std::string_view(header.data(), header.size()).starts_with("SQLite format 3"))
        return Kind::ours;
    const auto number_at = [&header](std::size_t at) {
        std::uint32_t number = 0;
        for (std::size_t i = 0; i < 4; ++i)
            number = number << 8 | static_cast<std::uint8_t>(header[at + i]);
        return number;
    };
    if (number_at(68) == sqlite::kApplicationId) return Kind::ours;
    return number_at(60) == 0 && number_at(68) == 0 && number_at(28) <= 1 ? Kind::none
                                                                          : Kind::foreign;
}

struct Examined {
    std::string damage;      // what SQLite itself has to say against the file
    std::string unfinished;  // why the server's next start has work to do on it first
};
Result<Examined> examine(const std::string& database) {
    sqlite::Connection::Options options;
    options.path = database;
    Result<std::unique_ptr<sqlite::Connection>> connection = sqlite::Connection::open(options);
    if (!connection) return connection.error();
    Examined found;
    sqlite::Rows rows = (*connection)->query("PRAGMA integrity_check(3)");
    while (rows.next())
        if (rows.text(0) != "ok")
            found.damage.append(found.damage.empty() ? "" : "; ").append(rows.text(0));
    if (const Status status = rows.status(); !status) return status.error();
    if (!found.damage.empty()) return found;
    const auto version = (*connection)->number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version > sqlite::schema_version())
        return fail(Errc::storage_newer, "a newer version of this program wrote it");
    if (*version < sqlite::schema_version()) {
        found.unfinished = "an older version wrote it; the first start of this one converts it";
        return found;
    }
    const auto whole =
        (*connection)->number("SELECT count(*) FROM meta WHERE key = 'journal_made'");
    if (!whole) return whole.error();
    if (*whole == 0) found.unfinished = "its first start was broken off; the next one completes it";
    return found;
}

Finding failed_store(const char* check, const Error& error) {
    switch (error.code) {
        case Errc::storage_locked:
            return {Verdict::skipped, check, "in use: " + error.detail,
                    "the running server keeps it; stop the server to check the file itself"};
        case Errc::storage_full:
            return {Verdict::fail, check, error.to_string(), "free some space on its disk"};
        case Errc::storage_newer:
            return {Verdict::fail, check, error.to_string(), "use that version of the program"};
        case Errc::storage_unavailable:
            return {Verdict::fail, check, error.to_string(),
                    "run doctor as the server's user, and check the disk"};
        default:
            return {Verdict::fail, check, error.to_string(),
                    "stop using this folder, keep a copy of it, and restore a backup"};
    }
}

Finding check_chains(const std::string& database) {
    sqlite::JournaledOptions options;
    options.database = database;
    SystemRandom random;
    Result<std::unique_ptr<sqlite::Journaled>> store =
        sqlite::Journaled::open(std::move(options), random);
    if (!store) return failed_store(kChains, store.error());
    const Result<std::vector<std::string>> users = (*store)->list_users();
    if (!users) return failed_store(kChains, users.error());
    for (const std::string& user : *users)
        if (const Status good = (*store)->verify(user); !good)
            return failed_store(kChains, good.error());
    return {Verdict::ok, kChains,
            "every event of " + std::to_string(users->size()) +
                (users->size() == 1 ? " user" : " users") + " is as it was written",
            ""};
}

}  // namespace

std::vector<Finding> check_folder(const std::string& folder) {
    std::vector<Finding> out;
    if (folder.empty()) {
        out.push_back({Verdict::fail, "Data folder", "no HOME and no DYAD_DATA_DIR",
                       "name a folder with --data-dir or DYAD_DATA_DIR"});
        return out;
    }
    const std::string existing = existing_part(folder);
    struct stat status{};
    if (stat(existing.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        out.push_back({Verdict::fail, "Data folder", existing + " is not a folder",
                       "choose another one with --data-dir"});
    else if (access(existing.c_str(), W_OK | X_OK) != 0)
        out.push_back({Verdict::fail, "Data folder",
                       existing + " cannot be written: " + std::strerror(errno),
                       "chown or chmod it, or choose another one with --data-dir"});
    else if (existing != folder)
        out.push_back(
            {Verdict::ok, "Data folder", folder + " will be made at the first start", ""});
    else
        out.push_back({Verdict::ok, "Data folder", folder, ""});
    if (out.back().verdict == Verdict::fail) return out;
    out.push_back(check_space(existing));
    if (existing == folder) out.push_back(check_permissions(folder));
    return out;
}

std::vector<Finding> check_store(const std::string& folder) {
    const std::string database = folder + "/" + sqlite::kDatabaseName;
    struct stat status{};
    const bool there = stat(database.c_str(), &status) == 0 && S_ISREG(status.st_mode);
    switch (there ? kind_of(database) : Kind::none) {
        case Kind::none:
            return {{Verdict::ok, "Store", "none yet; the first start makes it", ""}};
        case Kind::foreign:
            return {{Verdict::fail, "Store", database + " is a database of another program",
                     "choose another folder with --data-dir"}};
        case Kind::ours:
            break;
    }
    const Result<std::unique_ptr<sqlite::FolderLock>> lock = sqlite::FolderLock::take(folder);
    if (!lock) return {failed_store("Store", lock.error())};
    const Result<Examined> found = examine(database);
    if (!found) return {failed_store("Store", found.error())};
    if (!found->damage.empty())
        return {failed_store("Store", fail(Errc::storage_damaged, found->damage))};
    std::vector<Finding> out{{Verdict::ok, "Store",
                              "SQLite finds the file sound (" +
                                  mebibytes(static_cast<std::uint64_t>(status.st_size)) +
                                  "); read under its lock and left as it was",
                              ""}};
    if (found->unfinished.empty())
        out.push_back(check_chains(database));
    else
        out.push_back({Verdict::skipped, kChains, found->unfinished, ""});
    return out;
}

Finding check_descriptor_limit() {
    constexpr rlim_t kWanted = static_cast<rlim_t>(limits::connections_max) + 256;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return {Verdict::warn, "File descriptors", "the limit cannot be told", ""};
    const std::string text = limit.rlim_max == RLIM_INFINITY
                                 ? std::string("no limit")
                                 : "up to " + std::to_string(limit.rlim_max);
    if (limit.rlim_max >= kWanted) return {Verdict::ok, "File descriptors", text, ""};
    return {Verdict::warn, "File descriptors",
            text + "; each connection takes one, and the server would take " +
                std::to_string(limits::connections_max),
            "ulimit -Hn " + std::to_string(kWanted) + ", or LimitNOFILE= in the systemd unit"};
}

Finding check_clock(std::int64_t now_ms, std::int64_t server_ms) {
    if (now_ms < kEarliestMs || now_ms > kLatestMs)
        return {Verdict::fail, "Clock", "the date of this machine is wrong",
                "set it, for example: timedatectl set-ntp true"};
    const std::int64_t skew = server_ms == 0 ? 0 : now_ms - server_ms;
    if (skew > kSkewMs || skew < -kSkewMs)
        return {Verdict::warn, "Clock",
                "this machine and the server differ by " +
                    std::to_string((skew < 0 ? -skew : skew) / 1000) + " s",
                "synchronise both: timedatectl set-ntp true"};
    return {Verdict::ok, "Clock", server_ms == 0 ? "plausible" : "agrees with the server's", ""};
}

}  // namespace dyad::ops
